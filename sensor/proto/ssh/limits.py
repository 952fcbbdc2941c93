"""What the beginning of one SSH connection may cost."""

MAX_BANNER = 255
"""Bytes of an identification string, CR LF included (RFC 4253 section 4.2)."""
MAX_LINE = 255
"""Bytes without its end of a line that is not too long, as Suricata counts."""
MAX_PRELUDE_LINES = 64
"""Lines a server may send before its banner."""
MAX_PRELUDE = 8192
"""Bytes of them, and of the banner."""
MAX_PACKET = 35000
"""packet_length that every implementation must take (RFC 4253 section 6.1)."""
MAX_PACKETS = 16
"""Packets before NEWKEYS; a key exchange has 2 to 6 a side."""
