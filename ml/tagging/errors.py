"""What can be wrong with a model or its data, in words that say what to do."""


class ModelUnavailableError(Exception):
    """A model, or the encoder's weights, are not there."""


class ModelTamperedError(Exception):
    """A model file is not the one that was pinned or built."""


class DataError(Exception):
    """Training or evaluation data that can't be used."""


class WorseModelError(Exception):
    """A challenger that the gate refused."""
