"""Rows chosen by headers, and by literals that are too short for the scan.

Rules with the same header share one test of it. Literals that may stand anywhere are looked for by their first two
bytes, all of them in one pass over a row's bytes.
"""

import numba
import numpy as np
from numba.types import int64

from sensor.detect.headers.kernels_headers import (
    BYTES,
    HEADERS_T,
    I4,
    I8,
    MAPPED,
    ROWS_T,
    SHORTS_T,
    U1,
    U1_2,
    U8,
    U8_2,
    find,
    fragment_bit,
    head_known,
    header_matches,
    note_pairs,
    proto_bit,
    row_fits,
    size_fits,
)
from sensor.model.jit import helper, inlined, kernel
from sensor.model.kernels_search import same, search, zeros
from sensor.model.rows import FS_BEFORE, FS_ESTABLISHED
from sensor.proto.kernels_probe import HEAD

U2 = numba.uint16[::1]
CLASSES = 9
"""Classes of rows of one protocol."""
ODD = 6 * CLASSES
"""Behind the classes of all rows: the same again, of rules that ask for something odd in the packet."""
ANYTHING = 255
"""`HEADER.event`"""
SYN = 2
FEW = 12
"""Rules whose literals are looked for one by one: to note the pairs of bytes of a row costs as much as for so many."""


@inlined
def _stands(s, data, start, size, pool):  # pragma: no cover
    """Tell whether a literal stands in data[start : start + size], where it may."""
    length, at, nocase = np.int64(s["size"]), np.int64(s["at"]), s["nocase"]
    high = np.int64(s["high"])
    first, last = start + np.int64(s["low"]), start + (size if high < 0 else min(size, high)) - length
    if first == last:
        return same(data, first, pool, at, length, nocase)
    return search(data, first, last, pool, at, length, nocase) >= 0


@inlined
def _literals_stand(k, first, shorts, data, start, size, base, pool, heads, head, known):  # pragma: no cover
    """Tell whether all literals of a rule may stand in some bytes.

    size -1: the bytes are not known, but for heads[head : head + known], the first of all; they lie behind `base`.
    """
    for n in range(first[k], first[k + 1]):
        s = shorts[n]
        if size < 0:
            high = np.int64(s["high"])
            if high >= 0 and (
                base > high - np.int64(s["size"]) or (high <= known and not _stands(s, heads, head, known, pool))
            ):
                return False
            continue
        if not _stands(s, data, start, size, pool):
            return False
    return True


@helper
def row_class(number, side, size, flags):  # pragma: no cover
    """Return the class of a row: its protocol bit's number, its side (-1: it is in no flow), and what it is.

    That is one with payload, one that opens a connection or answers it, or another without.
    """
    return number * CLASSES + 3 * (side + 1) + (1 if size > 0 else 2 if flags & SYN else 0)


@helper
def _is_odd(q, odd, i):  # pragma: no cover
    """Tell whether what a rule asks for is odd in a row. odd: uint64[n, 4], sets of `decode.event`."""
    event = np.int64(q["event"])
    if event in (0, ANYTHING):
        return True
    return bool(odd[i, (event - 1) >> 6] >> np.uint64((event - 1) & 63) & np.uint64(1))


@kernel(int64(ROWS_T, U8_2, BYTES, I4, I4, I8, U8, I4, SHORTS_T, U1, I4, U1, HEADERS_T, HEADERS_T, I4, U8_2, U2,
            U8_2, U8_2, U1_2, U8, U8, U8, U8, U8, U8, U8, I4, I4, HEADERS_T, I4, I4, I4, U1, I8))  # fmt: skip
