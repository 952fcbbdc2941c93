"""Forged HTTP/2: frames, header blocks without Huffman code."""

import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION = range(10)
END_STREAM, END_HEADERS, PADDED, PRIO = 1, 4, 8, 0x20


def frame(kind, payload=b"", flags=0, stream=0):
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + struct.pack("!I", stream) + payload


def settings(*pairs, flags=0):
    return frame(SETTINGS, b"".join(struct.pack("!HI", *pair) for pair in pairs), flags)


def integer(value, bits, first=0):
    top = (1 << bits) - 1
    if value < top:
        return bytes([first | value])
    out, value = bytearray([first | top]), value - top
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def string(text):
    return integer(len(text), 7) + text


def literal(name, value, indexed=False):
    return bytes([0x40 if indexed else 0]) + string(name) + string(value)


def block(*fields):
    return b"".join(literal(*field) for field in fields)


def headers(*fields, stream=1, flags=END_HEADERS):
    return frame(HEADERS, block(*fields), flags, stream)


def request(path=b"/a?b=1", *more, method=b"GET", stream=1, end=True):
    base = ((b":method", method), (b":path", path), (b":scheme", b"http"), (b":authority", b"Www.Example.org:80"))
    return headers(*base, *more, stream=stream, flags=END_HEADERS | (END_STREAM if end else 0))


def response(*more, status=b"200", stream=1, end=False):
    fields = ((b":status", status), (b"server", b"test"), *more)
    return headers(*fields, stream=stream, flags=END_HEADERS | (END_STREAM if end else 0))


def data(body, stream=1, end=True, pad=None):
    flags = END_STREAM if end else 0
    if pad is not None:
        return frame(DATA, bytes([pad]) + body + bytes(pad), flags | PADDED, stream)
    return frame(DATA, body, flags, stream)


def talk():
    """Return (side, bytes) of a connection with two streams."""
    return [
        (0, PREFACE + settings((3, 100), (1, 4096)) + frame(WINDOW, struct.pack("!I", 32767))),
        (1, settings((4, 65535)) + settings(flags=1)),
        (0, request(b"/a?b=1", (b"user-agent", b"curl/8", True), (b"cookie", b"a=1"), (b"cookie", b"b=2"))),
        (0, request(b"/up", (b"content-type", b"text/plain"), method=b"POST", stream=3, end=False)),
        (0, data(b"posted ", 3, end=False) + data(b"body", 3, pad=5)),
        (1, response(stream=3, end=True)),
        (1, response((b"content-type", b"text/html")) + data(b"<html>", end=False) + data(b"hello</html>")),
        (1, frame(GOAWAY, struct.pack("!II", 3, 11))),
    ]
