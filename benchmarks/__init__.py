"""Benchmarks: each module is a command that prints a table. `make bench` runs them all."""
