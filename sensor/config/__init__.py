"""The configuration: one tree, collected from each stage's limits."""
