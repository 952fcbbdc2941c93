"""TLS hellos and certificate lists: bytes to records (RFC 8446, 5246, 6066, 7301; SSLv2: RFC 5246 E.2)."""

from __future__ import annotations

import struct

import msgspec

from sensor.model.anomaly import AppAnomaly
from sensor.proto.reader import Reader, WireError

EXT_SERVER_NAME = 0
EXT_SUPPORTED_GROUPS = 10
EXT_EC_POINT_FORMATS = 11
EXT_SIGNATURE_ALGORITHMS = 13
EXT_ALPN = 16
EXT_SUPPORTED_VERSIONS = 43
"""https://www.iana.org/assignments/tls-extensiontype-values"""

SSL2, SSL3, TLS10, TLS11, TLS12, TLS13 = 0x0002, 0x0300, 0x0301, 0x0302, 0x0303, 0x0304
_DRAFTS = frozenset({0x7F01, *range(0x7F10, 0x7F1D), 0xFB17, 0xFB1A})
KNOWN_VERSIONS = frozenset({SSL2, SSL3, TLS10, TLS11, TLS12, TLS13}) | _DRAFTS
"""Those of TLS 1.3 with its drafts and experiments, as Suricata knows them."""

MAX_EXTENSIONS = 256
"""Extensions read from one hello; browsers send about 20, the registry knows about 60."""
_LONGEST_NAME = 255
"""Bytes of a host name (RFC 1035 section 2.3.4)."""
MAX_ALPN = 64
"""Application protocols kept of one hello."""
_LIST_SIZE = 3
"""Bytes of the size of a list of certificates."""
MAX_CERTIFICATES = 32
"""Certificates kept of one chain; OpenSSL verifies at most 100, real chains have 1 to 5."""


class ClientHello(msgspec.Struct, gc=False):
    """What a client offers. Lists are in wire order, GREASE included."""

    version: int = 0
    """`legacy_version`."""
    random: bytes = b""
    session_id: bytes = b""
    ciphers: tuple[int, ...] = ()
    extensions: tuple[int, ...] = ()
    """Types, in order."""
    groups: tuple[int, ...] = ()
    formats: bytes = b""
    signatures: tuple[int, ...] = ()
    versions: tuple[int, ...] = ()
    sni: bytes = b""
    alpn: tuple[bytes, ...] = ()
    ssl2: bool = False
    """It came in an SSLv2 record."""
    malformed: bool = False
    """The message ended or lied before its end; what came before that is here."""
    odd: tuple[AppAnomaly, ...] = ()
    """What is odd about its server name."""


class ServerHello(msgspec.Struct, gc=False):
    """What a server chose."""

    version: int = 0
    """`legacy_version`."""
    random: bytes = b""
    session_id: bytes = b""
    cipher: int = 0
    extensions: tuple[int, ...] = ()
    selected_version: int = 0
    """Of the supported_versions extension, 0: none."""
    alpn: tuple[bytes, ...] = ()
    malformed: bool = False


def is_grease(value: int) -> bool:
    """Tell the reserved values of RFC 8701: both bytes equal, low nibbles A."""
    return value & 0x0F0F == 0x0A0A and value >> 8 == value & 0xFF


def negotiated(hello: ServerHello) -> int:
    """Return the protocol version that the server chose."""
    return hello.selected_version or hello.version


def offered(hello: ClientHello) -> int:
    """Return the version that the client prefers: its first known supported one, or the legacy one."""
    return next((v for v in hello.versions if v in KNOWN_VERSIONS), hello.version)


def is_tls13(version: int) -> bool:
    """Tell TLS 1.3, its drafts (0x7fNN) and the experiments of 2017 (0xfbNN) from what came before."""
    return version == TLS13 or version >> 8 in {0x7F, 0xFB}


def client_hello(body: bytes) -> ClientHello:
    """Parse the body of a ClientHello (RFC 8446 section 4.1.2)."""
    hello = ClientHello()
    reader = Reader(body)
    try:
        hello.version = reader.u16()
        hello.random = reader.take(32)
        hello.session_id = reader.take(reader.u8())
        ciphers = reader.restrict(reader.u16())
        hello.malformed = ciphers.left() % 2 > 0
        hello.ciphers = _words(ciphers)
        reader.skip(reader.u8())
        _client_extensions(reader, hello)
    except WireError:
        hello.malformed = True
    return hello


def server_hello(body: bytes) -> ServerHello:
    """Parse the body of a ServerHello (RFC 8446 section 4.1.3) or HelloRetryRequest."""
    hello = ServerHello()
    reader = Reader(body)
    try:
        hello.version = reader.u16()
        hello.random = reader.take(32)
        if hello.version >> 8 != 0x7F:  # drafts 18-21 of TLS 1.3 had no session id and no compression
            hello.session_id = reader.take(reader.u8())
        hello.cipher = reader.u16()
        if hello.version >> 8 != 0x7F:
            reader.skip(1)
        _server_extensions(reader, hello)
    except WireError:
        hello.malformed = True
    return hello


def ssl2_client_hello(body: bytes) -> ClientHello:
    """Parse the body of an SSLv2 CLIENT-HELLO, message type included (RFC 5246 appendix E.2).

    Only the cipher specs that TLS knows too (first byte 0) are kept.
    """
    hello = ClientHello(ssl2=True)
    reader = Reader(body, 1)
    try:
        hello.version = reader.u16()
        specs, session, challenge = reader.u16(), reader.u16(), reader.u16()
        raw = reader.take(specs)
        hello.ciphers = tuple(int.from_bytes(raw[i + 1 : i + 3], "big") for i in range(0, specs - 2, 3) if raw[i] == 0)
        hello.session_id = reader.take(session)
        hello.random = reader.take(challenge)[-32:].rjust(32, b"\0")
    except WireError:
        hello.malformed = True
    return hello


