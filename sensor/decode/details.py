"""What is odd in one decoded packet, worked out from its bytes where a rule asks (`model/details.py`).

Plain Python for a packet at a time: `kernels_suspects.py` tells for which rows it may find anything at all.
Details follow Suricata's decoder, which looks no further where a header cannot be true: what such a header leads to
has no details.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from sensor.decode.details_icmp import quoted
from sensor.decode.details_ip import extensions, inner_of_ipv6, ipv4_options
from sensor.decode.details_link import link
from sensor.decode.details_transport import tcp, udp
from sensor.decode.details_tunnel import esp, gre

if TYPE_CHECKING:
    from sensor.decode.details_row import Bytes, RowLike

_ICMP, _TCP, _UDP, _GRE, _ESP, _ICMPV6 = 1, 6, 17, 47, 50, 58
_BY_PROTO = MappingProxyType({_TCP: tcp, _UDP: udp, _GRE: gre, _ESP: esp})


def details(row: RowLike, buf: Bytes) -> int:
    """Return the set of details of a row, bit N for the `Detail` N. buf: what its offsets point into."""
    found = link(row, buf)
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
