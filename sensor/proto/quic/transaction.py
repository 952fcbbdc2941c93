"""One QUIC packet of the handshake, with the hello that it completes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from sensor.proto.quic import extensions
from sensor.proto.quic.google import Hello
from sensor.proto.text import text
from sensor.proto.tls import fingerprint
from sensor.proto.tls.parse import ClientHello, ServerHello

_VERSION2 = 0x6B3343CF
"""RFC 9369 section 3.1."""


class QuicTransaction:
    """One packet."""

    __slots__ = ("client", "google", "id", "server", "version")

    def __init__(self, number: int, version: int) -> None:
        self.id = number
        self.version = version
        self.client: ClientHello | None = None
        self.server: ServerHello | None = None
        self.google: Hello | None = None

    def buffer(self, name: str) -> Sequence[bytes]:
        """Return the one instance of a buffer."""
        read = _BUFFERS.get(name)
        value = read(self) if read else b""
        return (value,) if value else ()

    def eve(self) -> dict[str, Any]:
        """Return the EVE object (Suricata's names)."""
        found: dict[str, Any] = {"version": version_word(self.version)}
        for name in ("sni", "ua"):
            for value in self.buffer(f"quic.{name}"):
                found[name] = text(value)
        if self.google is not None:
            found["cyu"] = [{key: text(self.buffer(f"quic.cyu.{key}")[0]) for key in ("hash", "string")}]
        for name in ("ja3", "ja3s"):
            for value in self.buffer(f"{name}.hash"):
                found[name] = {"hash": text(value), "string": text(self.buffer(f"{name}.string")[0])}
        for value in self.buffer("ja4.hash"):
            found["ja4"] = text(value)
        hello = self.client or self.server
        if hello is not None:
            found["extensions"] = [extensions.shown(kind, hello) for kind in hello.extensions]
        return found


def version_word(version: int) -> str:
    """Return `Q046` and its like, other versions in hex digits."""
    if version == _VERSION2:
        return "v2"
    raw = version.to_bytes(4, "big")
    return raw.decode() if raw[:1] in (b"Q", b"T") and raw[1:].isdigit() else f"{version:x}"


def _sni(tx: QuicTransaction) -> bytes:
    if tx.client is not None:
        return tx.client.sni
    return tx.google.value(b"SNI") if tx.google else b""


def _cyu(tx: QuicTransaction) -> bytes:
    """Return the fingerprint of a CHLO: version and tags, in order (Yu, Salesforce, 2020)."""
    if tx.google is None:
        return b""
    word = str(int(version_word(tx.version)[1:])).encode()
    return word + b"," + b"-".join(name for name, _ in tx.google.tags)


def _hashed(read: Callable[[QuicTransaction], bytes]) -> Callable[[QuicTransaction], bytes]:
    return lambda tx: fingerprint.md5(text(found)).encode() if (found := read(tx)) else b""


def _ja3(tx: QuicTransaction) -> bytes:
    return fingerprint.ja3(tx.client).encode() if tx.client else b""


def _ja3s(tx: QuicTransaction) -> bytes:
    return fingerprint.ja3s(tx.server).encode() if tx.server else b""


_BUFFERS: Mapping[str, Callable[[QuicTransaction], bytes]] = MappingProxyType(
    {
        "quic.version": lambda tx: tx.version.to_bytes(4, "big"),
        "quic.sni": _sni,
        "quic.ua": lambda tx: tx.google.value(b"UAID") if tx.google else b"",
        "quic.cyu.string": _cyu,
        "quic.cyu.hash": _hashed(_cyu),
        "ja3.string": _ja3,
        "ja3.hash": _hashed(_ja3),
        "ja3s.string": _ja3s,
        "ja3s.hash": _hashed(_ja3s),
        "ja4.hash": lambda tx: fingerprint.ja4(tx.client, "q").encode() if tx.client else b"",
    }
)
