"""The flow table: rows in, flows and stream events out. The work is done in `kernels_track`."""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

import numpy as np

from sensor.flow import track_layout as lay
from sensor.flow.kernels_track import ROOM_EVENTS, ROOM_FLOW, track
from sensor.flow.limits import CHUNK, FlowLimits
from sensor.model.counters import Counters
from sensor.model.growing import grown
from sensor.model.rows import FLOW, SEG, STATE_ENDED, STATE_FREE, new_rows

POLICIES: Final[Mapping[str, int]] = MappingProxyType({
    "first": lay.P_FIRST, "vista": lay.P_FIRST, "old-solaris": lay.P_FIRST,
    "last": lay.P_LAST,
    "bsd": lay.P_BSD, "bsd-right": lay.P_BSD, "windows": lay.P_BSD, "windows2k3": lay.P_BSD, "hpux10": lay.P_BSD,
    "irix": lay.P_BSD, "macos": lay.P_BSD,
    "linux": lay.P_LINUX, "old-linux": lay.P_OLD_LINUX,
    "solaris": lay.P_SOLARIS, "hpux11": lay.P_SOLARIS,
})  # fmt: skip
"""Overlap policy by operating system, with Suricata's names (`host-os-policy`)."""

_PIECES_AT_START = 2048
_LARGEST_PAYLOAD = 65_535
_NS = 1_000_000_000


class FlowCounters(Counters):
    """What the table counted; `active` and `memuse` are as they are now, the rest since the start."""

    __slots__ = lay.COUNTERS


