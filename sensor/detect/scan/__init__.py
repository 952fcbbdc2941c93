"""The literal scan: all literals of a rule set in one pass, and the rules behind each hit."""
