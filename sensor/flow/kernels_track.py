"""One walk over the rows of a block: look-up, time-outs, eviction; TCP rows go through `kernels_tcp`.

`track` is the only signed kernel of the flow table; the helpers of three modules are compiled into it.
Hashing stays below 2**63, so plain Python gives the same results. Names as in `kernels_reassembly`.
"""

# mypy: disable-error-code="no-any-return, return-value, assignment"
# Numba infers the types; to mypy an item of an array is Any and np.int64 no int.

from __future__ import annotations

from typing import Any

import numpy as np
from numba import from_dtype, int64, types

from sensor.flow import kernels_reassembly, kernels_tcp, limits
from sensor.flow import track_layout as lay
from sensor.flow.kernels_reassembly import MASK, event, note, release
from sensor.flow.kernels_tcp import ACK, RST, SYN, reused_ports, segment, syn_seen
from sensor.flow.limits import CHUNK, CLOCK_STEP
from sensor.model import rows as m
from sensor.model.anomaly import DecodeAnomaly, StreamAnomaly
from sensor.model.jit import helper, inlined, kernel
from sensor.model.stamp import stamp

TCP, UDP, SCTP, ICMP, ICMPV6 = 6, 17, 132, 1, 58
FTP_DATA, PRIVILEGED_CLIENTS, REGISTERED, EPHEMERAL = 20, 512, 1024, 32768
NS = 1_000_000_000
ROOM_EVENTS = 128
ROOM_FLOW = 8
"""Events kept free per piece that a side may hold: two flows of two sides may end in a row, gap and data each."""

_BROKEN = np.uint64(
    1 << DecodeAnomaly.TCP_PKT_TOO_SMALL
    | 1 << DecodeAnomaly.TCP_HLEN_TOO_SMALL
    | 1 << DecodeAnomaly.UDP_PKT_TOO_SMALL
    | 1 << DecodeAnomaly.SCTP_PKT_TOO_SMALL
)
_SHIFT16, _SHIFT32, _WORD16, _WORD32 = np.uint64(16), np.uint64(32), np.uint64(0xFFFF), np.uint64(0xFFFFFFFF)
_HASH_MASK = (1 << 46) - 1
_PRIME = (1 << 31) - 1
_REUSE = int(StreamAnomaly.PORT_REUSE)


@helper
def _times(keys: np.ndarray, k: int, value: np.uint64) -> int:
    """Return the share of a 64-bit word in the key hash."""
    h = (keys[k] * np.int64(value & _WORD16)) & _HASH_MASK
    value >>= _SHIFT16
    while value > np.uint64(0):
        k += 1
        h += (keys[k] * np.int64(value & _WORD16)) & _HASH_MASK
        value >>= _SHIFT16
    return h


@inlined
def _hash(keys: np.ndarray, r: np.void, k_here: int, k_there: int, vkey: np.uint64) -> int:
    """Return 31 bits, the same for both directions.

    Multilinear over 16-bit words modulo 2**46, strongly universal for secret multipliers (Lemire and Kaser, "Strongly
    universal string hashing is fast", 2014): no set of keys collides for all seeds.
    """
    s_hi, s_lo, d_hi, d_lo = r["src_hi"], r["src_lo"], r["dst_hi"], r["dst_lo"]
    if s_hi > d_hi or (s_hi == d_hi and (s_lo > d_lo or (s_lo == d_lo and k_here > k_there))):
        s_hi, s_lo, d_hi, d_lo = d_hi, d_lo, s_hi, s_lo
        k_here = k_there
    h = keys[0] + _times(keys, 1, s_lo) + _times(keys, 5, d_lo) + _times(keys, 17, np.uint64(k_here))
    if s_hi | d_hi | vkey:
        h += _times(keys, 9, s_hi) + _times(keys, 13, d_hi) + _times(keys, 20, vkey)
    return (h & _HASH_MASK) >> 15


