"""Hand-made messages of PostgreSQL (version 3) and MySQL (version 10), and conversations made of them."""

import struct


def typed(kind, body=b""):
    return kind + struct.pack("!I", 4 + len(body)) + body


def startup(*words, code=3 << 16):
    body = struct.pack("!I", code) + b"".join(word + b"\0" for word in words) + (b"\0" if words else b"")
    return struct.pack("!I", 4 + len(body)) + body


SSL = startup(code=80877103)
READY = typed(b"Z", b"I")
ROW = typed(b"D", struct.pack("!HI", 1, 2) + b"42")


def pgsql():
    """A client that asks for TLS in vain, logs on with a password, and sends a simple and an extended query."""
    return [
        (0, SSL),
        (1, b"N"),
        (0, startup(b"user", b"bob", b"database", b"shop")),
        (1, typed(b"R", struct.pack("!I", 5) + b"salt")),
        (0, typed(b"p", b"md5abc\0")),
        (1, typed(b"R", struct.pack("!I", 0)) + typed(b"S", b"server_version\x0016.1\0")),
        (1, typed(b"K", struct.pack("!II", 77, 88)) + READY),
        (0, typed(b"Q", b"SELECT 1\0")),
        (1, typed(b"T", struct.pack("!H", 1)) + ROW + ROW + typed(b"C", b"SELECT 2\0") + READY),
        (0, typed(b"P", b"st\0DELETE FROM t\0\0\0") + typed(b"B", b"\0\0") + typed(b"S")),
        (1, typed(b"1") + typed(b"E", b"SERROR\0C42P01\0Mno such table\0\0") + READY),
        (0, typed(b"X")),
    ]


def packet(sequence, body):
    return struct.pack("<I", len(body))[:3] + bytes([sequence]) + body


GREETING = (
    b"\x0a8.0.36-log\0" + b"\1\0\0\0" + b"A" * 8 + b"\0" + b"\xff\xf7\xff\2\0\xff\xc7\x15" + b"\0" * 10 + b"B" * 13
)
FLAGS = 0x8 | 0x200 | 0x8000 | 0x80000


def login(user=b"root", database=b"shop", flags=FLAGS):
    head = struct.pack("<IIB23s", flags, 1 << 24, 33, b"")
    return head + user + b"\0\x14" + b"h" * 20 + database + b"\0mysql_native_password\0"


OK = b"\0\0\0\2\0\0\0"


def mysql():
    """A log-on with a switch of its method, a query with a result, one that fails, and the end."""
    return [
        (1, packet(0, GREETING)),
        (0, packet(1, login())),
        (1, packet(2, b"\xfecaching_sha2_password\0" + b"C" * 20)),
        (0, packet(3, b"x" * 32)),
        (1, packet(4, OK)),
        (0, packet(0, b"\3SELECT @@version")),
        (1, packet(1, b"\1") + packet(2, b"\3def") + packet(3, b"\xfe\0\0\2\0") + packet(4, b"\x068.0.36")),
        (0, packet(0, b"\3DROP TABLE x")),
        (1, packet(1, b"\xff" + struct.pack("<H", 1051) + b"#42S02Unknown table")),
        (0, packet(0, b"\1")),
    ]
