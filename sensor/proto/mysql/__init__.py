"""MySQL's protocol (its manual, "Client/Server Protocol"): log-ons and commands."""