@helper
def _icmp_key(proto: int, kind: int, r: np.void, buf: np.ndarray) -> int:
    """Return what tells apart the ICMP flows of two hosts.

    That is the pair of types with the identifier, or the type of an error. The pairs are those of the Community ID
    specification (RFC 792, 950, 1256, 4443, 4861, 2894).
    """
    pair = -1
    with_id = False
    if proto == ICMP:
        if kind in (0, 8):
            pair, with_id = 0, True
        elif 13 <= kind <= 18:
            pair, with_id = (kind - 1) // 2 * 2 + 1, True
        elif kind in (9, 10):
            pair = 9
        elif kind in (3, 4, 5, 11, 12):
            return 1 << 31 | kind
    elif kind in (128, 129):
        pair, with_id = 128, True
    elif 130 <= kind <= 136 and kind != 132:
        pair = 130 if kind <= 131 else (kind - 1) // 2 * 2 + 1
    elif kind in (139, 140, 144, 145):
        pair = 139 if kind <= 140 else 144
    elif kind < 128:
        return 1 << 31 | kind
    if pair < 0:
        return 0
    ident = 0
    at = np.int64(r["l4"]) + 4
    if with_id and at + 2 <= min(np.int64(r["pay"]) + np.int64(r["paylen"]), np.int64(buf.size)):
        ident = np.int64(buf[at]) << 8 | np.int64(buf[at + 1])
    return 1 << 30 | pair << 16 | ident


@inlined
def _row_keys(r: np.void, buf: np.ndarray) -> tuple[int, int]:
    """Return protocol, IP version and ports as one number, in the row's direction and in the other; -1: no flow."""
    proto = np.int64(r["proto"])
    base = proto << 32 | np.int64(r["ipv"]) << 40
    sport, dport = np.int64(r["sport"]), np.int64(r["dport"])
    if proto in (TCP, UDP, SCTP):
        if r["l4"] < 0 or r["anomaly"] & _BROKEN:
            return -1, -1
        return base | sport | dport << 16, base | dport | sport << 16
    if proto in (ICMP, ICMPV6) and r["l4"] >= 0:
        base |= _icmp_key(proto, sport, r, buf)
    return base, base


@inlined
def _vkey(r: np.void, vlan: int) -> np.uint64:
    """Return VLAN ids and tunnel as one number. vlan: whether networks by number are told apart.

    Only VXLAN and GENEVE numbers name a network; a GRE key or an ERSPAN session may differ between two
    directions.
    """
    kind = np.int64(r["tunnel"])
    key = kind << 56
    if vlan and kind >= m.TUNNEL_VXLAN:
        key |= np.int64(r["tunnel_id"])
    if vlan and r["nvlan"] > 0:
        key |= (np.int64(r["vlan0"]) & 0xFFF) << 32
        if r["nvlan"] > 1:
            key |= (np.int64(r["vlan1"]) & 0xFFF) << 44
    return np.uint64(key)


@inlined
def _find(flows: np.ndarray, aux: np.ndarray, slot: int, r: np.void, k_here: int, k_there: int, vkey: np.uint64) -> int:
    """Return twice the slot of a row's flow plus the row's side in it, -1: none. slot: first of the bucket's chain."""
    while slot >= 0:
        a = aux[slot]
        key = a["key"]
        if key in (k_here, k_there):
            f = flows[slot]
            if f["vkey"] == vkey:
                if (key == k_here and f["src_lo"] == r["src_lo"] and f["dst_lo"] == r["dst_lo"]
                        and f["src_hi"] == r["src_hi"] and f["dst_hi"] == r["dst_hi"]):  # fmt: skip
                    return 2 * slot
                if (key == k_there and f["src_lo"] == r["dst_lo"] and f["dst_lo"] == r["src_lo"]
                        and f["src_hi"] == r["dst_hi"] and f["dst_hi"] == r["src_hi"]):  # fmt: skip
                    return 2 * slot + 1
        slot = np.int64(a["hnext"])
    return -1


@helper
def _fold(h: int, multiplier: int, value: np.uint64) -> int:
    h = (h * multiplier + np.int64(value & _WORD32)) % _PRIME
    return (h * multiplier + np.int64(value >> _SHIFT32)) % _PRIME


@helper
def _flow_id(f: np.void, key: int) -> np.uint64:
    """Return the EVE flow_id: 53 bits of the client's key, the first packet's time and number, seed-free."""
    low = high = 1
    for value in (
        f["src_hi"], f["src_lo"], f["dst_hi"], f["dst_lo"], f["vkey"], np.uint64(key),
        np.uint64(f["first_pkt"] & 0x7FFFFFFFFFFFFFFF), np.uint64(f["first"] & 0x7FFFFFFFFFFFFFFF),
    ):  # fmt: skip
        low = _fold(low, 1_103_515_245, value)
        high = _fold(high, 1_664_525, value)
    return np.uint64((high << 22) ^ low)


