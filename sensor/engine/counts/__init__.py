"""What was seen, what was not, and what it cost."""
