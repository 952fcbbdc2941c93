"""States of checksums for rules that ask: the decoder's, or worked out now where the sensor verifies none."""

from __future__ import annotations

import struct
from types import MappingProxyType
from typing import TYPE_CHECKING

from sensor.decode.bits import UDP_LEN_INVALID
from sensor.decode.details_row import whole
from sensor.decode.transport import internet_sum
from sensor.model.rows import CSUM_BAD, CSUM_OK, CSUM_PARTIAL, CSUM_UNVERIFIED, FRAG_NONE

if TYPE_CHECKING:
    from sensor.detect.packets.packetrow import Buffer, PacketRow

_ICMP, _TCP, _UDP, _ICMPV6 = 1, 6, 17, 58
_FIELD_AT = MappingProxyType({_ICMP: 2, _TCP: 16, _UDP: 6, _ICMPV6: 2})
_WHOLE = 0xFFFF
"""One's complement sum of bytes with a right checksum in them (RFC 1071)."""
_V6_HEADER = 40
_HOP_BY_HOP, _FRAGMENT = 0, 44


def ipv4_state(row: PacketRow, header: bytes | None) -> int | None:
    """Return the state (CSUM_*) of an IPv4 header's checksum; None: there is no such header.

    Or not all of the packet is there: Suricata looks no further at such a one.
    """
    if not whole(row):
        return None
    if header is None or row.l3csum != CSUM_UNVERIFIED:
        return row.l3csum if row.ipv == 4 else None
    if internet_sum(header) == _WHOLE:
        return CSUM_OK
    return CSUM_PARTIAL if header[10:12] == b"\0\0" else CSUM_BAD


def transport_state(row: PacketRow, buf: Buffer) -> int | None:
    """Return the state of the checksum of TCP, UDP, ICMP or ICMPv6; None: there is none.

    None, too, where not all of the packet is there. It stays unverified behind IPv6 extension headers that may change
    the address that is summed (RFC 8200 section 8.1).
    """
    if row.l4 < 0 or row.proto not in _FIELD_AT or not whole(row) or row.anomaly & UDP_LEN_INVALID:
        return None
    if row.l4csum != CSUM_UNVERIFIED or row.frag != FRAG_NONE:
        return row.l4csum
    end = row.l3 + row.iplen
    if row.l3 < 0 or not row.l4 + _FIELD_AT[row.proto] + 2 <= end <= len(buf):
        return CSUM_UNVERIFIED
    ip = bytes(buf[row.l3 : row.l4])
    if row.ipv == 6 and not _as_addressed(ip):
        return CSUM_UNVERIFIED
    return _worked_out(row, ip, bytes(buf[row.l4 : end]))


def _as_addressed(ip: bytes) -> bool:
    """Tell whether all extension headers are options of each hop, or say that the packet is not divided."""
    kind, at = ip[6], _V6_HEADER
    while at < len(ip):
        if kind not in (_HOP_BY_HOP, _FRAGMENT):
            return False
        kind, at = ip[at], at + (8 if kind == _FRAGMENT else 8 * (ip[at + 1] + 1))
    return True


def _worked_out(row: PacketRow, ip: bytes, message: bytes) -> int:
    if row.proto == _ICMP:
        return CSUM_OK if internet_sum(message) == _WHOLE else CSUM_BAD
    at = _FIELD_AT[row.proto]
    found = message[at : at + 2]
    if row.proto == _UDP and found == b"\0\0":
        # RFC 768: not used. Over IPv6 only tunnels may (RFC 6935), and what lies inside is another row's business.
        return CSUM_OK if row.ipv == 4 else CSUM_UNVERIFIED
    without_length = (ip[12:20] if row.ipv == 4 else ip[8:40]) + struct.pack("!H", row.proto)
    pseudo = without_length + struct.pack("!I", len(message))
    if internet_sum(pseudo + message) == _WHOLE:
        return CSUM_OK
    if found in {struct.pack("!H", internet_sum(part)) for part in (pseudo, without_length)}:
        return CSUM_PARTIAL
    return CSUM_BAD
