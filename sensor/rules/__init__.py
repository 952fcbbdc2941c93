"""Rules: the in-memory form, the YAML language, loading, lint and self-tests."""
