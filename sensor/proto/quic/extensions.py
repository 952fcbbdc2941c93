"""Extensions of the TLS messages that QUIC carries, as EVE lists them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from sensor.proto.text import text
from sensor.proto.tls.parse import ClientHello, ServerHello

_SERVER_NAME, _SIGNATURES, _ALPN, _VERSIONS = 0, 13, 16, 43

_NAMES: Mapping[int, str] = MappingProxyType(
    {
        0: "server_name", 1: "max_fragment_length", 2: "client_certificate_url", 3: "trusted_ca_keys",
        4: "truncated_hmac", 5: "status_request", 6: "user_mapping", 7: "client_authz", 8: "server_authz",
        9: "cert_type", 10: "supported_groups", 11: "ec_point_formats", 12: "srp", 13: "signature_algorithms",
        14: "use_srtp", 15: "heartbeat", 16: "alpn", 17: "status_request_v2", 18: "signed_certificate_timestamp",
        19: "client_certificate_type", 20: "server_certificate_type", 21: "padding", 22: "encrypt_then_mac",
        23: "extended_master_secret", 24: "token_binding", 25: "cached_info", 26: "tls_lts",
        27: "compress_certificate", 28: "record_size_limit", 29: "pwd_protect", 30: "pwd_clear",
        31: "password_salt", 32: "ticket_pinning", 33: "tls_cert_with_extern_psk", 34: "delegated_credential",
        35: "session_ticket", 36: "TLMSP", 37: "TLMSP_proxying", 38: "TLMSP_delegate",
        39: "supported_ekt_ciphers", 41: "pre_shared_key", 42: "early_data", 43: "supported_versions",
        44: "cookie", 45: "psk_key_exchange_modes", 47: "certificate_authorities", 48: "oid_filters",
        49: "post_handshake_auth", 50: "signature_algorithms_cert", 51: "key_share", 52: "transparency_info",
        54: "connection_id", 55: "external_id_hash", 56: "external_session_id", 57: "quic_transport_parameters",
        58: "ticket_request", 59: "dnssec_chain", 65281: "renegotiation_info",
    }
)  # fmt: skip
"""https://www.iana.org/assignments/tls-extensiontype-values"""

_VERSION_WORDS: Mapping[int, str] = MappingProxyType(
    {0x0300: "Ssl30", 0x0301: "Tls10", 0x0302: "Tls11", 0x0303: "Tls12", 0x0304: "Tls13"}
)


def shown(kind: int, hello: ClientHello | ServerHello) -> dict[str, Any]:
    """Return an extension: its name, where it has one, its number, and what it lists."""
    found: dict[str, Any] = {"name": _NAMES[kind]} if kind in _NAMES else {}
    found["type"] = kind
    values = _values(kind, hello)
    return found | {"values": values} if values else found


def _values(kind: int, hello: ClientHello | ServerHello) -> list[str]:
    if kind == _ALPN:
        return [text(name) for name in hello.alpn]
    if kind == _VERSIONS:
        listed = hello.versions if isinstance(hello, ClientHello) else (hello.selected_version,)
        return [_VERSION_WORDS.get(version, str(version)) for version in listed]
    if not isinstance(hello, ClientHello):
        return []
    if kind == _SERVER_NAME:
        return [text(hello.sni)] if hello.sni else []
    return [str(scheme) for scheme in hello.signatures] if kind == _SIGNATURES else []