@helper
def _policy(w: lay.World, ipv: int, hi: np.uint64, lo: np.uint64) -> int:
    for k in range(w.policies.size):
        p = w.policies[k]
        if p["ipv"] != ipv or hi < p["first_hi"] or hi > p["last_hi"]:
            continue
        if (hi == p["first_hi"] and lo < p["first_lo"]) or (hi == p["last_hi"] and lo > p["last_lo"]):
            continue
        return np.int64(p["policy"])
    return w.cfg[lay.C_DEFAULT_POLICY]


@inlined
def _unlink(aux: np.ndarray, timers: np.ndarray, slot: int) -> None:
    """Take a flow off its time-out list."""
    a = aux[slot]
    before, after, timer = np.int64(a["prev"]), np.int64(a["nxt"]), np.int64(a["timer"])
    if before >= 0:
        left = aux[before]
        left["nxt"] = after
    else:
        timers[timer, 0] = after
    if after >= 0:
        right = aux[after]
        right["prev"] = before
    else:
        timers[timer, 1] = before


@inlined
def _link(aux: np.ndarray, timers: np.ndarray, slot: int, timer: int, tick: int) -> None:
    """Put a flow at the young end of a time-out list: each list stays sorted by `tick`, so expiry looks at its head."""
    a = aux[slot]
    last = np.int64(timers[timer, 1])
    a["timer"] = timer
    a["tick"] = tick
    a["prev"] = last
    a["nxt"] = -1
    if last >= 0:
        left = aux[last]
        left["nxt"] = slot
    else:
        timers[timer, 0] = slot
    timers[timer, 1] = slot


@helper
def _timer(proto: int, state: int) -> int:
    """Return the time-out list of a protocol and state."""
    if proto == TCP:
        if state == m.STATE_CLOSED:
            return lay.T_TCP_CLOSED
        first = lay.T_TCP_NEW
    elif proto == UDP:
        first = lay.T_UDP_NEW
    elif proto in (ICMP, ICMPV6):
        first = lay.T_ICMP_NEW
    else:
        first = lay.T_OTHER_NEW
    return first + 1 if state == m.STATE_ESTABLISHED else first


@helper
def _end(w: lay.World, row: int, slot: int, reason: int) -> None:
    """End a flow: hand out what its sides still hold, take it out of the index; the slot waits for `recycle`."""
    f, a = w.flows[slot], w.aux[slot]
    st = w.st
    for side in range(2):
        bits = np.int64(a["bits"][side])
        if f["queue"][side] >= 0 or (bits & lay.SIDE_FIN and not bits & lay.SIDE_FINISHED):
            release(w, f, a, row, slot, side, 2)
    event(w, row, slot, 0, m.SEG_END, 0, reason, 0, f["pos"][0], 0)
    bucket = np.int64(a["bucket"])
    here = np.int64(w.buckets[bucket])
    if here == slot:
        w.buckets[bucket] = a["hnext"]
    else:
        left = w.aux[here]
        while left["hnext"] != slot:
            left = w.aux[left["hnext"]]
        left["hnext"] = a["hnext"]
    _unlink(w.aux, w.timers, slot)
    f["state"] = m.STATE_ENDED
    f["reason"] = reason
    w.ended[st[lay.S_ENDED]] = slot
    st[lay.S_ENDED] += 1
    st[lay.S_LIVE] -= 1


@helper
def _evict(w: lay.World, row: int) -> None:
    """End the least valuable flow: closed before never established before established, the longest idle of its kind."""
    best = np.int64(w.timers[lay.T_TCP_CLOSED, 0])
    for established in range(2):
        if best >= 0:
            break
        tick = 0
        for timer in range(lay.N_TIMERS):
            slot = np.int64(w.timers[timer, 0])
            old = timer in (lay.T_TCP_ESTABLISHED, lay.T_UDP_NEW + 1, lay.T_ICMP_NEW + 1, lay.T_OTHER_NEW + 1)
            if slot >= 0 and old == (established == 1) and timer != lay.T_TCP_CLOSED:
                a = w.aux[slot]
                if best < 0 or a["tick"] < tick:
                    best, tick = slot, a["tick"]
    w.cnt[lay.N_EVICTIONS] += 1
    _end(w, row, best, m.END_FORCED)


