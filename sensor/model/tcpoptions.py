"""Kinds of TCP options (IANA, TCP parameters)."""

MSS, WINDOW_SCALE, SACK_PERMITTED, SACK = 2, 3, 4, 5
"""RFC 9293 section 3.2, RFC 7323 section 2, RFC 2018."""
TIMESTAMP = 8
"""RFC 7323 section 3."""
MD5, AUTHENTICATION = 19, 29
"""RFC 2385, RFC 5925."""
FAST_OPEN = 34
"""RFC 7413 section 4.1.1."""
EXPERIMENTS, FAST_OPEN_EXPERIMENT = (253, 254), 0xF989
"""RFC 6994: the first two bytes name the experiment, here the one of RFC 7413 before it had a number."""
