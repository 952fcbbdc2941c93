"""Forged MQTT messages."""

import struct


def varint(n):
    out = bytearray()
    while True:
        n, byte = n >> 7, n & 127
        out.append(byte | (128 if n else 0))
        if not n:
            return bytes(out)


def string(data):
    return struct.pack("!H", len(data)) + data


def packet(kind, body=b"", flags=0):
    return bytes([kind << 4 | flags]) + varint(len(body)) + body


def connect(version=4, name=b"MQTT", client=b"guest-7", user=b"joe", password=b"pw", will=None, props=b"", flags=0):
    flags |= 2 | (0x80 if user is not None else 0) | (0x40 if password is not None else 0) | (4 if will else 0)
    body = string(name) + bytes([version, flags]) + b"\0\x3c" + (varint(len(props)) + props if version == 5 else b"")
    body += string(client)
    if will:
        body += (b"\0" if version == 5 else b"") + string(will[0]) + string(will[1])
    return packet(1, body + b"".join(string(s) for s in (user, password) if s is not None))


def connack(code=0, session=0, props=None):
    return packet(2, bytes([session, code]) + (b"" if props is None else varint(len(props)) + props))


def publish(topic=b"t", message=b"m", qos=0, number=1, flags=0, five=False):
    body = string(topic) + (struct.pack("!H", number) if qos else b"") + (b"\0" if five else b"") + message
    return packet(3, body, flags | qos << 1)


def answer(kind, number=1, rest=b""):
    return packet(kind, struct.pack("!H", number) + rest, 2 if kind == 6 else 0)


def subscribe(topics=((b"a/b", 1),), number=1, five=False):
    body = struct.pack("!H", number) + (b"\0" if five else b"")
    return packet(8, body + b"".join(string(t) + bytes([q]) for t, q in topics), 2)


def unsubscribe(topics=(b"a/b",), number=1, five=False):
    return packet(10, struct.pack("!H", number) + (b"\0" if five else b"") + b"".join(map(string, topics)), 2)


def talk():
    """Return (side, bytes) of an MQTT 5 connection with every kind of exchange."""
    return [
        (0, connect(5, will=(b"w/t", b"gone"), props=b"\x11\0\0\0\x0a\x26\0\1k\0\1v")),
        (1, connack(0, 1, b"\x22\0\x0a")),
        (0, subscribe(((b"a/#", 1), (b"b/+", 0)), 7, five=True)),
        (1, answer(9, 7, b"\0\1\0")),
        (0, publish(b"a/x", b"\xff\xd8\xff\xe0jpeg", 2, 9, five=True)),
        (1, answer(5, 9)),
        (0, answer(6, 9)),
        (1, answer(7, 9, b"\x92") + publish(b"a/x", b"to you", 1, 3, five=True)),
        (0, answer(4, 3, b"\0\0") + packet(12)),
        (1, packet(13)),
        (0, unsubscribe((b"a/#", b"b/+"), 8, five=True)),
        (1, answer(11, 8, b"\0\x11\0")),
        (0, packet(14, b"\4")),
    ]
