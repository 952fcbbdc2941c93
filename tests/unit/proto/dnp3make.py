"""DNP3 for tests: frames with a checksum that is worked out bit by bit."""

import struct

TO_SERVER, TO_CLIENT = 0, 1
FIR, FIN = 0x40, 0x80


def crc(data):
    value = 0
    for byte in data:
        for bit in range(8):
            odd = (value ^ byte >> bit) & 1
            value = value >> 1 ^ (0xA6BC if odd else 0)
    return struct.pack("<H", value ^ 0xFFFF)


def frame(user, control=0xC4, dst=10, src=1):
    head = struct.pack("<2sBBHH", b"\5\x64", 5 + len(user), control, dst, src)
    blocks = [user[at : at + 16] for at in range(0, len(user), 16)]
    return head + crc(head) + b"".join(block + crc(block) for block in blocks)


def segment(data, flags=FIR | FIN, **fields):
    return frame(bytes([flags]) + data, **fields)


def request(function, objects=b"", control=0xC0):
    return bytes([control, function]) + objects


def response(objects=b"", indications=0x8000, function=129, control=0xC0):
    return bytes([control, function]) + struct.pack(">H", indications) + objects


def fragments(data, size=100, **fields):
    """Return a fragment in several frames."""
    parts = [data[at : at + size] for at in range(0, len(data), size)]
    last = len(parts) - 1
    flags = [FIR * (n == 0) | FIN * (n == last) | n & 63 for n in range(len(parts))]
    return b"".join(segment(part, flag, **fields) for part, flag in zip(parts, flags, strict=True))


CLASSES = b"\x3c\2\6\x3c\3\6\x3c\4\6"
CROB = b"\x0c\1\x17\1\5" + b"\x41\1" + struct.pack("<II", 100, 100) + b"\0"
INPUTS = b"\1\2\0\0\4" + b"\1" * 5 + b"\x1e\1\1\0\0\1\0" + b"\1\0\0\0\0" * 2
