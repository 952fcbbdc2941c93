"""PostgreSQL's protocol, version 3 (its manual, chapter "Frontend/Backend Protocol"): log-ons and queries."""
