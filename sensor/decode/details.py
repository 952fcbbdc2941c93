"""What is odd in one decoded packet, worked out from its bytes where a rule asks (`model/details.py`).

Plain Python for a packet at a time: `kernels_suspects.py` tells for which rows it may find anything at all.
Details follow Suricata's decoder, which looks no further where a header cannot be true: what such a header leads to
has no details.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from sensor.decode import bits
from sensor.decode.details_icmp import quoted
from sensor.decode.details_ip import extensions, inner_of_ipv6, ipv4_options
from sensor.decode.details_link import link
from sensor.decode.details_transport import tcp, udp
from sensor.decode.details_tunnel import esp, gre

if TYPE_CHECKING:
    from sensor.decode.details_row import Bytes, RowLike

_WORD = (1 << 64) - 1
_ICMP, _TCP, _UDP, _GRE, _ESP, _ICMPV6 = 1, 6, 17, 47, 50, 58
_BY_PROTO = MappingProxyType({_TCP: tcp, _UDP: udp, _GRE: gre, _ESP: esp})


_CUT = bits.IPV4_TRUNC_PKT | bits.IPV6_TRUNC_PKT | bits.SNAPLEN_CUT | bits.IPV4_IPLEN_SMALLER_THAN_HLEN
_BEHIND = ~(
    bits.IPV6_TRUNC_EXTHDR | bits.IPV6_EXTHDR_TOO_MANY | bits.IPV6_EXTHDR_DUPL | bits.IPV6_FH_USELESS
    | bits.IPV6_FH_NO_L4 | bits.IPV6_RH_TYPE0 | bits.IPV6_FRAG_INVALID_LENGTH | bits.IPV6_DSTOPTS_UNKNOWN_OPT
    | bits.TCP_PKT_TOO_SMALL | bits.TCP_HLEN_TOO_SMALL | bits.TCP_INVALID_OPTLEN | bits.UDP_PKT_TOO_SMALL
    | bits.UDP_LEN_INVALID | bits.SCTP_PKT_TOO_SMALL | bits.ICMPV4_PKT_TOO_SMALL | bits.ICMPV6_PKT_TOO_SMALL
    | bits.GRE_PKT_TOO_SMALL | bits.ERSPAN_TRUNCATED | bits.VXLAN_TRUNCATED | bits.GENEVE_TRUNCATED
)  # fmt: skip
"""All but what is odd behind an IP header."""


def reached(anomaly: int) -> int:
    """Return those anomalies that Suricata gets to: it reads nothing of an IP packet that is cut, nor behind four tags.

    anomaly: bits of `DecodeAnomaly` of one row. `reached_of_all` says the same of a column.
    """
    if anomaly & bits.VLAN_TOO_MANY_LAYERS:
        return bits.VLAN_TOO_MANY_LAYERS
    return anomaly & _BEHIND if anomaly & _CUT else anomaly


def reached_of_all(anomaly: np.ndarray) -> np.ndarray:
    """Return `reached` of each. anomaly: uint64[n]."""
    cut = np.where(anomaly & np.uint64(_CUT), anomaly & np.uint64(_BEHIND & _WORD), anomaly)
    deep = np.uint64(bits.VLAN_TOO_MANY_LAYERS)
    return np.where(anomaly & deep, deep, cut)


def details(row: RowLike, buf: Bytes) -> int:
    """Return the set of details of a row, bit N for the `Detail` N. buf: what its offsets point into."""
    found = link(row, buf)
    if row.anomaly & bits.VLAN_TOO_MANY_LAYERS:
        return found
    if row.ipv == 4:
        found |= ipv4_options(row, buf)
    elif row.ipv == 6:
        found |= extensions(row, buf) | inner_of_ipv6(row, buf)
    if not row.ipv:
        return found
    if row.proto == (_ICMP if row.ipv == 4 else _ICMPV6):
        return found | quoted(row, buf)
    read = _BY_PROTO.get(row.proto)
    return found if read is None else found | read(row, buf)
