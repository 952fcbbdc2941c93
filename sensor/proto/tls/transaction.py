"""The one transaction of a TLS flow: what both hellos and the certificates said."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from sensor.proto.tls import eve, fingerprint, x509
from sensor.proto.tls.parse import ClientHello, ServerHello, negotiated, offered

_NUMBER = 40
"""Bytes that a number takes in a list."""


class TlsTransaction:
    """One TLS handshake. Holds at most two hellos and two certificate lists (64 KiB each)."""

    __slots__ = (
        "_memo", "certs", "certs_at", "client", "client_certs", "client_leaf", "id", "leaf", "named_again",
        "resumed", "server",
    )  # fmt: skip

    def __init__(self) -> None:
        self.id = 0
        self.client: ClientHello | None = None
        self.server: ServerHello | None = None
        self.certs: tuple[bytes, ...] = ()
        """The server's chain, DER."""
        self.certs_at = 0
        """Seconds since 1970 at which the chain was complete."""
        self.leaf: x509.Certificate | None = None
        self.client_certs: tuple[bytes, ...] = ()
        self.client_leaf: x509.Certificate | None = None
        self.named_again = False
        """A further hello in clear with a name would be one too many: Suricata counts them by flow."""
        self.resumed = False
        """The server started encryption without a certificate (RFC 5246 section 7.3, figure 2)."""
        self._memo: dict[str, tuple[bytes, ...]] = {}

    def buffer(self, name: str) -> Sequence[bytes]:
        """Return the instances of a buffer; empty where it is absent."""
        found = self._memo.get(name)
        if found is None:
            read = _BUFFERS.get(name)
            found = read(self) if read else ()
            if found:  # what is absent now may come with a later message
                self._memo[name] = found
        return found

    def held(self) -> int:
        """Bytes of memory that it takes, about."""
        client, server = self.client, self.server
        listed = len(server.extensions) if server is not None else 0
        if client is not None:
            listed += len(client.ciphers) + len(client.extensions) + len(client.groups) + len(client.signatures)
            listed += len(client.versions) + len(client.alpn)
        made = sum(len(one) for found in self._memo.values() for one in found)
        return made + _NUMBER * listed + sum(map(len, self.certs)) + sum(map(len, self.client_certs))

    def numbers(self, name: str) -> Sequence[int]:
        """Return when the server's certificate holds, or what that says at the time it was seen."""
        leaf = self.leaf
        begin, end = (x509.seconds(leaf.not_before), x509.seconds(leaf.not_after)) if leaf else (None, None)
        if name == "tls.cert_notbefore":
            return () if begin is None else (begin,)
        if name == "tls.cert_notafter":
            return () if end is None else (end,)
        if begin is None or end is None:
            return ()
        expired = self.certs_at > end
        return (int(expired if name == "tls.cert_expired" else begin <= self.certs_at and not expired),)

    def eve(self) -> dict[str, Any]:
        """Return the EVE object."""
        fields: dict[str, Any] = eve.certificate(self.leaf) if self.leaf else {}
        if self.resumed:
            fields["session_resumed"] = True
        if self.client:
            fields |= eve.client(self.client)
        fields |= eve.server(self.server)
        for key in ("ja3", "ja3s"):
            if digest := self.buffer(f"{key}.hash"):
                fields[key] = {"hash": digest[0].decode(), "string": self.buffer(f"{key}.string")[0].decode()}
        if ja4 := self.buffer("ja4.hash"):
            fields["ja4"] = ja4[0].decode()
        if self.client_leaf:
            fields["client"] = eve.certificate(self.client_leaf)
        return fields


_Values = tuple[bytes, ...]
_Read = Callable[[TlsTransaction], _Values]


def _text(value: str) -> _Values:
    return (value.encode(),) if value else ()


def _raw(value: bytes) -> _Values:
    return (value,) if value else ()


def _client(read: Callable[[ClientHello], _Values]) -> _Read:
    return lambda tx: read(tx.client) if tx.client else ()


def _tls_client(read: Callable[[ClientHello], _Values]) -> _Read:
    """Read from a hello in TLS form: SSLv2 hellos have no extensions and no fingerprint."""
    return lambda tx: read(tx.client) if tx.client and not tx.client.ssl2 else ()


def _server(read: Callable[[ServerHello], _Values]) -> _Read:
    return lambda tx: read(tx.server) if tx.server else ()


def _leaf(read: Callable[[x509.Certificate], str]) -> _Read:
    return lambda tx: _text(read(tx.leaf)) if tx.leaf else ()


def _client_leaf(read: Callable[[x509.Certificate], str]) -> _Read:
    return lambda tx: _text(read(tx.client_leaf)) if tx.client_leaf else ()


def _sans(leaf: x509.Certificate | None) -> _Values:
    return tuple(name.encode() for name in leaf.sans) if leaf else ()


def _hashed(name: str) -> _Read:
    """Return the MD5 of another buffer."""
    return lambda tx: tuple(fingerprint.md5(value.decode()).encode() for value in tx.buffer(name))


def _count(certs: _Values) -> _Values:
    """Return how many there are: none where a session goes on, and where they are encrypted (TLS 1.3)."""
    return (len(certs).to_bytes(4, "big"),)


_BUFFERS: Mapping[str, _Read] = MappingProxyType(
    {
        "tls.sni": _client(lambda h: _raw(h.sni)),
        "tls.alpn": _client(lambda h: h.alpn),
        "tls.alpn@to_client": _server(lambda h: h.alpn),
        "tls.version": _client(lambda h: _text(eve.version_short(offered(h)))),
        "tls.version@to_client": _server(lambda h: _text(eve.version_short(negotiated(h)))),
        "tls.random": _client(lambda h: _raw(h.random)),
        "tls.random_time": _client(lambda h: _raw(h.random[:4])),
        "tls.random_bytes": _client(lambda h: _raw(h.random[4:])),
        "tls.random@to_client": _server(lambda h: _raw(h.random)),
        "tls.random_time@to_client": _server(lambda h: _raw(h.random[:4])),
        "tls.random_bytes@to_client": _server(lambda h: _raw(h.random[4:])),
        "tls.certs": lambda tx: tx.client_certs,
        "tls.certs@to_client": lambda tx: tx.certs,
        "tls.cert_chain_len": lambda tx: _count(tx.client_certs) if tx.client_certs else (),
        "tls.cert_chain_len@to_client": lambda tx: _count(tx.certs),
        "tls.cert_subject": _client_leaf(lambda c: c.subject),
        "tls.cert_subject@to_client": _leaf(lambda c: c.subject),
        "tls.cert_issuer": _client_leaf(lambda c: c.issuer),
        "tls.cert_issuer@to_client": _leaf(lambda c: c.issuer),
        "tls.cert_serial": _client_leaf(lambda c: c.serial),
        "tls.cert_serial@to_client": _leaf(lambda c: c.serial),
        "tls.cert_fingerprint": _client_leaf(lambda c: c.fingerprint),
        "tls.cert_fingerprint@to_client": _leaf(lambda c: c.fingerprint),
        "tls.subjectaltname": lambda tx: _sans(tx.client_leaf),
        "tls.subjectaltname@to_client": lambda tx: _sans(tx.leaf),
        "ja3.string": _tls_client(lambda h: _text(fingerprint.ja3(h))),
        "ja3.hash": _hashed("ja3.string"),
        "ja3s.string": _server(lambda h: _text(fingerprint.ja3s(h))),
        "ja3s.hash": _hashed("ja3s.string"),
        "ja4.hash": _tls_client(lambda h: _text(fingerprint.ja4(h))),
    }
)
