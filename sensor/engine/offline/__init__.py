"""Captures in, events out; the examples of rules are run so, too."""
