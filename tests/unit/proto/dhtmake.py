"""Forged messages of BitTorrent's hash table (BEP 5)."""

ME, HASH = b"abcdefghij0123456789", b"mnopqrstuvwxyz123456"


def encode(value):
    if isinstance(value, int):
        return b"i%de" % value
    if isinstance(value, bytes):
        return b"%d:%s" % (len(value), value)
    if isinstance(value, list):
        return b"l" + b"".join(map(encode, value)) + b"e"
    return b"d" + b"".join(encode(key) + encode(value[key]) for key in sorted(value)) + b"e"


PING = encode({b"a": {b"id": ME}, b"q": b"ping", b"t": b"aa", b"v": b"UT01", b"y": b"q"})
ASKED = {b"id": ME, b"info_hash": HASH, b"port": 6881, b"implied_port": 1, b"token": b"tok"}
GET_PEERS = encode({b"a": ASKED, b"q": b"get_peers", b"t": b"ab", b"y": b"q"})
NODE = HASH + b"\x0a\0\0\2\x1a\xe1"
NODE6 = HASH + bytes(15) + b"\1\x1a\xe1"
NODES = encode({b"r": {b"id": ME, b"nodes": NODE * 2, b"nodes6": NODE6}, b"t": b"ab", b"y": b"r"})
VALUES = encode({b"r": {b"id": ME, b"token": b"tok", b"values": [b"\x0a\0\0\3\0\x50"]}, b"t": b"ac", b"y": b"r"})
ERROR = encode({b"e": [201, b"A Generic Error Ocurred"], b"t": b"aa", b"y": b"e"})