class FlowTable:
    """Assigns rows to flows, runs TCP, reassembles streams. All state is in arrays; time is packet time.

    limits: see `FlowLimits`. seed: secret of the key hash; it shows in no output. policies: (network or
    address, policy name) pairs, the most specific network counts. default_policy: for all other hosts. Raises
    ValueError for an unknown policy or network. smb: number of SMB in `FLOW.app`; -1: it has no depth of its own.
    """

    def __init__(
        self,
        limits: FlowLimits,
        seed: int,
        policies: Sequence[tuple[str, str]] = (),
        default_policy: str = "bsd",
        smb: int = -1,
    ) -> None:
        self.limits = limits
        self.counters = FlowCounters()
        slots = limits.max_flows + limits.slack
        self.flows = np.zeros(slots, FLOW)
        """FLOW[capacity]; the index is the slot. `track` may replace it by a larger one."""
        self._aux = np.zeros(slots, lay.AUX)
        self._slots = np.zeros(slots, np.int32)
        self._ended = np.zeros(slots, np.int32)
        self._pieces = np.zeros(_PIECES_AT_START, lay.PIECE)
        self._piece_free = np.zeros(_PIECES_AT_START, np.int32)
        self._piece_spent = np.zeros(_PIECES_AT_START, np.int32)
        self.queue_buf = np.zeros(_PIECES_AT_START * CHUNK, np.uint8)
        """uint8: where the offsets of SEG_DATA events with src 1 point, until `recycle`."""
        self._buckets = np.full(1 << (limits.max_flows - 1).bit_length(), -1, np.int32)
        self._timers = np.full((lay.N_TIMERS, 2), -1, np.int32)
        self._cfg = _config(limits, _policy_number(default_policy), smb)
        self._keys = _hash_keys(seed)
        self._policies = _policy_table(policies)
        self._room = ROOM_EVENTS + 2 * ROOM_FLOW * limits.side_segments + 2 * (_LARGEST_PAYLOAD // CHUNK)
        """Events that the kernel wants room for before it looks at a row: with less, `out` would grow in each block."""
        self._st = np.zeros(lay.S_SIZE, np.int64)
        self._cnt = np.zeros(len(lay.COUNTERS), np.int64)

    def track(self, rows: np.ndarray, buf: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        """Write the flow columns of the rows of a block and return what happened to streams, in packet order.

        rows: ROW[n]; buf: uint8, what the rows' offsets point into; numbers: int64, number of each captured
        packet (`rows["pkt"]` indexes it), different for every packet. Returns SEG[k]. A time-out's SEG_END
        carries the row before which it happened and precedes that row's events.
        """
        return self._run(lay.MODE_ROWS, rows, buf, np.ascontiguousarray(numbers, np.int64))

    def recycle(self) -> None:
        """Free the slots of flows that ended and the memory of queued bytes that were delivered."""
        st = self._st
        if ended := int(st[lay.S_ENDED]):
            slots = self._ended[:ended]
            # As bytes: assigning padded records copies field by field, ten times slower.
            for table in (self.flows, self._aux):
                table.view(np.uint8).reshape(table.size, -1)[slots] = 0
            free = int(st[lay.S_FREE])
            self._slots[free : free + ended] = slots
            st[lay.S_FREE] += ended
            st[lay.S_ENDED] = 0
        if spent := int(st[lay.S_PIECES_SPENT]):
            free = int(st[lay.S_PIECES_FREE])
            self._piece_free[free : free + spent] = self._piece_spent[:spent]
            st[lay.S_PIECES_FREE] += spent
            st[lay.S_PIECES_SPENT] = 0

    def clock_set(self, ahead_ns: int) -> None:
        """Take note that packets from now on carry a time that was set forward (negative: back): no flow is older."""
        self._st[lay.S_SHIFT] -= round(ahead_ns / _NS)

    def expire(self, now_ns: int) -> np.ndarray:
        """Let time pass without a packet: return the SEG events (row -1) of flows that time out by `now_ns`."""
        self._st[lay.S_NOW] = now_ns // _NS
        return self._run(lay.MODE_TIME, new_rows(0), _NOTHING, np.zeros(0, np.int64))

    def finish(self, now_ns: int) -> np.ndarray:
        """End of input: return the SEG events (row -1) that end every flow.

        Time-outs up to `now_ns` come first, then all other flows in the order of their creation, reason
        shutdown.
        """
        self._st[lay.S_NOW] = now_ns // _NS
        states = self.flows["state"][: int(self._st[lay.S_FRESH])]
        live = np.flatnonzero((states != STATE_FREE) & (states != STATE_ENDED))
        victims = live[np.argsort(self._aux["serial"][live])]
        return self._run(lay.MODE_TIME, new_rows(0), _NOTHING, victims)

    def _run(self, mode: int, rows: np.ndarray, buf: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        st = self._st
        st[lay.S_MODE], st[lay.S_OUT] = mode, 0
        out = np.empty(rows.size + rows.size // 4 + self._room, SEG)
        at = 0
        while True:
            at = track(at, rows, buf, numbers, self._world(out))
            why = int(st[lay.S_WHY])
            if why == lay.WHY_DONE:
                break
            if why == lay.WHY_OUT:
                out = grown(out, 2 * out.size)
            elif why == lay.WHY_SLOT:
                self._grow_slots()
            else:
                self._grow_pieces()
        self._count()
        return out[: int(st[lay.S_OUT])]

    def _world(self, out: np.ndarray) -> lay.World:
        return lay.World(
            out, self.flows, self._aux, self._pieces, self.queue_buf, self._buckets, self._slots, self._ended,
            self._piece_free, self._piece_spent, self._timers, self._cfg, self._keys, self._policies,
            self._st, self._cnt,
        )  # fmt: skip

    def _grow_slots(self) -> None:
        """More flows ended in this block than there is slack for; live flows stay below their cap."""
        size = self.flows.size + max(self.limits.slack, self.flows.size // 2)
        self.flows = grown(self.flows, size)
        self._aux = grown(self._aux, size)
        self._slots = grown(self._slots, size)
        self._ended = grown(self._ended, size)

    def _grow_pieces(self) -> None:
        size = 2 * self._pieces.size
        self._pieces = grown(self._pieces, size)
        self._piece_free = grown(self._piece_free, size)
        self._piece_spent = grown(self._piece_spent, size)
        self.queue_buf = grown(self.queue_buf, size * CHUNK)

    def _count(self) -> None:
        st, cnt = self._st, self._cnt
        cnt[lay.N_ACTIVE] = st[lay.S_LIVE]
        record = FLOW.itemsize + lay.AUX.itemsize
        cnt[lay.N_MEMUSE] = st[lay.S_LIVE] * record + st[lay.S_PIECES_LIVE] * (CHUNK + lay.PIECE.itemsize)
        for name, value in zip(lay.COUNTERS, cnt.tolist(), strict=True):
            setattr(self.counters, name, value)


_NOTHING: Final = np.zeros(0, np.uint8)


def _hash_keys(seed: int) -> np.ndarray:
    """Return the secret multipliers of the key hash, 46 bits each."""
    digest = hashlib.shake_128(str(seed).encode()).digest(8 * lay.HASH_KEYS)
    return (np.frombuffer(digest, "<u8") >> np.uint64(18)).astype(np.int64)


def _config(limits: FlowLimits, default_policy: int, smb: int) -> np.ndarray:
    cfg = np.zeros(lay.C_SIZE, np.int64)
    cfg[lay.C_MAX_FLOWS] = limits.max_flows
    cfg[lay.C_VLAN] = limits.vlan_tracking
    cfg[lay.C_MIDSTREAM] = limits.midstream
    cfg[lay.C_CHECKSUM] = limits.checksum_validation
    cfg[lay.C_MAX_PIECES] = limits.memcap // CHUNK
    cfg[lay.C_SIDE_BYTES] = limits.side_bytes
    cfg[lay.C_SIDE_PIECES] = limits.side_segments
    cfg[lay.C_DEPTH] = limits.depth
    cfg[lay.C_SMB], cfg[lay.C_SMB_DEPTH] = smb, limits.smb_depth
    cfg[lay.C_SLACK] = limits.window_slack
    cfg[lay.C_UNKNOWN_WINDOW] = limits.unknown_window
    cfg[lay.C_DEFAULT_POLICY] = default_policy
    cfg[lay.C_URGENT] = limits.urgent == "oob"
    t = limits.timeouts
    cfg[lay.C_TIMEOUTS :] = (
        t.tcp_new, t.tcp_established, t.tcp_closed, t.udp_new, t.udp_established,
        t.icmp_new, t.icmp_established, t.default_new, t.default_established,
    )  # fmt: skip
    return cfg


def _policy_number(name: str) -> int:
    if name not in POLICIES:
        raise ValueError(f"unknown overlap policy {name!r}; known are {', '.join(POLICIES)}")
    return POLICIES[name]


def _policy_table(policies: Sequence[tuple[str, str]]) -> np.ndarray:
    """Return POLICY[n], longest prefix first."""
    networks = [(ipaddress.ip_network(net, strict=False), _policy_number(name)) for net, name in policies]
    networks.sort(key=lambda entry: -entry[0].prefixlen)
    table = np.zeros(len(networks), lay.POLICY)
    for k, (net, policy) in enumerate(networks):
        first, last = int(net.network_address), int(net.broadcast_address)
        low = (1 << 64) - 1
        table[k] = (first >> 64, first & low, last >> 64, last & low, net.version, policy)
    return table
