"""Keywords that name a buffer: sticky ones before the tests, modifiers behind a content, and older forms."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING

from sensor.proto.tls.eve import version_short
from sensor.rules import buffers, fields
from sensor.rules.nodes import ByteTest, Content, HeaderTest, Regex, Transform
from sensor.rules.suricata import content
from sensor.rules.suricata.draft import DEFAULT
from sensor.rules.suricata.numbers import Comparison, comparison
from sensor.rules.suricata.refusal import Refused
from sensor.rules.suricata.tlswords import one_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sensor.rules.suricata.draft import Draft

MODIFIERS: Mapping[str, str] = MappingProxyType(
    {
        "http_client_body": "http.request_body",
        "http_cookie": "http.cookie",
        "http_header": "http.header",
        "http_host": "http.host",
        "http_method": "http.method",
        "http_raw_header": "http.header.raw",
        "http_raw_host": "http.host.raw",
        "http_raw_uri": "http.uri.raw",
        "http_server_body": "file.data",
        "http_stat_code": "http.stat_code",
        "http_stat_msg": "http.stat_msg",
        "http_uri": "http.uri",
        "http_user_agent": "http.user_agent",
    }
)
"""Written behind a content: it is about that buffer."""

WITH_TEXT: Mapping[str, str] = MappingProxyType(
    {
        "tls.subject": "tls.cert_subject",
        "tls.issuerdn": "tls.cert_issuer",
        "tls.fingerprint": "tls.cert_fingerprint",
    }
)
"""Written with the literal they look for."""

FOUR_BYTES: Mapping[str, str] = MappingProxyType(
    {
        "tls.cert_chain_len": "tls.cert_chain_len@to_client",
        **{name: name for name in ("dhcp.leasetime", "dhcp.renewal_time", "dhcp.rebinding_time")},
    }
)
"""Keywords whose values are compared as numbers → the buffers that hold them in four bytes."""

IN_DIGITS: Mapping[str, int] = MappingProxyType({"dns.opcode": 15})
"""Compared as numbers, which the buffers hold as text; their largest value."""

_SETTING = re.compile(r"SETTINGS_?([A-Z_]{1,40}?)\s*((?:[<>=!]|\d).{0,40})?", re.IGNORECASE)
HEADERS = ("ip.src", "ip.dst", "tcp.hdr", "udp.hdr", "ipv4.hdr", "ipv6.hdr", "icmpv4.hdr", "icmpv6.hdr",
           "ether.hdr")  # fmt: skip

TRANSFORMS = (
    "to_lowercase", "to_uppercase", "strip_whitespace", "compress_whitespace", "to_md5", "to_sha1", "to_sha256",
    "dotprefix", "url_decode", "header_lowercase", "strip_pseudo_headers",
)  # fmt: skip


def sticky(name: str) -> Callable[[Draft, str], None] | None:
    """Return the handler of a buffer's name; None: it names none."""
    found = None if "@" in name else buffers.find(name)
    buffer = found[1].name if found else name
    if found is None and name not in HEADERS:
        return None

    def handle(draft: Draft, value: str) -> None:
        if value:
            raise Refused("takes no value")
        draft.select(buffer)

    return handle


def pkt_data(draft: Draft, value: str) -> None:
    """`pkt_data`: back to the payload."""
    if value:
        raise Refused("takes no value")
    draft.select(DEFAULT)


def modifier(name: str) -> Callable[[Draft, str], None]:
    """Return the handler of `http_uri` and its like."""
    buffer = MODIFIERS[name]

    def handle(draft: Draft, value: str) -> None:
        if value:
            raise Refused("takes no value")
        draft.move(buffer)

    return handle


def with_text(name: str) -> Callable[[Draft, str], None]:
    """Return the handler of `tls.subject:"…"` and its like."""
    buffer = WITH_TEXT[name]
    select = sticky(name)

    def handle(draft: Draft, value: str) -> None:
        if not value and select is not None:
            select(draft, value)
        else:
            draft.add_aside(buffer, content.pattern(value))

    return handle


def tls_version(draft: Draft, value: str) -> None:
    """`tls.version:1.2`."""
    word = value.strip('" ')
    if re.fullmatch(r"0x[0-9A-Fa-f]{1,4}", word):
        word = version_short(int(word, 16))
    elif word not in ("1.0", "1.1", "1.2", "1.3"):
        raise Refused(f"unknown version '{word[:20]}'", "1.0, 1.1, 1.2, 1.3, 0x7f1c")
    elif word == "1.3":  # and its drafts
        draft.add_aside("tls.version", one_of([word]))
        return
    draft.add_aside("tls.version", Content(word.encode(), startswith=True, endswith=True))


