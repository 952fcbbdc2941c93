"""Rule headers in columns: what of a rule is proved by addresses, ports, protocol and direction alone."""

import numba
import numpy as np
from numba import void
from numba.types import int64

from sensor.model.jit import helper, inlined, kernel
from sensor.model.rows import FLOW, FRAG_PART, ROW
from sensor.proto.kernels_probe import HEAD

HEADER = np.dtype(
    [
        ("apps", "<u8"),  # bit: id of an application protocol that a transaction rule is about; 0: any
        ("rule", "<i4"),
        ("protos", "<u4"),  # bit 0: neither of the others; 1: TCP, 2: UDP, 3: ICMP, 4: ICMPv6, 5: not IP; beside these
        # 6, 7: fragments of IPv4, IPv6
        ("pay_low", "<i4"),  # payload bytes, both ends included
        ("pay_high", "<i4"),
        ("src", "<i2"),  # bit of the address masks; -1: any, -2: not tested
        ("dst", "<i2"),
        ("sport", "<i2"),  # row of the port bitmaps
        ("dport", "<i2"),
        ("number", "<i2"),  # IP protocol; -1: any
        ("flags_mask", "u1"),  # TCP flags & mask must equal value
        ("flags_value", "u1"),
        ("side", "u1"),  # 0, 1; 2: either
        ("established", "u1"),  # 0, 1; 2: either
        ("swap", "u1"),  # 1: the ends may stand the other way round
        ("scope", "u1"),  # plan.PACKET, STREAM, TX: bits
        ("event", "u1"),  # what must be odd: number + 1 of `decode.event`, 193 + that of `tcp.event`; 0: nothing
    ],
    align=True,
)
"""Bounds that everything matching a rule satisfies (it may let through more)."""

SHORT = np.dtype(
    [
        ("at", "<i4"),  # where the literal stands in the pool
        ("low", "<i4"),  # lowest offset at which it may begin
        ("high", "<i4"),  # offset behind which it may not end, -1: none
        ("size", "u1"),
        ("nocase", "u1"),  # the pool has it in lower case
    ],
    align=True,
)
"""A literal that everything matching a rule holds."""

HEADERS_T = numba.from_dtype(HEADER)[::1]
ROWS_T, FLOWS_T = numba.from_dtype(ROW)[::1], numba.from_dtype(FLOW)[::1]
SHORTS_T = numba.from_dtype(SHORT)[::1]
BYTES = numba.types.Array(numba.uint8, 1, "C", readonly=True)
U1, U8, I4, U1_2 = numba.uint8[::1], numba.uint64[::1], numba.int32[::1], numba.uint8[:, ::1]
U8_2 = numba.uint64[:, ::1]
I8 = int64[::1]
MAPPED = np.uint64(0xFFFF00000000)
"""IPv4 addresses stand at ::ffff:0:0/96."""


@inlined
def head_known(sizes, side):  # pragma: no cover
    """Return how many of the first bytes of a side are known: those at HEAD * side.

    sizes: int64[2 * slots]. HEAD - 1 also stands for a side that lost some of them: then none are.
    """
    return sizes[side] if sizes[side] != HEAD - 1 else np.int64(0)


@inlined
def proto_bit(ipv, proto):  # pragma: no cover
    """Return the bit of `HEADER.protos`."""
    if ipv == 0:
        return 32
    if proto == 6:
        return 2
    if proto == 17:
        return 4
    if proto == 1:
        return 8
    if proto == 58:
        return 16
    return 1


@inlined
def fragment_bit(ipv, frag):  # pragma: no cover
    """Return the bit of `HEADER.protos` that a rule must have beside: 0 where the row is no fragment."""
    if frag != FRAG_PART:
        return 0
    return 64 if ipv == 4 else 128


@helper
def find(his, los, hi, lo):  # pragma: no cover
    """Return the last interval that begins at or before an address."""
    a, b = 0, his.size
    while b - a > 1:
        mid = (a + b) >> 1
        if his[mid] < hi or (his[mid] == hi and los[mid] <= lo):
            a = mid
        else:
            b = mid
    return a