@helper
def _answers(buf: np.ndarray, at: int, size: int) -> bool:
    """Tell whether a payload begins as only servers begin: an HTTP status line, or a TLS record with a ServerHello."""
    if size < 7:
        return False
    if buf[at] == 0x16:
        return buf[at + 1] == 3 and buf[at + 5] == 2
    return (
        buf[at] == 72 and buf[at + 1] == 84 and buf[at + 2] == 84 and buf[at + 3] == 80
        and buf[at + 4] == 47 and buf[at + 5] == 49 and buf[at + 6] == 46
    )  # fmt: skip


@helper
def _serves(sport: int, dport: int) -> bool:
    """Tell whether ports name the sender of a packet as the server.

    Clients take theirs from the upper range (RFC 6056 section 2.1; Linux from 32768 on), or at least from above the
    well-known ones; those from 512 on are also taken by clients that are privileged (rsh, NFS), 20 by FTP servers that
    connect.
    """
    return sport != FTP_DATA and (sport < EPHEMERAL <= dport or (sport < PRIVILEGED_CLIENTS and dport >= REGISTERED))


@inlined
def _open(w: lay.World, row: int, r: np.void, buf: np.ndarray, k_here: int, k_there: int, vkey: np.uint64,
          bucket: int, number: int) -> tuple[int, int]:  # fmt: skip
    """Make a flow for a row; return its slot and the row's side.

    The sender is the client, except for a SYN/ACK, and where the flow is met in the middle and a server speaks, or
    ports tell who it is.
    """
    st = w.st
    if st[lay.S_LIVE] >= w.cfg[lay.C_MAX_FLOWS]:
        _evict(w, row)
    if st[lay.S_FREE] > 0:
        st[lay.S_FREE] -= 1
        slot = np.int64(w.slots[st[lay.S_FREE]])
    else:
        slot = st[lay.S_FRESH]
        st[lay.S_FRESH] += 1
    st[lay.S_LIVE] += 1
    proto = np.int64(r["proto"])
    side = 0
    if proto == TCP:
        flags = np.int64(r["tcpflags"]) & (SYN | ACK | RST)
        if flags == SYN | ACK:
            side = 1
        elif flags == ACK:
            serves = w.cfg[lay.C_MIDSTREAM] and _serves(np.int64(r["sport"]), np.int64(r["dport"]))
            side = 1 if serves or _answers(buf, np.int64(r["pay"]), np.int64(r["paylen"])) else 0
    f, a = w.flows[slot], w.aux[slot]
    if side == 0:
        f["src_hi"], f["src_lo"], f["dst_hi"], f["dst_lo"] = (
            r["src_hi"],
            r["src_lo"],
            r["dst_hi"],
            r["dst_lo"],
        )
        f["sport"], f["dport"] = r["sport"], r["dport"]
        a["key"] = k_here
    else:
        f["src_hi"], f["src_lo"], f["dst_hi"], f["dst_lo"] = (
            r["dst_hi"],
            r["dst_lo"],
            r["src_hi"],
            r["src_lo"],
        )
        f["sport"], f["dport"] = r["dport"], r["sport"]
        a["key"] = k_there
    f["vkey"] = vkey
    f["first"] = f["last"] = r["ts"]
    f["first_pkt"] = number
    f["id"] = _flow_id(f, a["key"])
    f["queue"][0] = f["queue"][1] = -1
    f["proto"], f["ipv"] = proto, r["ipv"]
    f["state"] = m.STATE_NEW
    f["nvlan"], f["vlan0"], f["vlan1"] = r["nvlan"], r["vlan0"], r["vlan1"]
    w.cnt[lay.N_TOTAL] += 1
    if proto == TCP:
        w.cnt[lay.N_TCP] += 1
        f["policy"][0] = _policy(w, np.int64(r["ipv"]), f["dst_hi"], f["dst_lo"])
        f["policy"][1] = _policy(w, np.int64(r["ipv"]), f["src_hi"], f["src_lo"])
    elif proto == UDP:
        w.cnt[lay.N_UDP] += 1
    elif proto in (ICMP, ICMPV6):
        w.cnt[lay.N_ICMP] += 1
    else:
        w.cnt[lay.N_OTHER] += 1
    a["serial"] = st[lay.S_SERIAL]
    st[lay.S_SERIAL] += 1
    a["bucket"] = bucket
    a["hnext"] = w.buckets[bucket]
    w.buckets[bucket] = slot
    _link(w.aux, w.timers, slot, _timer(proto, m.STATE_NEW), st[lay.S_CLOCK])
    return slot, side


