"""Metrics: one table of names, a snapshot of values, and the listener that Prometheus asks."""
