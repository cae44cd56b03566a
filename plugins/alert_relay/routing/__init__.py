"""Where a group goes by its labels, who is called, and when it is held quiet."""