@helper
def _believe(w: lay.World, clock: int) -> None:
    """Move the clock forward by a jump; the flows of the packet that jumped first were last seen then."""
    st = w.st
    st[lay.S_CLOCK] = clock
    for k in range(st[lay.S_JUMP_FLOWS]):
        slot = st[lay.S_JUMP_SLOTS + k]
        f, a = w.flows[slot], w.aux[slot]
        if f["state"] != m.STATE_FREE and f["state"] != m.STATE_ENDED:
            _unlink(w.aux, w.timers, slot)
            _link(w.aux, w.timers, slot, np.int64(a["timer"]), clock)
    st[lay.S_JUMP] = st[lay.S_JUMP_FLOWS] = 0


@inlined
def _clock(w: lay.World, ts: int, number: int) -> int:
    """Move the clock (seconds) and return the packet's own time on it.

    Time-outs follow forward progress of packet time. A jump of more than CLOCK_STEP seconds is believed
    when the next packet jumps the same way: forward, the clock follows the nearer of the two; backward
    (a second capture appended to a later one), it goes on from where it is.
    """
    st = w.st
    now = ts // NS + st[lay.S_SHIFT]
    if not st[lay.S_STARTED]:
        st[lay.S_STARTED] = 1
        st[lay.S_CLOCK] = st[lay.S_SWEPT] = now
    clock = st[lay.S_CLOCK]
    if clock - CLOCK_STEP <= now <= clock + CLOCK_STEP:
        st[lay.S_JUMP] = 0
        st[lay.S_CLOCK] = max(now, clock)
        return now
    way = 1 if now > clock else -1
    if st[lay.S_JUMP] == way:
        if st[lay.S_JUMP_PKT] == number:
            return now
        w.cnt[lay.N_JUMPS] += 1
        if way > 0:
            clock = min(now, st[lay.S_JUMP_NOW])
            _believe(w, clock)
            if now <= clock + CLOCK_STEP:
                st[lay.S_CLOCK] = now
                return now
        else:
            shift = clock - max(now, st[lay.S_JUMP_NOW])
            st[lay.S_SHIFT] += shift
            now += shift
            st[lay.S_JUMP] = 0
            if now >= clock - CLOCK_STEP:
                return now
    st[lay.S_JUMP] = way
    st[lay.S_JUMP_NOW] = now
    st[lay.S_JUMP_PKT] = number
    st[lay.S_JUMP_FLOWS] = 0
    return now


@helper
def _sweep(w: lay.World, row: int) -> bool:
    """End the flows whose time has come, earliest deadline first; False: no room for their events."""
    st = w.st
    room = ROOM_EVENTS + ROOM_FLOW * w.cfg[lay.C_SIDE_PIECES]
    while True:
        best, due = -1, st[lay.S_CLOCK]
        for timer in range(lay.N_TIMERS):
            slot = np.int64(w.timers[timer, 0])
            if slot >= 0:
                a = w.aux[slot]
                when = a["tick"] + w.cfg[lay.C_TIMEOUTS + timer]
                if when < due:
                    best, due = slot, when
        if best < 0:
            st[lay.S_SWEPT] = st[lay.S_CLOCK]
            return True
        if st[lay.S_OUT] + room > w.out.size:
            return False
        w.cnt[lay.N_TIMEOUTS] += 1
        _end(w, row, best, m.END_TIMEOUT)


