"""IKE messages for tests."""

import struct

INIT, RESP = b"\xe4\x7aINITIA", b"\xa0\x0bRESPON"


def payload(following, body):
    return struct.pack("!BBH", following, 0, 4 + len(body)) + body


def chain(*parts):
    """Return (type, body) pairs as payloads that name each other."""
    kinds = [kind for kind, _ in parts[1:]] + [0]
    return b"".join(payload(following, body) for following, (_, body) in zip(kinds, parts, strict=True))


def ike(*parts, version=0x10, exchange=2, flags=0, resp=RESP, number=0, extra=b"", body=None):
    body = chain(*parts) + extra if body is None else body
    first = parts[0][0] if parts else 0
    return INIT + resp + struct.pack("!BBBBII", first, version, exchange, flags, number, 28 + len(body)) + body


def attribute(kind, value):
    if isinstance(value, bytes):
        return struct.pack("!HH", kind, len(value)) + value
    return struct.pack("!HH", kind | 0x8000, value)


AES = (attribute(1, 7), attribute(14, 128), attribute(2, 2), attribute(4, 2), attribute(3, 1), attribute(11, 1),
       attribute(12, b"\0\1\x51\x80"))  # fmt: skip
DES = (attribute(1, 1), attribute(2, 1), attribute(4, 1))


def sa1(*sets, doi=1):
    transforms = [b"\1\1\0\0" + b"".join(attributes) for attributes in sets]
    body = chain(*((3, one) for one in transforms))
    return struct.pack("!II", doi, 1) + payload(0, bytes([1, 1, 0, len(sets)]) + body)


def sa2(*proposals):
    """proposals: (protocol, [(type, id), …])"""
    out = b""
    for number, (protocol, transforms) in enumerate(proposals, 1):
        body = b"".join(payload(3, struct.pack("!BBH", kind, 0, one)) for kind, one in transforms)
        out += payload(2, bytes([number, protocol, 0, len(transforms)]) + body)
    return out


STRONG = [(1, 12), (2, 5), (3, 12), (4, 14)]

MAIN1 = ike((1, sa1(AES, DES)), (13, b"vendor-one"), (13, b"vendor-two"), resp=b"\0" * 8)
MAIN2 = ike((1, sa1(AES)), (13, b"vendor-srv"))
MAIN3 = ike((4, b"K" * 128), (10, b"N" * 20))
INIT2 = ike((33, sa2((1, STRONG))), (34, b"\0\x0e\0\0" + b"k" * 256), (40, b"n" * 32), (41, b"\0\0\x40\x04"),
            version=0x20, exchange=34, flags=8, resp=b"\0" * 8)  # fmt: skip
ANSWER2 = ike((33, sa2((1, STRONG))), (41, b"\0\0\0\x0e"), version=0x20, exchange=34, flags=32)
AUTH2 = ike((46, b"sealed" * 9), version=0x20, exchange=35, flags=8, number=1)