@inlined
def ends_match(q, sender, receiver, sport, dport, ports):  # pragma: no cover
    """Tell whether addresses (masks) and ports may be those of a rule's header, in its order."""
    src, dst = np.int64(q["src"]), np.int64(q["dst"])
    if src >= 0 and not sender >> np.uint64(src) & np.uint64(1):
        return False
    if dst >= 0 and not receiver >> np.uint64(dst) & np.uint64(1):
        return False
    a, b = np.int64(q["sport"]), np.int64(q["dport"])
    if a and not ports[a, sport >> 3] >> (sport & 7) & 1:
        return False
    return not (b and not ports[b, dport >> 3] >> (dport & 7) & 1)


@inlined
def header_matches(q, sender, receiver, sport, dport, ports):  # pragma: no cover
    """Tell whether both ends may be those of a rule's header."""
    if ends_match(q, sender, receiver, sport, dport, ports):
        return True
    return q["swap"] == 1 and ends_match(q, receiver, sender, dport, sport, ports)


@kernel(void(ROWS_T, FLOWS_T, U8, U8, U8, U8, U8, I4, U8, U8, U8))
def note_flows(rows, flows, his, los, masks, rare_his, rare_los, rare_first, owner, out, rare):  # pragma: no cover
    """Look up the addresses of the flows of a block, once for each flow.

    owner: uint64[slots], the flow id that the slot was looked up for. out: uint64[2 * slots], masks of src and dst;
    rare: uint64[slots], intervals of the block lists at src (low word) and dst; all ones: no rule has either.
    """
    slots, numbers = rows["flow"], flows["id"]
    src_his, src_los, dst_his, dst_los, versions = (
        flows["src_hi"], flows["src_lo"], flows["dst_hi"], flows["dst_lo"], flows["ipv"],
    )  # fmt: skip
    last = -1
    for i in range(rows.size):
        slot = slots[i]
        if slot < 0 or slot == last or owner[slot] == numbers[slot]:
            continue
        last = slot
        owner[slot] = numbers[slot]
        mapped = MAPPED if versions[slot] == 4 else np.uint64(0)
        s_lo, d_lo = src_los[slot] | mapped, dst_los[slot] | mapped
        out[2 * slot] = masks[find(his, los, src_his[slot], s_lo)]
        out[2 * slot + 1] = masks[find(his, los, dst_his[slot], d_lo)]
        a = find(rare_his, rare_los, src_his[slot], s_lo)
        b = find(rare_his, rare_los, dst_his[slot], d_lo)
        if rare_first[a] == rare_first[a + 1] and rare_first[b] == rare_first[b + 1]:
            rare[slot] = ~np.uint64(0)
        else:
            rare[slot] = np.uint64(a) | np.uint64(b) << np.uint64(32)


@inlined
def size_fits(q, size):  # pragma: no cover
    """Tell whether a payload may have so many bytes."""
    return q["pay_low"] <= size <= q["pay_high"]


@helper
def note_pairs(data, start, size, stamps, stamp):  # pragma: no cover
    """Note which pairs of bytes stand in data[start : start + size]; return the stamp that tells so.

    stamps: uint8[65536], by pair (the first byte is the low one); stamp: what this gave last, 0 at the start, when no
    pair is stamped. A store for each byte and nothing else: to ask first whether somebody wants the pair took 2.3 ns a
    byte instead of 0.9, to set a bit in 8 KB 2.
    """
    if stamp == 255:
        stamps[:] = 0
        stamp = 0
    stamp += 1
    last = np.uint64(data[start]) if size > 1 else np.uint64(0)
    for p in range(np.uint64(start + 1), np.uint64(start + size)):
        this = np.uint64(data[p])
        stamps[last | this << np.uint64(8)] = stamp
        last = this
    return stamp


@inlined
def row_fits(q, bit, number, part, side, flow, flags, established):  # pragma: no cover
    """Tell whether all but the ends and the size of a row may be a rule's.

    number: its IP protocol; part: see `fragment_bit`. Fragments are in no flow, and as good as sent by a client.
    """
    if q["protos"] & bit == 0 or (q["number"] >= 0 and q["number"] != number) or (part and q["protos"] & part == 0):
        return False
    if q["side"] != 2 and (q["side"] != side if flow else part == 0 or q["side"] != 0):
        return False
    if q["established"] != 2 and (not flow or q["established"] != established):
        return False
    return flags & q["flags_mask"] == q["flags_value"]
