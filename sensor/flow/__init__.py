"""Flows, streams, fragments and duplicates of a mirror: pure stages between decode and detect."""
