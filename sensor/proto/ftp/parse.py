"""Lines of FTP: commands and replies (RFC 959 sections 4 and 5), addresses of data connections (RFC 2428)."""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple

ACTIVE = frozenset({b"PORT", b"EPRT", b"LPRT"})
"""The client says where it listens."""
PASSIVE = frozenset({b"PASV", b"EPSV", b"LPSV"})
"""The client asks the server to listen."""
RETRIEVE, STORE = frozenset({b"RETR"}), frozenset({b"STOR", b"STOU", b"APPE"})
"""Transfers of a file to the client, to the server."""

_SIX = re.compile(rb"(\d{1,3}),(\d{1,3}),(\d{1,3}),(\d{1,3}),(\d{1,3}),(\d{1,3})")
_EXTENDED = re.compile(rb"^\s*([!-~])([12]?)\1([0-9A-Fa-f:.]{0,45})\1(\d{1,5})\1")
_EPSV = re.compile(rb"\(([!-~])\1\1(\d{1,5})\1\)")


class Endpoint(NamedTuple):
    """Where a side will listen."""

    address: bytes
    """4 or 16 bytes; empty: the side's own."""
    port: int


def command(line: bytes) -> tuple[bytes, bytes]:
    """Return (command in capitals, what follows it)."""
    word, _, rest = line.strip().partition(b" ")
    return word.upper(), rest.strip()


def code(line: bytes) -> bytes:
    """Return the three digits with which a reply line begins; empty: it has none (RFC 959 section 4.2)."""
    head = line[:3]
    return head if len(head) == 3 and head.isdigit() and line[3:4] in (b"", b" ", b"-") else b""


def is_last(line: bytes, first: bytes) -> bool:
    """Tell whether a reply that began with the code `first` ends with this line."""
    found = code(line)
    return line[3:4] != b"-" and (not first or found == first)


def active(word: bytes, arguments: bytes) -> Endpoint | None:
    """Return where the client will listen, as a PORT or EPRT says."""
    return _extended(arguments) if word == b"EPRT" else _six(arguments)


def passive(reply: bytes) -> Endpoint | None:
    """Return where the server will listen, as a reply to PASV (227) or EPSV (229) says."""
    number = code(reply)
    if number == b"229":
        found = _EPSV.search(reply)
        return _endpoint(b"", int(found[2])) if found else None
    return _six(reply[4:]) if number == b"227" else None


def _six(text: bytes) -> Endpoint | None:
    """`h1,h2,h3,h4,p1,p2`."""
    found = _SIX.search(text)
    numbers = [int(group) for group in found.groups()] if found else []
    if not numbers or max(numbers) > 255:
        return None
    return _endpoint(bytes(numbers[:4]), numbers[4] << 8 | numbers[5])


def _extended(text: bytes) -> Endpoint | None:
    """`|1|10.0.0.1|6275|` (RFC 2428 section 2)."""
    found = _EXTENDED.match(text)
    if found is None:
        return None
    try:
        address = ipaddress.ip_address(found[3].decode("ascii")).packed if found[3] else b""
    except ValueError:
        return None
    return _endpoint(address, int(found[4]))


def _endpoint(address: bytes, port: int) -> Endpoint | None:
    return Endpoint(address, port) if 0 < port < 65536 else None