def ssh_version(draft: Draft, value: str) -> None:
    """`ssh.protoversion:2.0`, `ssh.protoversion:2_compat` (2, or 1.99, which offers it)."""
    word = value.strip('"')
    if word == "2_compat":
        draft.add_aside("ssh.proto", Regex(r"^(?:2|1\.99)", "E"))
    elif re.fullmatch(r"[0-9]{1,3}(?:\.[0-9]{1,3})?", word):
        draft.add_aside("ssh.proto", Content(word.encode(), startswith=True, endswith=True))
    else:
        raise Refused(f"unknown version '{word[:20]}'", "2.0, 1.99, 2_compat")


def ssh_software(draft: Draft, value: str) -> None:
    """`ssh.softwareversion:"PuTTY-Release-0.55"`: all of it, as it is written."""
    word = value.strip('" ')
    if not word or word.startswith("!"):
        raise Refused("a version is missing")
    draft.add_aside("ssh.software", Content(word.encode(), startswith=True, endswith=True))


def ftp_bounce(draft: Draft, value: str) -> None:
    """`ftpbounce`: the client has the server connect to somebody else."""
    if value:
        raise Refused("takes no value")
    draft.conditions.append(HeaderTest("ftp.bounce", "=", 1))


def http2_settings(draft: Draft, value: str) -> None:
    """`http2.settings:SETTINGS_HEADER_TABLE_SIZE>1000`, or the name alone."""
    words = _SETTING.fullmatch(value.strip('" '))
    name = f"http2.settings.{words[1].lower()}" if words else ""
    field = fields.BY_NAME.get(name)
    if words is None or field is None:
        raise Refused(f"unknown setting '{value[:40]}'", "SETTINGS_MAX_FRAME_SIZE>16384")
    found = comparison(words[2], field.high) if words[2] else Comparison(">=", 0)
    draft.conditions.append(HeaderTest(name, found.op, found.low, found.high))


def four_bytes(name: str) -> Callable[[Draft, str], None]:
    """Return the handler of a comparison with a number in four bytes."""

    def handle(draft: Draft, value: str) -> None:
        found = comparison(value, 0xFFFFFFFF)
        if found.op == "<>":
            draft.add_aside(name, ByteTest(4, ">", found.low))
            draft.add_aside(name, ByteTest(4, "<", found.high))
        else:
            draft.add_aside(name, ByteTest(4, found.op, found.low))

    return handle


def in_digits(name: str) -> Callable[[Draft, str], None]:
    """Return the handler of a comparison with a small number in text: one regex lists what fits."""
    top = IN_DIGITS[name]

    def handle(draft: Draft, value: str) -> None:
        op, low, high = comparison(value, 0xFFFF)
        fits = {
            "=": lambda n: n == low, "!=": lambda n: n != low, "<": lambda n: n < low, "<=": lambda n: n <= low,
            ">": lambda n: n > low, ">=": lambda n: n >= low, "<>": lambda n: low < n < high,
        }  # fmt: skip
        words = [str(n) for n in range(top + 1) if fits[op](n)]
        if not words:
            raise Refused("no value fits")
        draft.add_aside(name, Regex(f"^(?:{'|'.join(words)})$", "E"))

    return handle


def transform(name: str) -> Callable[[Draft, str], None]:
    """Return the handler of a transform without an argument."""

    def handle(draft: Draft, value: str) -> None:
        if value:
            raise Refused("takes no value")
        draft.transform(Transform(name))

    return handle


def xor(draft: Draft, value: str) -> None:
    """`xor:"0d0ac8ff"`."""
    key = value.strip('" ')
    if not key or len(key) % 2:
        raise Refused(f"'{key[:20]}' is no key of whole bytes in hex")
    try:
        bytes.fromhex(key)
    except ValueError:
        raise Refused(f"'{key[:20]}' is no key in hex") from None
    draft.transform(Transform("xor", key))


def pcrexform(draft: Draft, value: str) -> None:
    """`pcrexform:"regex with a group"`."""
    text, negated = content.quoted(value)
    if negated or not text:
        raise Refused("a regex in quotes is missing")
    draft.transform(Transform("pcrexform", text))

