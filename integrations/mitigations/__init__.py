"""Executors: the ways in which a mitigation acts, each an entry point of the group `signalbox.executors`."""