@helper
def _flush_time(w: lay.World, start: int, victims: np.ndarray) -> int:
    """Time-outs up to S_NOW, then the end of the given flows; returns the next victim's index."""
    st = w.st
    if st[lay.S_STARTED] and st[lay.S_NOW] + st[lay.S_SHIFT] > st[lay.S_CLOCK]:
        now = st[lay.S_NOW] + st[lay.S_SHIFT]
        if st[lay.S_JUMP] > 0:
            _believe(w, min(now, st[lay.S_JUMP_NOW]))
        st[lay.S_CLOCK] = now
    if st[lay.S_SWEPT] != st[lay.S_CLOCK] and not _sweep(w, -1):
        st[lay.S_WHY] = lay.WHY_OUT
        return start
    room = ROOM_EVENTS + ROOM_FLOW * w.cfg[lay.C_SIDE_PIECES]
    for k in range(start, victims.size):
        if st[lay.S_OUT] + room > w.out.size:
            st[lay.S_WHY] = lay.WHY_OUT
            return k
        f = w.flows[victims[k]]
        if f["state"] != m.STATE_ENDED:
            _end(w, -1, victims[k], m.END_SHUTDOWN)
    st[lay.S_WHY] = lay.WHY_DONE
    return victims.size


@inlined
def _walk(start: int, rows: np.ndarray, buf: np.ndarray, numbers: np.ndarray, w: lay.World) -> int:
    """Track rows from `start` on; return the row to go on with.

    That is rows.size when all are done, else the caller makes room for what S_WHY names and calls again.

    rows: ROW[n], whose flow columns are written; buf: uint8, the row buffer; numbers: int64, packet number
    per `rows["pkt"]`. In MODE_TIME there are no rows: `numbers` holds the slots of flows to end, after
    time-outs up to the clock.
    """
    out, flows, aux, buckets, timers, keys = w.out, w.flows, w.aux, w.buckets, w.timers, w.keys
    st, cfg, cnt = w.st, w.cfg, w.cnt
    if st[lay.S_MODE] == lay.MODE_TIME:
        return _flush_time(w, start, numbers)
    capacity, limit, mask, pieces = flows.size, out.size, buckets.size - 1, w.pieces.size
    room = ROOM_EVENTS + 2 * ROOM_FLOW * cfg[lay.C_SIDE_PIECES]
    for row in range(start, rows.size):
        r = rows[row]
        proto = np.int64(r["proto"])
        chunks = np.int64(r["paylen"]) // CHUNK
        if st[lay.S_OUT] + room + 2 * chunks > limit:
            st[lay.S_WHY] = lay.WHY_OUT
            return row
        number = numbers[r["pkt"]]
        now = _clock(w, r["ts"], number)
        if st[lay.S_SWEPT] != st[lay.S_CLOCK] and not _sweep(w, row):
            st[lay.S_WHY] = lay.WHY_OUT
            return row
        if st[lay.S_FREE] == 0 and st[lay.S_FRESH] >= capacity:
            st[lay.S_WHY] = lay.WHY_SLOT
            return row
        k_here = k_there = -1
        if r["ipv"] != 0 and r["dup"] == 0 and r["frag"] != m.FRAG_PART:
            k_here, k_there = _row_keys(r, buf)
        if k_here < 0:
            r["flow"] = -1
            r["side"] = 0
            r["fstate"] = 0
            r["stream"] = m.STREAM_IGNORED if proto == TCP and r["paylen"] > 0 else m.STREAM_NONE
            cnt[lay.N_UNTRACKED] += 1
            continue
        if (
            proto == TCP
            and pieces - st[lay.S_PIECES_FRESH] + st[lay.S_PIECES_FREE] < chunks + cfg[lay.C_SIDE_PIECES] + 8
        ):
            st[lay.S_WHY] = lay.WHY_PIECE
            return row
        vkey = _vkey(r, cfg[lay.C_VLAN])
        bucket = _hash(keys, r, k_here, k_there, vkey) & mask
        found = _find(flows, aux, np.int64(buckets[bucket]), r, k_here, k_there, vkey)
        slot, side = found >> 1, found & 1
        reused = 0
        if slot >= 0:
            a = aux[slot]
            if now - a["tick"] > cfg[lay.C_TIMEOUTS + np.int64(a["timer"])]:
                cnt[lay.N_TIMEOUTS] += 1
                _end(w, row, slot, m.END_TIMEOUT)
                slot = -1
            elif proto == TCP:
                reused = reused_ports(flows[slot], a, r, side) if np.int64(r["tcpflags"]) & SYN else 0
                if reused > 0:
                    cnt[lay.N_CLOSED] += 1
                    cnt[lay.N_REUSE] += reused < 3
                    _end(w, row, slot, m.END_CLOSED)
                    slot = -1
        bits = 0
        if slot < 0:
            slot, side = _open(w, row, r, buf, k_here, k_there, vkey, bucket, number)
            bits = m.FS_NEW
            if 0 < reused < 3:
                note(w, flows[slot], aux[slot], row, slot, side, _REUSE)
            if reused >= 2:
                syn_seen(flows[slot], aux[slot], 1 - side, np.int64(r["ack"]))
        f, a = flows[slot], aux[slot]
        size = r["iplen"] if r["parent"] >= 0 or r["frag"] == m.FRAG_REASSEMBLED else r["wirelen"]
        f["bytes"][side] += np.uint64(max(size, 0))
        f["pkts"][side] = (np.int64(f["pkts"][side]) + 1) & MASK
        f["last"] = max(f["last"], r["ts"])
        stream = m.STREAM_NONE
        if proto == TCP:
            stream = segment(w, f, a, r, buf, row, slot, side)
            bits |= stream >> 8
            stream &= 255
            tcpstate = np.int64(f["tcpstate"])
            if tcpstate >= m.TCP_LAST_ACK:
                f["state"] = m.STATE_CLOSED
                bits |= m.FS_CLOSED
            elif tcpstate >= m.TCP_ESTABLISHED:
                f["state"] = m.STATE_ESTABLISHED
            if f["midstream"]:
                bits |= m.FS_MIDSTREAM
        elif f["pkts"][0] > 0 and f["pkts"][1] > 0:
            f["state"] = m.STATE_ESTABLISHED
            a["flags"] |= lay.A_ESTABLISHED
        if a["flags"] & lay.A_ESTABLISHED:
            bits |= m.FS_ESTABLISHED
        if f["pkts"][1] > 0:
            bits |= m.FS_TO_CLIENT_SEEN
        timer = _timer(proto, np.int64(f["state"]))
        if a["tick"] != st[lay.S_CLOCK] or a["timer"] != timer:
            _unlink(aux, timers, slot)
            _link(aux, timers, slot, timer, st[lay.S_CLOCK])
        if st[lay.S_JUMP] != 0 and st[lay.S_JUMP_FLOWS] < lay.MAX_JUMP_SLOTS:
            st[lay.S_JUMP_SLOTS + st[lay.S_JUMP_FLOWS]] = slot
            st[lay.S_JUMP_FLOWS] += 1
        r["flow"] = slot
        r["side"] = side
        r["fstate"] = bits
        r["stream"] = stream
    st[lay.S_WHY] = lay.WHY_DONE
    return rows.size


