"""The only package that knows all stages: blocks in, alerts out."""
