"""Several workers that share the traffic, and the one process that sees all they raise."""