def ssl2_server_hello(body: bytes) -> tuple[ServerHello, tuple[bytes, ...]]:
    """Parse the body of an SSLv2 SERVER-HELLO, message type included, and the certificate that it carries."""
    hello = ServerHello()
    reader = Reader(body, 3)
    certificate = b""
    try:
        hello.version = reader.u16()
        cert_size, specs, conn_id = reader.u16(), reader.u16(), reader.u16()
        certificate = reader.take(cert_size)
        reader.skip(specs)
        hello.random = reader.take(conn_id)
    except WireError:
        hello.malformed = True
    return hello, (certificate,) if certificate else ()


def certificates(body: bytes, *, cut: bool = False) -> tuple[tuple[bytes, ...], bool]:
    """Parse the body of a Certificate message up to TLS 1.2 (RFC 5246 section 7.4.2). cut: its end was not kept.

    Returns the DER certificates (at most MAX_CERTIFICATES, the last one is cut where the message is) and whether they
    fill their list. A list that is longer than the message has none, as in Suricata.
    """
    found: list[bytes] = []
    reader = Reader(body)
    try:
        size = reader.u24()
        if size > reader.left() and not cut:
            return (), True
        reader = reader.restrict(min(size, reader.left()))
        while reader.left() and len(found) < MAX_CERTIFICATES:
            size = reader.u24()
            if size > reader.left() and not cut:
                return tuple(found), False
            found.append(reader.take(min(size, reader.left())))
    except WireError:
        return tuple(found), len(body) < _LIST_SIZE
    return tuple(found), True


def _words(reader: Reader) -> tuple[int, ...]:
    count = reader.left() // 2
    return struct.unpack(f"!{count}H", reader.take(2 * count))


def _names(reader: Reader) -> tuple[bytes, ...]:
    """Read a ProtocolNameList (RFC 7301 section 3.1)."""
    found: list[bytes] = []
    names = reader.restrict(reader.u16())
    while names.left() and len(found) < MAX_ALPN:
        found.append(names.take(names.u8()))
    return tuple(found)


def _extensions(reader: Reader, hello: ClientHello | ServerHello) -> list[tuple[int, Reader]]:
    """Split the extension block; those before one that leaves it count."""
    if not reader.left():
        return []
    block = reader.restrict(reader.u16())
    found: list[tuple[int, Reader]] = []
    try:
        while block.left() and len(found) < MAX_EXTENSIONS:
            found.append((block.u16(), block.restrict(block.u16())))
    except WireError:
        hello.malformed = True
    return found


def _server_name(reader: Reader, hello: ClientHello) -> bytes:
    """Return the first host name of a ServerNameList (RFC 6066 section 3)."""
    reader.skip(2)
    if reader.left() and reader.data[reader.pos]:
        hello.odd += (AppAnomaly.TLS_INVALID_SNI_TYPE,)
    while reader.left() >= 3:
        kind, size = reader.u8(), reader.u16()
        if not 0 < size <= min(reader.left(), _LONGEST_NAME):
            hello.odd += (AppAnomaly.TLS_INVALID_SNI_LENGTH,)
        name = reader.take(min(size, reader.left()))
        if kind == 0:
            return name
    return b""


def _client_extensions(reader: Reader, hello: ClientHello) -> None:
    """Fill in what the extensions say; of a repeated extension the first counts."""
    found = _extensions(reader, hello)
    hello.extensions = tuple(kind for kind, _ in found)
    if hello.extensions.count(EXT_SERVER_NAME) > 1:
        hello.odd += (AppAnomaly.TLS_MULTIPLE_SNI_EXTENSIONS,)
    for kind, body in found:
        try:
            _client_extension(kind, body, hello)
        except WireError:
            hello.malformed = True


def _client_extension(kind: int, body: Reader, hello: ClientHello) -> None:
    if kind == EXT_SERVER_NAME:
        if not hello.sni and body.left():
            hello.sni = _server_name(body, hello)
    elif kind == EXT_SUPPORTED_GROUPS:
        groups = body.restrict(body.u16())
        hello.malformed = hello.malformed or groups.left() % 2 > 0
        hello.groups = hello.groups or _words(groups)
    elif kind == EXT_EC_POINT_FORMATS:
        hello.formats = hello.formats or body.take(body.u8())
    elif kind == EXT_SIGNATURE_ALGORITHMS:
        hello.signatures = hello.signatures or _words(body.restrict(body.u16()))
    elif kind == EXT_ALPN:
        hello.alpn = hello.alpn or _names(body)
    elif kind == EXT_SUPPORTED_VERSIONS:
        hello.versions = hello.versions or _words(body.restrict(body.u8()))


def _server_extensions(reader: Reader, hello: ServerHello) -> None:
    found = _extensions(reader, hello)
    hello.extensions = tuple(kind for kind, _ in found)
    for kind, body in found:
        try:
            if kind == EXT_ALPN:
                hello.alpn = hello.alpn or _names(body)
            elif kind == EXT_SUPPORTED_VERSIONS:
                hello.selected_version = hello.selected_version or body.u16()
        except WireError:
            hello.malformed = True
