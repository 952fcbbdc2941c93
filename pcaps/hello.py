"""TLS handshakes in clear: hellos with given fingerprints, certificates with given names (RFC 5246, RFC 5280)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from pcaps.talk import Guest, Tcp, Wire

if TYPE_CHECKING:
    from collections.abc import Sequence

MODERN = (4865, 4866, 4867, 49195, 49199, 49196, 49200, 156, 157, 47)
SSL30, TLS10, TLS12 = 0x0300, 0x0301, 0x0303


def record(kind: int, body: bytes, version: int) -> bytes:
    return struct.pack(">BHH", kind, version, len(body)) + body


def handshake(kind: int, body: bytes, version: int) -> bytes:
    return record(22, struct.pack(">B", kind) + len(body).to_bytes(3, "big") + body, version)


def extension(number: int, body: bytes) -> bytes:
    return struct.pack(">HH", number, len(body)) + body


def name(host: str) -> bytes:
    raw = host.encode()
    return extension(0, struct.pack(">HBH", len(raw) + 3, 0, len(raw)) + raw)


def groups(*numbers: int) -> bytes:
    return extension(10, struct.pack(">H", 2 * len(numbers)) + b"".join(struct.pack(">H", n) for n in numbers))


POINT_FORMATS = extension(11, b"\x01\x00")
RENEGOTIATION = extension(0xFF01, b"\x00")


def client_hello(
    random: bytes, *, version: int = TLS12, ciphers: Sequence[int] = MODERN, extensions: bytes = b""
) -> bytes:
    body = struct.pack(">H", version) + random + b"\0" + struct.pack(">H", 2 * len(ciphers))
    body += b"".join(struct.pack(">H", c) for c in ciphers) + b"\x01\x00"
    if extensions:
        body += struct.pack(">H", len(extensions)) + extensions
    return handshake(1, body, min(version, TLS10))


def server_hello(random: bytes, cipher: int, version: int) -> bytes:
    body = struct.pack(">H", version) + random + b"\0" + struct.pack(">HB", cipher, 0)
    if version > SSL30:
        body += struct.pack(">H", len(RENEGOTIATION)) + RENEGOTIATION
    return handshake(2, body, version)


# ---- DER


def der(tag: int, *parts: bytes) -> bytes:
    body = b"".join(parts)
    size = bytes([len(body)]) if len(body) < 128 else b"\x82" + struct.pack(">H", len(body))
    return bytes([tag]) + size + body


_OIDS = {"C": "550406", "O": "55040a", "OU": "55040b", "CN": "550403", "ST": "550408", "L": "550407"}

_TEXT = {"C": 0x13}
"""PrintableString for countries; UTF8String for the rest."""


def _name(parts: Sequence[tuple[str, str]]) -> bytes:
    return der(0x30, *(
        der(0x31, der(0x30, der(6, bytes.fromhex(_OIDS[k])), der(_TEXT.get(k, 0x0C), v.encode()))) for k, v in parts
    ))  # fmt: skip


def certificate(subject: Sequence[tuple[str, str]], serial: int, issuer: Sequence[tuple[str, str]] = ()) -> bytes:
    """A certificate (self-signed unless an issuer is given) with a key and a signature that mean nothing."""
    sha256_rsa = der(0x30, der(6, bytes.fromhex("2a864886f70d01010b")), der(5))
    key = der(0x30, der(0x30, der(6, bytes.fromhex("2a864886f70d010101")), der(5)),
              der(3, b"\0", der(0x30, der(2, b"\0" + b"\xc5" * 64), der(2, b"\x01\0\x01"))))  # fmt: skip
    validity = der(0x30, der(0x17, b"250101000000Z"), der(0x17, b"350101000000Z"))
    number = serial.to_bytes(serial.bit_length() // 8 + 1, "big")
    body = der(0x30, der(0xA0, der(2, b"\x02")), der(2, number), sha256_rsa, _name(issuer or subject), validity,
               _name(subject), key)  # fmt: skip
    return der(0x30, body, sha256_rsa, der(3, b"\0" + b"\x5a" * 64))


def certificates(chain: Sequence[bytes], version: int) -> bytes:
    inner = b"".join(len(c).to_bytes(3, "big") + c for c in chain)
    return handshake(11, len(inner).to_bytes(3, "big") + inner, version)


CORP = (("O", "Corp"), ("CN", "Corp Issuing CA 2"))


def tls(
    wire: Wire,
    client: Guest,
    server: Guest,
    *,
    sni: str = "app-02.corp.example",
    port: int = 443,
    version: int = TLS12,
    cipher: int = 49199,
    subject: Sequence[tuple[str, str]] = (("O", "Corp"), ("CN", "app-02.corp.example")),
    serial: int = 0x3A11C7,
    issuer: Sequence[tuple[str, str]] = CORP,
    hello: bytes = b"",
    records: int = 3,
) -> None:
    """A handshake with a certificate, then encrypted records. hello: the client's first message, if not the usual."""
    rng = wire.rng
    usual = (name(sni) if sni else b"") + groups(29, 23, 24) + POINT_FORMATS + RENEGOTIATION
    tcp = Tcp(wire, client, server, port).open()
    tcp.client(hello or client_hello(rng.randbytes(32), version=version, extensions=usual))
    tcp.server(
        server_hello(rng.randbytes(32), cipher, version)
        + certificates([certificate(subject, serial, issuer)], version)
        + handshake(14, b"", version)
    )
    secrets = handshake(16, b"\x00\x40" + rng.randbytes(64), version) + record(20, b"\x01", version)
    tcp.client(secrets + record(22, rng.randbytes(40), version))
    tcp.server(record(20, b"\x01", version) + record(22, rng.randbytes(40), version))
    for _ in range(records):
        tcp.client(record(23, rng.randbytes(120), version)).server(record(23, rng.randbytes(600), version))
    tcp.close()
