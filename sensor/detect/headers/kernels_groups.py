"""Group bits of scan units, in one pass."""

import numba
import numpy as np
from numba import void

from sensor.model.jit import kernel
from sensor.model.rows import FLOW, ROW
from sensor.model.units import UNIT, UNIT_STREAM

_UNIT, _ROW, _FLOW = (numba.from_dtype(t)[::1] for t in (UNIT, ROW, FLOW))
_TCP, _UDP, _ICMP, _ICMP6 = 6, 17, 1, 58


@kernel(void(_UNIT, _ROW, _FLOW, numba.uint8[::1], numba.uint8[::1], numba.int64[::1], numba.uint64[::1]))
def unit_bits(units, rows, flows, tcp_class, udp_class, layout, out):  # pragma: no cover
    """Write the group bits of each unit; see `sensor.detect.headers.groups` for the layout.

    tcp_class, udp_class: uint8[65536], class of each port; layout: (TCP classes, UDP classes, first UDP bit, ICMP
    bit, bit of other protocols, first application bit, last application).
    """
    nt, nu, udp_base, icmp_bit, other_bit, app_base, app_last = (
        layout[0], layout[1], layout[2], layout[3], layout[4], layout[5], layout[6],
    )  # fmt: skip
    numbers, sides, kinds, slots = units["row"], units["side"], units["kind"], units["flow"]
    for i in range(units.size):
        slot, side = slots[i], np.int64(sides[i])
        if kinds[i] == UNIT_STREAM:
            # The row of a stream unit may be another side's: queued bytes are delivered by whoever closes the gap.
            f = flows[slot]
            proto = np.int64(f["proto"])
            sport, dport = np.int64(f["sport"]), np.int64(f["dport"])
            if side == 1:
                sport, dport = dport, sport
        else:
            r = rows[numbers[i]]
            proto, sport, dport = np.int64(r["proto"]), np.int64(r["sport"]), np.int64(r["dport"])
        one = np.uint64(1)
        if proto == _TCP:
            base = side * 2 * nt
            bits = one << np.uint64(base + tcp_class[sport]) | one << np.uint64(base + nt + tcp_class[dport])
        elif proto == _UDP:
            base = udp_base + side * 2 * nu
            bits = one << np.uint64(base + udp_class[sport]) | one << np.uint64(base + nu + udp_class[dport])
        elif proto in (_ICMP, _ICMP6):
            bits = one << np.uint64(icmp_bit)
        else:
            bits = one << np.uint64(other_bit)
        if slot >= 0:
            app = np.int64(flows[slot]["app"])
            bits |= one << np.uint64(app_base + min(app, app_last))
        out[i] = bits
