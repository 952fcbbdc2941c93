"""Which flows must be parsed: messages are cut into frames without a parser, and rules tried on these."""
