"""Regular expressions: PCRE2, and what can be told of one without running it."""
