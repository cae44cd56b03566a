"""The web process: front ends, health, metrics, API."""
