"""Application protocols: one folder each, always parse (bytes to records), state, fields and eve."""
