"""What is at hand of a block: gathered and derived bytes, flows as they stood at a row, stations."""
