"""Runs the whole product on one machine: children started, watched, restarted, stopped."""
