"""RDP connection messages for tests."""

import struct


def x224(kind, rest=b""):
    body = bytes([6 + len(rest), kind]) + b"\0\0\x12\x34\0" + rest
    return struct.pack("!BBH", 3, 0, 4 + len(body)) + body


def negotiate(kind, flags=0, value=0):
    return struct.pack("<BBHI", kind, flags, 8, value)


REQUEST = x224(0xE0, b"Cookie: mstshash=alice\r\n" + negotiate(1, 9, 3))
CONFIRM = x224(0xD0, negotiate(2, 0x1B, 2))
REFUSED = x224(0xD0, negotiate(3, 0, 5))
