"""The kernel: what every front end, plugin and worker stands on. It knows no web framework and no vendor."""
