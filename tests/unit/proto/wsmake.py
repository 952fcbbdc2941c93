"""Forged WebSocket frames (RFC 6455 section 5.2)."""

import zlib

KEY = b"\x37\xfa\x21\x3d"
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def frame(payload=b"", opcode=TEXT, fin=True, comp=False, key=b"", size=None):
    first = fin << 7 | comp << 6 | opcode
    size = len(payload) if size is None else size
    wide = b"" if size < 126 else size.to_bytes(2 if size < 65536 else 8, "big")
    second = (bool(key) << 7) | (size if size < 126 else 126 if size < 65536 else 127)
    masked = bytes(c ^ key[i % 4] for i, c in enumerate(payload)) if key else payload
    return bytes([first, second]) + wide + key + masked


class Compressor:
    """RFC 7692: one window for all messages of a side."""

    def __init__(self):
        self._engine = zlib.compressobj(wbits=-15)

    def __call__(self, data):
        return (self._engine.compress(data) + self._engine.flush(zlib.Z_SYNC_FLUSH)).removesuffix(b"\0\0\xff\xff")


def talk():
    squeeze = Compressor()
    return [
        (0, frame(b"hello", key=KEY) + frame(b"frag", fin=False, key=KEY)),
        (0, frame(b"ping", PING, key=KEY) + frame(b"mented", 0, key=KEY)),
        (1, frame(squeeze(b"compressed, compressed"), comp=True) + frame(squeeze(b"compressed again"), comp=True)),
        (1, frame(bytes(300), BINARY) + frame(b"\x03\xe8", CLOSE)),
    ]
