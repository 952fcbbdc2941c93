"""What one DNS message or flow may cost."""

NAME_BYTES = 1025
"""Longest name that is read, on the wire. RFC 1035 section 2.3.4 allows 255: a server of its own answers to more, and
Suricata reads as much."""
POINTERS = 32
"""Compression pointers followed in one name; real messages chain a handful."""
RECORDS = 256
"""Questions and records read of one message."""
MESSAGE_MIN = 12
BAD_MESSAGES = 8
"""Malformed messages in a row before a side is given up."""
PROBE_COUNT = 64
"""Questions or records of one section beyond which unknown traffic is not taken for DNS."""
