"""DHCP messages: bytes to a record (RFC 2131, options RFC 2132, long options RFC 3396)."""

from __future__ import annotations

import re
import struct

import msgspec

from sensor.proto.reader import Reader, WireError

BOOT_REQUEST, BOOT_REPLY = 1, 2
MAGIC = b"\x63\x82\x53\x63"
"""RFC 2132 section 2: options follow."""

OPT_PAD, OPT_END = 0, 255
OPT_SUBNET_MASK, OPT_ROUTERS, OPT_DNS_SERVERS, OPT_HOSTNAME, OPT_DOMAIN = 1, 3, 6, 12, 15
OPT_REQUESTED_IP, OPT_LEASE_TIME, OPT_OVERLOAD, OPT_MESSAGE_TYPE, OPT_SERVER_ID = 50, 51, 52, 53, 54
OPT_PARAMETERS, OPT_RENEWAL_TIME, OPT_REBINDING_TIME, OPT_VENDOR_CLASS, OPT_CLIENT_ID = 55, 58, 59, 60, 61

MAX_OPTIONS = 256
"""Options read of one datagram; the registry has 255 codes, real messages carry 5 to 20."""

_TIMES = frozenset({OPT_LEASE_TIME, OPT_RENEWAL_TIME, OPT_REBINDING_TIME})
_TIME_SIZE, _ID_SIZE = 4, 2
_PADS = re.compile(b"\\0*")
_HEADER = struct.Struct("!BBBBIHH4s4s4s4s16s64s128s4s")


class DhcpMessage(msgspec.Struct, gc=False):
    """One message. Addresses are 4 bytes as sent."""

    op: int
    xid: int
    client_ip: bytes
    assigned_ip: bytes
    next_server_ip: bytes
    relay_ip: bytes
    client_mac: bytes
    """As many bytes of `chaddr` as `hlen` says (at most 16)."""
    options: dict[int, bytes]
    """Code to value; parts of a split option are joined."""
    truncated: bool = False
    """Read as Suricata reads them, each with a size, pads as well, its options do not come to their end mark; or one
    that has a fixed size has another."""
    malformed: bool = False
    """An option leaves its field, or there are too many; those before it are here."""


def message(data: bytes) -> DhcpMessage | None:
    """Parse a datagram; None where it is no DHCP message (header cut, no magic cookie, unknown op code)."""
    if len(data) < _HEADER.size:
        return None
    header = _HEADER.unpack_from(data)
    op, hlen, xid = header[0], header[2], header[4]
    client_ip, assigned_ip, next_server_ip, relay_ip, chaddr, sname, file, magic = header[7:15]
    if magic != MAGIC or op not in {BOOT_REQUEST, BOOT_REPLY}:
        return None
    options: dict[int, bytes] = {}
    reader = Reader(data, _HEADER.size)
    sound = _options(reader, options)
    truncated = not _ends(data, _HEADER.size)
    overload = options.get(OPT_OVERLOAD, b"\0")[:1]  # RFC 2132 section 9.3
    if overload in {b"\1", b"\3"}:
        sound &= _options(Reader(file), options)
    if overload in {b"\2", b"\3"}:
        sound &= _options(Reader(sname), options)
    mac = chaddr[: min(hlen, 16)]
    return DhcpMessage(op, xid, client_ip, assigned_ip, next_server_ip, relay_ip, mac, options, truncated, not sound)


def _ends(data: bytes, at: int) -> bool:
    """Tell whether options that are read plainly come to their end mark.

    Times have four bytes, the client identifier two at least (RFC 2132 sections 9.2, 9.14).
    """
    while at < len(data) and data[at] != OPT_END:
        size = data[at + 1] if at + 1 < len(data) else len(data)
        if data[at] in _TIMES and size != _TIME_SIZE:
            return False
        if data[at] == OPT_CLIENT_ID and size < _ID_SIZE:
            return False
        at += 2 + size
    return at < len(data)


def _pads(reader: Reader) -> int:
    """Return how many pad options follow."""
    run = _PADS.match(reader.data, reader.pos, reader.end)
    return run.end() - run.start() if run else 0


def _options(reader: Reader, options: dict[int, bytes]) -> bool:
    """Read options to the end mark; False where one leaves the field or there are too many."""
    budget = MAX_OPTIONS
    try:
        while reader.left():
            code = reader.u8()
            if code == OPT_END:
                return True
            if code == OPT_PAD:
                reader.skip(_pads(reader))
                continue
            options[code] = options.get(code, b"") + reader.take(reader.u8())
            budget -= 1
            if not budget:
                return False
    except WireError:
        return False
    return True
