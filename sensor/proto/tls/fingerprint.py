"""Fingerprints of hellos: JA3 and JA3S (Salesforce, 2017), JA4 of clients (FoxIO, BSD-3 part of JA4+)."""

import hashlib
from collections.abc import Iterable

from sensor.proto.tls.parse import EXT_ALPN, EXT_SERVER_NAME, ClientHello, ServerHello, is_grease

_JA4_VERSIONS = {0x0304: "13", 0x0303: "12", 0x0302: "11", 0x0301: "10", 0x0300: "s3", 0x0002: "s2"}
_NONE = "000000000000"


def md5(text: str) -> str:
    """Return the hash that JA3 and HASSH are published as."""
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def ja3(hello: ClientHello) -> str:
    """Return the JA3 string: version, ciphers, extensions, groups, point formats; no GREASE."""
    return ",".join(
        (
            str(hello.version),
            _dashed(hello.ciphers),
            _dashed(hello.extensions),
            _dashed(hello.groups),
            "-".join(map(str, hello.formats)),
        )
    )


def ja3s(hello: ServerHello) -> str:
    """Return the JA3S string: version, cipher, extensions."""
    return f"{hello.version},{hello.cipher},{_dashed(hello.extensions)}"


def ja4(hello: ClientHello, transport: str = "t") -> str:
    """Return the JA4 of a hello over TCP (`t`) or QUIC (`q`); details: github.com/FoxIO-LLC/ja4, JA4.md."""
    ciphers = [c for c in hello.ciphers if not is_grease(c)]
    extensions = [e for e in hello.extensions if not is_grease(e)]
    versions = [v for v in hello.versions if not is_grease(v)]
    version = _JA4_VERSIONS.get(max(versions, default=hello.version), "00")
    sni = "d" if EXT_SERVER_NAME in extensions else "i"
    head = f"{transport}{version}{sni}{min(len(ciphers), 99):02d}{min(len(extensions), 99):02d}{_ja4_alpn(hello)}"
    hashed = _hex(sorted(e for e in extensions if e not in {EXT_SERVER_NAME, EXT_ALPN}))
    signatures = [s for s in hello.signatures if not is_grease(s)]
    if signatures:
        hashed += "_" + _hex(signatures)
    return f"{head}_{_sha12(_hex(sorted(ciphers)))}_{_sha12(hashed if extensions else '')}"


def _ja4_alpn(hello: ClientHello) -> str:
    """First and last character of the first protocol; of its hex form where these are not alphanumeric."""
    first = hello.alpn[0] if hello.alpn else b""
    if not first:
        return "00"
    ends = first[:1] + first[-1:]
    if ends.isalnum():
        return ends.decode("ascii")
    return f"{first[0]:02x}"[0] + f"{first[-1]:02x}"[1]


def _dashed(values: Iterable[int]) -> str:
    return "-".join(str(v) for v in values if not is_grease(v))


def _hex(values: Iterable[int]) -> str:
    return ",".join(f"{v:04x}" for v in values)


def _sha12(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12] if text else _NONE
