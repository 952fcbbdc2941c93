"""QUIC packets for tests, sealed with an AES-GCM of their own."""

import struct

import handshakes as tls
import numpy as np

from sensor.proto.quic import kernels_aes, keys

TO_SERVER, TO_CLIENT = 0, 1
V1, V2 = 1, 0x6B3343CF
DCID, SCID = b"\x83\x94\xc8\xf0\x3e\x51\x57\x08", b"\xf0\x67"


def aes(key, block):
    out = np.empty(16, np.uint8)
    kernels_aes.block(np.frombuffer(key, np.uint8), np.frombuffer(block, np.uint8), out)
    return out.tobytes()


def times(left, right):
    """Multiply in GF(2^128), first bit highest (SP 800-38D section 6.3)."""
    product = 0
    for i in range(128):
        if left >> (127 - i) & 1:
            product ^= right
        right = right >> 1 ^ (0xE1 << 120 if right & 1 else 0)
    return product


def gcm(key, nonce, aad, plain):
    """Return ciphertext and tag."""
    padded = -(-len(plain) // 16)
    stream = b"".join(aes(key, nonce + struct.pack("!I", n + 2)) for n in range(padded))
    sealed = bytes(a ^ b for a, b in zip(plain, stream, strict=False))
    hash_key, total = int.from_bytes(aes(key, bytes(16)), "big"), 0
    lengths = struct.pack("!QQ", 8 * len(aad), 8 * len(sealed))
    blocks = aad + bytes(-len(aad) % 16) + sealed + bytes(-len(sealed) % 16) + lengths
    for at in range(0, len(blocks), 16):
        total = times(total ^ int.from_bytes(blocks[at : at + 16], "big"), hash_key)
    mask = int.from_bytes(aes(key, nonce + b"\0\0\0\1"), "big")
    return sealed + (total ^ mask).to_bytes(16, "big")


def varint(value):
    return struct.pack("!H", value | 0x4000) if value < 0x4000 else struct.pack("!I", value | 0x80000000)


def crypto(data, offset=0):
    return b"\6" + varint(offset) + varint(len(data)) + data


def ack():
    return b"\2" + varint(3) + varint(9) + varint(1) + varint(0) + varint(0) + varint(0)


def long_header(kind, version, dcid, scid, token=None):
    shift = kind + 1 & 3 if version in keys.SECOND else kind
    head = bytes([0xC1 | shift << 4]) + struct.pack("!I", version)
    head += bytes([len(dcid)]) + dcid + bytes([len(scid)]) + scid
    return head if token is None else head + varint(len(token)) + token


def initial(frames, side=TO_SERVER, version=V1, dcid=DCID, scid=SCID, number=2, chosen=DCID, token=b""):
    """Return a sealed Initial packet. chosen: the connection id that the keys are made of."""
    own = keys.initial(version, chosen)[side]
    head = long_header(0, version, dcid, scid, token) + varint(2 + len(frames) + 16)
    at = len(head)
    head += struct.pack("!H", number)
    nonce = bytes(a ^ b for a, b in zip(own.iv, number.to_bytes(12, "big"), strict=True))
    sealed = gcm(own.key, nonce, head, frames)
    packet = bytearray(head + sealed)
    mask = aes(own.mask, bytes(packet[at + 4 : at + 20]))
    packet[0] ^= mask[0] & 0x0F
    packet[at] ^= mask[1]
    packet[at + 1] ^= mask[2]
    return bytes(packet)


HELLO = tls.client_hello(
    ciphers=(0x1301, 0x1302),
    extensions=tls.sni(b"www.example.org") + tls.alpn(b"h3") + tls.versions(0x0304) + tls.signatures(0x0403),
)
SERVER_HELLO = tls.server_hello(0x1301, tls.extension(43, b"\3\4"))


def chlo(*tags):
    values, end, table = b"", 0, b""
    for name, value in tags:
        end += len(value)
        table += name.ljust(4, b"\0") + struct.pack("<I", end)
        values += value
    return b"CHLO" + struct.pack("<HH", len(tags), 0) + table + values


CHLO = chlo((b"PAD", b"-" * 30), (b"SNI", b"g.example.org"), (b"VER", b"Q043"), (b"UAID", b"Chrome/77 Windows"))


def google43(data=CHLO):
    """Return a packet of Q043: flags, connection id, version, number, hash, a STREAM frame."""
    return b"\x09" + b"connecti" + b"Q043" + b"\1" + b"h" * 12 + b"\xa0\1" + struct.pack("!H", len(data)) + data


def google46(data=CHLO):
    return b"\xc3Q046\x50" + b"connecti" + b"\0\0\0\1" + b"h" * 12 + b"\xa0\1" + struct.pack("!H", len(data)) + data
