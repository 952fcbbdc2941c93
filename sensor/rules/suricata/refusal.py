"""What cannot be expressed: the rule is refused with the keyword and the reason, never weakened."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING

from sensor.proto.registry import BY_WORD

if TYPE_CHECKING:
    from collections.abc import Mapping


class Refused(Exception):  # noqa: N818 - caught where a problem is made of it
    """The rule cannot be taken over; the text says why."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


_CODE = "rules cannot run code"

_REASONS: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("lua", "luajit", "luaxform"), _CODE),
        "config": "rules do not configure the sensor",
    }
)

_PROTOCOLS = (
    "bittorrent", "dcerpc", "dnp3", "enip", "ftp", "ftpdata", "http2", "ike", "imap", "krb5",
    "mqtt", "nfs", "ntp", "pgsql", "pop3", "quic", "rfb", "sdp", "sip", "smb", "smtp", "snmp", "telnet",
    "template", "tftp", "websocket",
)  # fmt: skip
"""Protocols that Suricata parses: keywords and events begin with their names. Those of `BY_WORD` are parsed here."""


def reason(keyword: str) -> str:
    """Return why a keyword is refused; empty: it is not a keyword that is known."""
    if keyword in _REASONS:
        return _REASONS[keyword]
    protocol = re.split(r"[._]", keyword, maxsplit=1)[0]
    return not_parsed(protocol) if protocol in _PROTOCOLS and protocol not in BY_WORD else ""


def not_parsed(protocol: str) -> str:
    """Return the refusal of a protocol."""
    return f"{protocol} is not parsed"


def is_protocol(word: str) -> bool:
    """Return whether the word names a protocol of Suricata's that is not parsed here."""
    return word.replace("-", "") in _PROTOCOLS or word in ("ikev1", "ikev2", "doh2", "jabber", "irc", "msn")
