"""What rules may test of TLS, and at which stage it is known."""

from __future__ import annotations

from sensor.model.anomaly import AppAnomaly
from sensor.model.app import (
    RAW_DERIVED,
    RAW_DN,
    RAW_VERBATIM,
    TO_CLIENT,
    TO_SERVER,
    BufferSpec,
    NumberSpec,
    ProtocolSpec,
    StageSpec,
)
from sensor.proto.tls.parts import FRAMING
from sensor.proto.tls.state import (
    STAGE_CERTIFICATES,
    STAGE_CLIENT_CERTIFICATES,
    STAGE_CLIENT_HELLO,
    STAGE_ESTABLISHED,
    STAGE_SERVER_HELLO,
    VIEWS,
    TlsParser,
)

_LATEST = 253_402_300_799
"""The end of the year 9999."""
_PER_CERTIFICATE = (
    BufferSpec(
        "tls.certs",
        0,
        RAW_VERBATIM,
        multi=True,
        aliases=("tls_certs",),
        help="each certificate of the chain, DER",
    ),
    BufferSpec("tls.cert_chain_len", 0, RAW_DERIVED, help="number of certificates, four bytes big-endian"),
    BufferSpec("tls.cert_subject", 0, RAW_DN, aliases=("tls_cert_subject", "tls.subject")),
    BufferSpec("tls.cert_issuer", 0, RAW_DN, aliases=("tls_cert_issuer", "tls.issuerdn")),
    BufferSpec("tls.cert_serial", 0, RAW_DERIVED, aliases=("tls_cert_serial",), help="`00:AB:…`"),
    BufferSpec(
        "tls.cert_fingerprint",
        0,
        RAW_DERIVED,
        aliases=("tls_cert_fingerprint", "tls.fingerprint"),
        lowercase=True,
        help="SHA-1",
    ),
    BufferSpec("tls.subjectaltname", 0, RAW_DERIVED, multi=True, aliases=("tls.cert_san",)),
)

_PER_HELLO = (
    BufferSpec("tls.version", 0, RAW_DERIVED, help="`1.2`, `sslv3`, `0x7f1c`"),
    BufferSpec("tls.alpn", 0, RAW_VERBATIM, multi=True),
    BufferSpec("tls.random", 0, RAW_DERIVED, help="32 bytes"),
    BufferSpec("tls.random_time", 0, RAW_DERIVED, help="its first four bytes"),
    BufferSpec("tls.random_bytes", 0, RAW_DERIVED, help="its last 28 bytes"),
)

_ONE_SIDED = (
    BufferSpec("tls.sni", STAGE_CLIENT_HELLO, RAW_VERBATIM, aliases=("tls_sni",)),
    BufferSpec("ja3.hash", STAGE_CLIENT_HELLO, RAW_DERIVED, aliases=("ja3_hash",), lowercase=True),
    BufferSpec("ja3.string", STAGE_CLIENT_HELLO, RAW_DERIVED, aliases=("ja3_string",)),
    BufferSpec("ja4.hash", STAGE_CLIENT_HELLO, RAW_DERIVED, aliases=("ja4_hash",), lowercase=True),
    BufferSpec("ja3s.hash", STAGE_SERVER_HELLO, RAW_DERIVED, lowercase=True),
    BufferSpec("ja3s.string", STAGE_SERVER_HELLO, RAW_DERIVED),
)


_VIEWS = (
    BufferSpec("tls.state", 0, RAW_DERIVED, help="where packets of this side have found the handshake, one behind the "
               "other: `client_hello`, `server_hello`, `server_keyx`, `client_keyx`, `none`"),
    *(BufferSpec(f"frame.tls.{name}", 0, RAW_VERBATIM, help=text) for name, text in (
        ("pdu", "each record, header included"),
        ("hdr", "its header"),
        ("data", "what follows the header"),
        ("alert", "that of alerts"),
        ("heartbeat", "that of heartbeats"),
        ("ssl2.pdu", "an SSLv2 hello, header included"),
        ("ssl2.hdr", "its header and the type of the message"),
    )),
)  # fmt: skip

_NUMBERS = (
    NumberSpec("tls.cert_notbefore", STAGE_CERTIFICATES, "when the server's certificate begins to hold, seconds since "
               "1970", _LATEST),
    NumberSpec("tls.cert_notafter", STAGE_CERTIFICATES, "when it ends to hold, likewise", _LATEST),
    NumberSpec("tls.cert_expired", STAGE_CERTIFICATES, "1: that is over at the time of the packet", 1),
    NumberSpec("tls.cert_valid", STAGE_CERTIFICATES, "1: the packet's time is between the two", 1),
)  # fmt: skip


def _twins(specs: tuple[BufferSpec, ...], to_server: int, to_client: int) -> tuple[BufferSpec, ...]:
    """Return each buffer for both sides: its plain name is the client's, `name@to_client` the server's."""
    client = tuple(BufferSpec(s.name, to_server, s.raw, s.multi, s.aliases, s.lowercase, s.help) for s in specs)
    server = tuple(BufferSpec(f"{s.name}@to_client", to_client, s.raw, s.multi, (), s.lowercase, s.help) for s in specs)
    return client + server


SPEC = ProtocolSpec(
    name="tls",
    transports=(6,),
    ports=(443, 465, 563, 636, 853, 989, 990, 992, 993, 994, 995, 3269, 5061, 8443),
    stages=(
        StageSpec("client_hello", TO_SERVER),
        StageSpec("server_hello", TO_CLIENT),
        StageSpec("certificates", TO_CLIENT),
        StageSpec("client_certificates", TO_SERVER),
        StageSpec("established", TO_CLIENT),
        StageSpec("view", TO_SERVER),
        StageSpec("server_view", TO_CLIENT),
    ),
    buffers=(
        *_ONE_SIDED,
        *_twins(_PER_HELLO, STAGE_CLIENT_HELLO, STAGE_SERVER_HELLO),
        *_twins(_PER_CERTIFICATE, STAGE_CLIENT_CERTIFICATES, STAGE_CERTIFICATES),
        *_twins(_VIEWS, *VIEWS),
    ),
    numbers=_NUMBERS,
    new_parser=TlsParser,
    carriers=("smtp", "ftp", "pop3", "imap", "pgsql"),
    tunnelled=True,
    switch=(b"starttls", b"auth tls", b"auth ssl", b"stls\r\n", b"\0\0\0\x08\x04\xd2\x16\x2f"),
    events=tuple(one for one in AppAnomaly if one.name.startswith("TLS_")),
    late_events=frozenset({
        AppAnomaly.TLS_DATALEAK_HEARTBEAT_MISMATCH,
        AppAnomaly.TLS_INVALID_HEARTBEAT_MESSAGE,
        AppAnomaly.TLS_INVALID_RECORD_TYPE,
    }),
    log_stages=(STAGE_ESTABLISHED,),
    frame_stages=VIEWS,
    rule_names=("ssl",),
    framing=FRAMING,
)