def _array(dtype: np.dtype, ndim: int = 1) -> types.Array:
    return types.Array(from_dtype(dtype), ndim, "C")


_BYTES = types.Array(types.uint8, 1, "C", readonly=True)
_NUMBERS = types.Array(int64, 1, "C", readonly=True)
_I32, _I64 = np.dtype(np.int32), np.dtype(np.int64)
_named_tuple: Any = types.NamedTuple
_WORLD = _named_tuple(
    (
        _array(m.SEG), _array(m.FLOW), _array(lay.AUX), _array(lay.PIECE), _array(np.dtype(np.uint8)),
        _array(_I32), _array(_I32), _array(_I32), _array(_I32), _array(_I32), _array(_I32, 2),
        _array(_I64), _array(_I64), _array(lay.POLICY), _array(_I64), _array(_I64),
    ),
    lay.World,
)  # fmt: skip


def _build(stamped: int) -> Any:  # a dispatcher; with NUMBA_DISABLE_JIT the function
    def track_rows(start: int, rows: np.ndarray, buf: np.ndarray, numbers: np.ndarray, w: lay.World) -> int:
        return _walk(start, rows, buf, numbers, w) if stamped >= 0 else start

    return kernel(int64(int64, _array(m.ROW), _BYTES, _NUMBERS, _WORLD))(track_rows)


track = _build(stamp(kernels_reassembly, kernels_tcp, lay, limits, m))
