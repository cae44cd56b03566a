"""What can be wrong with data or a model, in words that say what to do."""


class DataError(Exception):
    """Data that can't be used; nothing was trained or scored with it."""


class LeakError(Exception):
    """The leak auditor found that a model would be judged by what it can't know."""


class ModelUnavailableError(Exception):
    """There is no model where one was looked for."""


class ModelTamperedError(Exception):
    """A model file is not the one that was sealed."""


class WorseModelError(Exception):
    """A challenger that the gate refused."""
