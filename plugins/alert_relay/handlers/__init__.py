"""Handlers that `AlertRelay` takes over besides its own, one module a subject."""