def select_rows(rows, odd, data, text_at, text_size, text_base, apps, short_first, shorts, short_pool, pairs, stamps,
                headers, kinds, kind_first, class_kinds, port_class, sport_kinds, dport_kinds, ports, his, los,
                masks, flow_masks, rare, rare_his, rare_los, rare_first, rare_rules, rare_headers, out_row, out_rule,
                state, heads, head_sizes):  # pragma: no cover  # fmt: skip
    """Write (row, rule) pairs that satisfy a header, in row order; return their number.

    odd: see `_is_odd`; of length 0: nobody asks.
    text_at, text_size: int32[n], where in data each row's bytes stand; size -1: they are not known. text_base:
    int64[n], offset of the first of them in what offsets of literals count from. apps: uint64[n], the protocols that a
    row's flow may speak. pairs: int32[headers], a pair of bytes that stands wherever the rule matches, -1: none;
    stamps: see `note_pairs`, all 0.
    kinds: a header of each kind, the sizes of the payload aside; kind_first: int32[kinds + 1], where those of a kind
    begin in `headers`, those without a pair first. Sets of kinds, a bit each in rows of words, uint64: class_kinds by
    `row_class`; sport_kinds, dport_kinds by the class of a port (port_class: uint16[65536]). rare_headers: those of
    block lists.
    state: int32[1], the row to go on from; rows.size when done. Stops early when the output has no room for a row.
    heads, head_sizes: see `head_known`; of length 0: nothing is.
    """
    protos, versions, dups, frags, flags = rows["proto"], rows["ipv"], rows["dup"], rows["frag"], rows["tcpflags"]
    sports, dports, paylens, sides, slots = rows["sport"], rows["dport"], rows["paylen"], rows["side"], rows["flow"]
    states = rows["fstate"]
    src_his, src_los, dst_his, dst_los = rows["src_hi"], rows["src_lo"], rows["dst_hi"], rows["dst_lo"]
    n = np.int64(0)
    i = np.int64(state[0])
    none, stamp = ~np.uint64(0), np.int64(0)
    room = out_row.size - headers.size - 2 * rare_headers.size
    while i < rows.size and n <= room:
        if dups[i] == 0:
            bit = proto_bit(versions[i], protos[i])
            number = 0
            while bit >> number != 1:
                number += 1
            part = fragment_bit(versions[i], frags[i])
            size, side, slot = 0 if part else paylens[i], np.int64(sides[i]), slots[i]
            established = states[i] & FS_BEFORE == FS_ESTABLISHED
            group = row_class(number, side if slot >= 0 else np.int64(0 if part else -1), size, flags[i])
            listed = rare_headers.size and (slot < 0 or rare[slot] != none)
            mapped = MAPPED if versions[i] == 4 else np.uint64(0)
            if slot >= 0:
                sender, receiver = flow_masks[2 * slot + side], flow_masks[2 * slot + 1 - side]
            elif listed or kinds.size:
                sender = masks[find(his, los, src_his[i], src_los[i] | mapped)]
                receiver = masks[find(his, los, dst_his[i], dst_los[i] | mapped)]
            else:
                sender = receiver = np.uint64(0)
            sport, dport = np.int64(sports[i]), np.int64(dports[i])
            start, long, noted = np.int64(text_at[i]), np.int64(text_size[i]), False
            owner = 2 * np.int64(slot) + side
            known = head_known(head_sizes, owner) if long < 0 and slot >= 0 and head_sizes.size else np.int64(0)
            for classes in (0, ODD):
                if classes and (odd.shape[0] == 0 or odd[i, 0] | odd[i, 1] | odd[i, 2] | odd[i, 3] == 0):
                    break
                for word in range(class_kinds.shape[1]):
                    left = class_kinds[group + classes, word]
                    if left:
                        left &= sport_kinds[port_class[sport], word] & dport_kinds[port_class[dport], word]
                    kind = 64 * word - 1
                    while left:
                        skip = zeros(left) + 1
                        kind += skip
                        left = left >> np.uint64(skip - 1) >> np.uint64(1)
                        q = kinds[kind]
                        if (
                            (q["apps"] and not q["apps"] & apps[i])
                            or not _is_odd(q, odd, i)
                            or not row_fits(q, bit, protos[i], part, side, slot >= 0, flags[i], established)
                            or not header_matches(q, sender, receiver, sport, dport, ports)
                        ):
                            continue
                        several = kind_first[kind + 1] - kind_first[kind] > FEW
                        for m in range(kind_first[kind], kind_first[kind + 1]):
                            pair = pairs[m]
                            if pair >= 0 and long >= 0 and (noted or several):
                                if not noted:
                                    stamp = note_pairs(data, start, long, stamps, stamp)
                                    noted = True
                                if stamps[pair] != stamp:
                                    continue
                            if size_fits(headers[m], size) and _literals_stand(
                                m, short_first, shorts, data, start, long, text_base[i], short_pool, heads,
                                owner * HEAD, known,
                            ):
                                out_row[n] = i
                                out_rule[n] = headers[m]["rule"]
                                n += 1
            for end in range(2 if listed else 0):
                if slot >= 0:
                    at = np.int64(rare[slot] >> np.uint64(32 if end != side else 0) & np.uint64(0xFFFFFFFF))
                elif end == 0:
                    at = find(rare_his, rare_los, src_his[i], src_los[i] | mapped)
                else:
                    at = find(rare_his, rare_los, dst_his[i], dst_los[i] | mapped)
                for k in range(rare_first[at], rare_first[at + 1]):
                    q = rare_headers[rare_rules[k]]
                    if (
                        size_fits(q, size)
                        and _is_odd(q, odd, i)
                        and row_fits(q, bit, protos[i], part, side, slot >= 0, flags[i], established)
                        and header_matches(q, sender, receiver, sport, dport, ports)
                    ):
                        out_row[n] = i
                        out_rule[n] = q["rule"]
                        n += 1
        i += 1
    state[0] = i
    return n
