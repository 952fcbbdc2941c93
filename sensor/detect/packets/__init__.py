"""A decoded packet as rules see it: its numbers, raw headers, checksums and oddities."""
