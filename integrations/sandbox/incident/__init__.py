"""A small shop that can be broken and healed, watched by a real Prometheus and Alertmanager."""
