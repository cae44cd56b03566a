"""What can be wrong with a model, in words that say what to do."""


class ModelUnavailableError(Exception):
    """The encoder's weights are not installed."""


class ModelTamperedError(Exception):
    """A model file is not the one that was pinned or built."""
