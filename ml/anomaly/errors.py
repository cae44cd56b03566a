"""What can be wrong with series and their states, in words that say what to do."""


class SeriesError(Exception):
    """A file of samples or labels that can't be read."""


class StateError(Exception):
    """A stored state that this version can't continue from."""
