"""Details below IP: what an Ethernet frame carries in tags, labels and PPP."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from sensor.decode import bits
from sensor.decode.details_row import of
from sensor.decode.limits import MAX_LAYERS, MAX_MPLS_LABELS
from sensor.model.details import Detail
from sensor.model.rows import TUNNEL_GRE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sensor.decode.details_row import Bytes, RowLike

_VLANS = frozenset({0x8100, 0x88A8, 0x9100})
_PPPOE_DISCOVERY, _PPPOE_SESSION, _NSH, _VNTAG, _PBB, _FABRIC = 0x8863, 0x8864, 0x894F, 0x8926, 0x88E7, 0x8903
_KNOWN = frozenset({0x0800, 0x86DD, 0x0806, 0x8847, 0x8848, _PPPOE_DISCOVERY, _PPPOE_SESSION, _NSH, _VNTAG, _PBB,
                    _FABRIC, *_VLANS})  # fmt: skip
"""Ethertypes that Suricata 7 goes on from."""
_HEADERS = 256
"""Bytes of a frame that are looked at."""
_ETHERNET, _PPP = 14, 0x880B
_HDLC_LIKE = b"\xff\x03"
"""Address and control bytes of PPP (RFC 1662): no station has an Ethernet address that begins so."""


def link(row: RowLike, buf: Bytes) -> int:
    """Return what is odd in the headers of an Ethernet frame, up to the one that IP follows."""
    end = min(row.l2 + row.caplen, len(buf))
    size = max(end - row.l2, 0)
    start = row.l2
    if row.anomaly & bits.VLAN_TOO_MANY_LAYERS:
        return 0
    raw = bytes(buf[start : min(start + _HEADERS, end)])
    if row.anomaly & bits.LINK_TRUNCATED and size < _ETHERNET and raw[:2] != _HDLC_LIKE:
        return of(Detail.ETHERNET_PKT_TOO_SMALL)
    if row.ethertype == _PPP and (row.tunnel == TUNNEL_GRE or raw[:2] == _HDLC_LIKE):
        return _ppp(raw, size)
    if row.l3 >= 0 and row.l3 - row.l2 < _ETHERNET:
        return 0
    at = 12
    for _ in range(MAX_LAYERS):
        if len(raw) < at + 2:
            return 0
        kind = raw[at] << 8 | raw[at + 1]
        if kind not in _VLANS:
            break
        at += 4
    else:
        return 0
    rest, left = raw[at + 2 :], size - at - 2
    read = _READERS.get(kind)
    if read is not None:
        return read(rest, left)
    return of(Detail.VLAN_UNKNOWN_TYPE) if at > 12 and kind not in _KNOWN else 0


# ---- MPLS, RFC 3032

_LABELS = MappingProxyType({1: Detail.MPLS_BAD_LABEL_ROUTER_ALERT, 3: Detail.MPLS_BAD_LABEL_IMPLICIT_NULL})
_LAST_RESERVED = 14


def _mpls(raw: bytes, left: int) -> int:
    for n in range(MAX_MPLS_LABELS):
        entry = raw[4 * n : 4 * n + 4]
        if len(entry) < 4:
            return 0
        if entry[2] & 1:
            label = int.from_bytes(entry[:3], "big") >> 4
            return _below_labels(label, raw[4 * n + 4 :], left - 4 * n - 4)
    return 0


def _below_labels(label: int, raw: bytes, left: int) -> int:
    if label in (0, 2):
        return 0
    if label <= _LAST_RESERVED:
        return of(_LABELS.get(label, Detail.MPLS_BAD_LABEL_RESERVED))
    if left < 4:
        return of(Detail.MPLS_PKT_TOO_SMALL)
    if raw[0] >> 4 == 0 and left - 4 < _ETHERNET:
        return of(Detail.ETHERNET_PKT_TOO_SMALL)
    return 0 if raw[0] >> 4 in (0, 4, 6) else of(Detail.MPLS_UNKNOWN_PAYLOAD_TYPE)


# ---- PPPoE, RFC 2516, and PPP, RFC 1661

_IP, _IP6, _VJ_UNCOMPRESSED = 0x21, 0x57, 0x2F
_NOT_DECODED = frozenset({
    0x2D, 0x2B, 0x23, 0x25, 0x27, 0x29, 0x31, 0x33, 0x35, 0x0203, 0x0205, 0x0231, 0x0281, 0x0283, 0x8021,
    0x8023, 0x8025, 0x8027, 0x8029, 0x802B, 0x8033, 0x8035, 0x8057, 0x8281, 0xC021, 0xC023, 0xC025, 0xC223,
})  # fmt: skip
"""Protocols that are known: compressed TCP, IPX, OSI, XNS, DECnet, AppleTalk, bridges, ST-II, VINES, hello, Luxcom,
SNS, MPLS, and the control protocols."""
_SMALL = MappingProxyType({
    _IP: (20, Detail.PPP_IP4_PKT_TOO_SMALL), _VJ_UNCOMPRESSED: (20, Detail.PPP_VJU_PKT_TOO_SMALL),
    _IP6: (40, Detail.PPP_IP6_PKT_TOO_SMALL),
})  # fmt: skip
_CODES = frozenset({0x09, 0x07, 0x19, 0x65, 0xA7})
"""Discovery: initiation, offer, request, session confirmation, termination."""
_DISCOVERY_HEAD = 6
_SESSION_HEAD = 8


def _session(raw: bytes, left: int) -> int:
    if left < _SESSION_HEAD:
        return of(Detail.PPPOE_PKT_TOO_SMALL)
    if raw[4] << 8 | raw[5] == 0:
        return 0
    if raw[6] & 1:  # the protocol is compressed to one byte
        return _carried(raw[6], left - _SESSION_HEAD + 1)
    return _carried(raw[6] << 8 | raw[7], left - _SESSION_HEAD)


def _ppp(raw: bytes, left: int) -> int:
    """PPP in a tunnel, with or without the address and control bytes of RFC 1662."""
    if raw[:2] == _HDLC_LIKE:
        raw, left = raw[2:], left - 2
    if left < 2:
        return 0
    return _carried(raw[0], left - 1) if raw[0] & 1 else _carried(raw[0] << 8 | raw[1], left - 2)


def _carried(protocol: int, left: int) -> int:
    if protocol in _SMALL:
        least, small = _SMALL[protocol]
        return of(small) if left < least else 0
    return of(Detail.PPP_UNSUP_PROTO if protocol in _NOT_DECODED else Detail.PPP_WRONG_TYPE)


def _discovery(raw: bytes, left: int) -> int:
    if left < _DISCOVERY_HEAD:
        return of(Detail.PPPOE_PKT_TOO_SMALL)
    if raw[1] not in _CODES:
        return of(Detail.PPPOE_WRONG_CODE)
    return of(Detail.PPPOE_MALFORMED_TAGS) if raw[4] << 8 | raw[5] > left - _DISCOVERY_HEAD else 0


# ---- network service header, RFC 8300

_NSH_HEAD = 8
_FIXED_METADATA, _FIXED_LENGTH = 1, 24
_NEXT = frozenset({1, 2, 3, 5})


def _service(raw: bytes, left: int) -> int:
    if left < _NSH_HEAD:
        return of(Detail.NSH_HEADER_TOO_SMALL)
    if raw[0] >> 6:
        return of(Detail.NSH_UNSUPPORTED_VERSION)
    length, kind = (raw[1] & 0x3F) * 4, raw[2]
    if length >= left:
        return of(Detail.NSH_BAD_HEADER_LENGTH)
    if kind in (0, 15):
        return of(Detail.NSH_RESERVED_TYPE)
    if kind == _FIXED_METADATA and length != _FIXED_LENGTH:
        return of(Detail.NSH_BAD_HEADER_LENGTH)
    if kind > 2:
        return of(Detail.NSH_UNSUPPORTED_TYPE)
    return 0 if raw[3] in _NEXT else of(Detail.NSH_UNKNOWN_PAYLOAD)


def _at_least(size: int, small: Detail) -> Callable[[bytes, int], int]:
    return lambda _raw, left: of(small) if left < size else 0


def _vntag(raw: bytes, left: int) -> int:
    """Cisco's tag: four bytes, then an ethertype."""
    if left < 6:
        return of(Detail.VNTAG_HEADER_TOO_SMALL)
    return 0 if raw[4] << 8 | raw[5] in _KNOWN else of(Detail.VNTAG_UNKNOWN_TYPE)


_READERS: Mapping[int, Callable[[bytes, int], int]] = MappingProxyType({
    0x8847: _mpls, 0x8848: _mpls, _PPPOE_SESSION: _session, _PPPOE_DISCOVERY: _discovery, _NSH: _service,
    _VNTAG: _vntag, _PBB: _at_least(18, Detail.IEEE8021AH_HEADER_TOO_SMALL),
    _FABRIC: _at_least(16, Detail.DCE_PKT_TOO_SMALL),
})  # fmt: skip
