"""The `tls` object of EVE (Suricata's names)."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from sensor.proto.text import text
from sensor.proto.tls.parse import (
    SSL2,
    SSL3,
    TLS10,
    TLS11,
    TLS12,
    TLS13,
    ClientHello,
    ServerHello,
    negotiated,
)
from sensor.proto.tls.x509 import Certificate

_VERSIONS: Mapping[int, str] = MappingProxyType(
    {SSL2: "SSLv2", SSL3: "SSLv3", TLS10: "TLSv1", TLS11: "TLS 1.1", TLS12: "TLS 1.2", TLS13: "TLS 1.3"}
)
_SHORT: Mapping[int, str] = MappingProxyType(
    {SSL2: "sslv2", SSL3: "sslv3", TLS10: "1.0", TLS11: "1.1", TLS12: "1.2", TLS13: "1.3"}
)


def version_text(version: int) -> str:
    """Return EVE's word for a protocol version; `UNDETERMINED` for 0."""
    if not version:
        return "UNDETERMINED"
    if version >> 8 == 0x7F:
        return f"TLS 1.3 draft-{version & 0xFF:02d}"
    return _VERSIONS.get(version) or f"0x{version:04x}"


def version_short(version: int) -> str:
    """Return what the buffer `tls.version` holds: `1.2`, `sslv3`, or `0x7f1c` for what has no number."""
    return _SHORT.get(version) or f"0x{version:04x}"


def certificate(cert: Certificate) -> dict[str, Any]:
    """Return the fields of a certificate that are present."""
    fields = {
        "subject": cert.subject,
        "issuerdn": cert.issuer,
        "serial": cert.serial,
        "fingerprint": cert.fingerprint,
        "notbefore": cert.not_before,
        "notafter": cert.not_after,
        "subjectaltname": list(cert.sans),
    }
    return {name: value for name, value in fields.items() if value}


def client(hello: ClientHello) -> dict[str, Any]:
    """Return what the client's hello adds, fingerprints aside."""
    fields: dict[str, Any] = {}
    if hello.sni:
        fields["sni"] = text(hello.sni)
    if hello.alpn:
        fields["client_alpns"] = [text(name) for name in hello.alpn]
    return fields


def server(hello: ServerHello | None) -> dict[str, Any]:
    """Return what the server's hello adds, fingerprints aside."""
    if hello is None:
        return {"version": version_text(0)}
    fields: dict[str, Any] = {"version": version_text(negotiated(hello))}
    if hello.alpn:
        fields["server_alpns"] = [text(name) for name in hello.alpn]
    return fields
