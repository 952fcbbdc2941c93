"""Rule headers in columns: what of a rule is proved by addresses, ports, protocol and direction alone."""

import numba
import numpy as np
from numba import njit, void
from numba.types import int64

from sensor.model.rows import FLOW, ROW

HEADER = np.dtype(
    [
        ("apps", "<u8"),  # bit: id of an application protocol that a transaction rule is about; 0: any
        ("rule", "<i4"),
        ("protos", "<u4"),  # bit 0: neither of the others; 1: TCP, 2: UDP, 3: ICMP, 4: ICMPv6, 5: not IP, 6: fragments
        ("pay_low", "<i4"),  # payload bytes, both ends included
        ("pay_high", "<i4"),
        ("src", "<i2"),  # bit of the address masks; -1: any, -2: not tested
        ("dst", "<i2"),
        ("sport", "<i2"),  # row of the port bitmaps
        ("dport", "<i2"),
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
_SHORTS_T = numba.from_dtype(SHORT)[::1]
_BYTES = numba.types.Array(numba.uint8, 1, "C", readonly=True)
U1, U8, I4, U1_2 = numba.uint8[::1], numba.uint64[::1], numba.int32[::1], numba.uint8[:, ::1]
U8_2 = numba.uint64[:, ::1]
I8 = int64[::1]
MAPPED = np.uint64(0xFFFF00000000)
"""IPv4 addresses stand at ::ffff:0:0/96."""


@njit
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


@njit
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


@njit
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


@njit
def header_matches(q, sender, receiver, sport, dport, ports):  # pragma: no cover
    """Tell whether both ends may be those of a rule's header."""
    if ends_match(q, sender, receiver, sport, dport, ports):
        return True
    return q["swap"] == 1 and ends_match(q, receiver, sender, dport, sport, ports)


@njit(void(ROWS_T, FLOWS_T, U8, U8, U8, U8, U8, I4, U8, U8, U8), cache=True)
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


@njit
def _stands(s, data, start, size, pool):  # pragma: no cover
    """Tell whether a literal stands in data[start : start + size], where it may."""
    length, at, nocase = np.int64(s["size"]), np.int64(s["at"]), s["nocase"]
    high = np.int64(s["high"])
    end = start + (size if high < 0 else min(size, high))
    for p in range(start + s["low"], end - length + 1):
        same = True
        for x in range(length):
            c = data[p + x]
            if nocase and 65 <= c <= 90:
                c |= 32
            if c != pool[at + x]:
                same = False
                break
        if same:
            return True
    return False


@njit
def _is_letter(c):  # pragma: no cover
    return 97 <= c <= 122 or 65 <= c <= 90


@njit
def _may_hold(s, pool, pairs):  # pragma: no cover
    """Tell whether the first two bytes of a literal stand side by side in the bytes that were noted."""
    at = np.int64(s["at"])
    a, b = np.int64(pool[at]), np.int64(pool[at + 1])
    if s["nocase"] and (_is_letter(a) or _is_letter(b)):
        return True
    return bool(pairs[(a | b << 8) >> 6] >> np.uint64((a | b << 8) & 63) & np.uint64(1))


@njit
def note_pairs(data, start, size, pairs):  # pragma: no cover
    """Note which pairs of bytes stand in data[start : start + size]. pairs: uint64[1024], a bit for each (8 KB)."""
    pairs[:] = 0
    last = np.int64(data[start])
    for p in range(start + 1, start + size):
        this = np.int64(data[p])
        pairs[(last | this << 8) >> 6] |= np.uint64(1) << np.uint64((last | this << 8) & 63)
        last = this


@njit
def _literals_stand(k, first, shorts, data, start, size, base, pool, pairs, noted):  # pragma: no cover
    """Tell whether all literals of a rule may stand in some bytes.

    size -1: the bytes are not known; all of them lie behind `base`. noted: uint8[1], whether they are noted in
    `pairs`. A pass over the bytes costs as much as looking for one
    literal everywhere; of 110 rules for one family of trojans each looks for another.
    """
    for n in range(first[k], first[k + 1]):
        s = shorts[n]
        if size < 0:
            if s["high"] >= 0 and base > np.int64(s["high"]) - np.int64(s["size"]):
                return False
            continue
        if s["high"] < 0 and s["size"] > 1 and size > 1:
            if not noted[0]:
                noted[0] = 1
                note_pairs(data, start, size, pairs)
            if not _may_hold(s, pool, pairs):
                return False
        if not _stands(s, data, start, size, pool):
            return False
    return True


CLASSES = 6
"""Classes of rows of one protocol."""
ODD = 6 * CLASSES
"""Behind the classes of all rows: the same again, of rules that ask for something odd in the packet."""
ANYTHING = 255
"""`HEADER.event`"""


@njit
def row_class(number, side, size):  # pragma: no cover
    """Return the class of a row: its protocol bit's number, its side (-1: it is in no flow), whether it has payload."""
    return number * CLASSES + 2 * (side + 1) + (1 if size > 0 else 0)


@njit
def _row_fits(q, bit, part, size, side, flow, flags, established):  # pragma: no cover
    """Tell whether all but the ends of a row may be a rule's."""
    if q["protos"] & bit == 0 or size < q["pay_low"] or size > q["pay_high"] or (part and q["protos"] & 64 == 0):
        return False
    if q["side"] != 2 and (not flow or q["side"] != side):
        return False
    if q["established"] != 2 and (not flow or q["established"] != established):
        return False
    return flags & q["flags_mask"] == q["flags_value"]


@njit
def _is_odd(q, odd, i):  # pragma: no cover
    """Tell whether what a rule asks for is odd in a row. odd: uint64[n, 4], see `oddities.oddities`."""
    event = np.int64(q["event"])
    if event in (0, ANYTHING):
        return True
    return bool(odd[i, (event - 1) >> 6] >> np.uint64((event - 1) & 63) & np.uint64(1))


@njit(int64(ROWS_T, U8_2, _BYTES, I4, I4, I8, I4, _SHORTS_T, U1, U8, U1, HEADERS_T, I4, I4, U1_2, U8, U8, U8, U8, U8,
            U8, U8, I4, I4, HEADERS_T, I4, I4, I4), cache=True)  # fmt: skip
def select_rows(rows, odd, data, text_at, text_size, text_base, short_first, shorts, short_pool, pairs, noted, headers,
                order, starts, ports, his, los, masks, flow_masks, rare, rare_his, rare_los, rare_first, rare_rules,
                rare_headers, out_row, out_rule, state):  # pragma: no cover  # fmt: skip
    """Write (row, rule) pairs that satisfy a header, in row order; return their number.

    odd: see `_is_odd`; of length 0: nobody asks. text_at, text_size: int32[n], where in data each row's bytes stand;
    size -1: they are not known. text_base: int64[n], offset of the first of them in what offsets of literals count
    from. pairs, noted: see `_literals_stand`.
    order, starts: numbers of headers by `row_class` (`starts` int32[2 * ODD + 1]); rare_headers: those of block
    lists.
    state: int32[1], the row to go on from; rows.size when done. Stops early when the output has no room for a row.
    """
    protos, versions, dups, frags, flags = rows["proto"], rows["ipv"], rows["dup"], rows["frag"], rows["tcpflags"]
    sports, dports, paylens, sides, slots = rows["sport"], rows["dport"], rows["paylen"], rows["side"], rows["flow"]
    states = rows["fstate"]
    src_his, src_los, dst_his, dst_los = rows["src_hi"], rows["src_lo"], rows["dst_hi"], rows["dst_lo"]
    n = np.int64(0)
    i = np.int64(state[0])
    none = ~np.uint64(0)
    room = out_row.size - headers.size - 2 * rare_headers.size
    while i < rows.size and n <= room:
        if dups[i] == 0:
            bit = proto_bit(versions[i], protos[i])
            number = 0
            while bit >> number != 1:
                number += 1
            part = frags[i] == 1
            noted[0] = 0
            size, side, slot = paylens[i], np.int64(sides[i]), slots[i]
            established = states[i] & 1
            mapped = MAPPED if versions[i] == 4 else np.uint64(0)
            if slot >= 0:
                sender, receiver = flow_masks[2 * slot + side], flow_masks[2 * slot + 1 - side]
            else:
                sender = masks[find(his, los, src_his[i], src_los[i] | mapped)]
                receiver = masks[find(his, los, dst_his[i], dst_los[i] | mapped)]
            group = row_class(number, side if slot >= 0 else np.int64(-1), size)
            for classes in range(2):
                if classes == 1:
                    if odd.shape[0] == 0 or odd[i, 0] | odd[i, 1] | odd[i, 2] | odd[i, 3] == 0:
                        break
                    group += ODD
                for k in range(starts[group], starts[group + 1]):
                    q = headers[order[k]]
                    if (
                        _is_odd(q, odd, i)
                        and _row_fits(q, bit, part, size, side, slot >= 0, flags[i], established)
                        and header_matches(q, sender, receiver, np.int64(sports[i]), np.int64(dports[i]), ports)
                        and _literals_stand(
                            order[k], short_first, shorts, data, np.int64(text_at[i]), np.int64(text_size[i]),
                            text_base[i], short_pool, pairs, noted,
                        )
                    ):
                        out_row[n] = i
                        out_rule[n] = q["rule"]
                        n += 1
            if rare_headers.size and (slot < 0 or rare[slot] != none):
                for end in range(2):
                    if end == 0:
                        at = find(rare_his, rare_los, src_his[i], src_los[i] | mapped)
                    else:
                        at = find(rare_his, rare_los, dst_his[i], dst_los[i] | mapped)
                    for k in range(rare_first[at], rare_first[at + 1]):
                        q = rare_headers[rare_rules[k]]
                        if (
                            _is_odd(q, odd, i)
                            and _row_fits(q, bit, part, size, side, slot >= 0, flags[i], established)
                            and header_matches(q, sender, receiver, np.int64(sports[i]), np.int64(dports[i]), ports)
                        ):
                            out_row[n] = i
                            out_rule[n] = q["rule"]
                            n += 1
        i += 1
    state[0] = i
    return n
