"""IP reassembly: fragments in, whole datagrams out as rows of their own.

Overlaps are resolved as the receiving system would (Novak, "Target-Based Fragmentation Reassembly", 2005);
each overlap, and whether its bytes differ, is an anomaly on the row that made it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import numpy as np

from sensor.flow import kernels_defrag as kernels
from sensor.flow.limits_fragments import FRAG_DEPTH, FRAG_SHARE, DefragLimits
from sensor.model.anomaly import DecodeAnomaly
from sensor.model.counters import Counters
from sensor.model.rows import FRAG_PART, FRAG_REASSEMBLED, ROW

_F, _L, _B, _BR, _X, _W = (
    kernels.FIRST, kernels.LAST, kernels.BSD, kernels.BSD_RIGHT, kernels.LINUX, kernels.WINDOWS
)  # fmt: skip
POLICIES: Final[Mapping[str, int]] = MappingProxyType({
    "first": _F, "last": _L, "bsd": _B, "bsd-right": _BR, "linux": _X, "windows": _W,
    "old-linux": _X, "vista": _W, "windows2k3": _W, "macos": _B, "irix": _B, "hpux10": _B,
    "hpux11": _F, "solaris": _F, "old-solaris": _F,
})  # fmt: skip
"""Which bytes win where fragments overlap, under the names that stream reassembly has too (Suricata's).

Between a stored piece and a new fragment: `first` the stored, `last` the new; `bsd` the stored if it begins
no later; `linux` if it begins earlier; `bsd-right` the new if the stored begins no later; `windows` the
stored, unless the new fragment reaches beyond both its ends. The other names are systems and stand for one
of these."""

Decode = Callable[[np.ndarray, int, int, np.void], np.ndarray]
"""(buf, offset, length, row of the last fragment) → ROW[n] of the IP datagram there: its own row first, with
parent -1, then those of tunnels inside it, whose parents count from 0. Offsets refer to `buf`."""

DecodeMany = Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""(buf, offsets: int64[n], lengths: int32[n], last fragments: ROW[n]) → ROW[m]: the same for n datagrams at once,
as decoding a block of n packets gives it. `pkt` is the index of the datagram, parents count from the first row."""

_RECORD = np.dtype((np.void, ROW.itemsize))
_OUT = 4 * kernels.OUT_SIZE
"""Bytes of datagrams completed per call of the kernel."""


class DefragCounters(Counters):
    """What reassembly has done."""

    __slots__ = (  # in the order of the kernel's counters
        "fragments", "reassembled", "timeouts", "evicted_trackers", "evicted_memory", "too_large", "ignored",
        "truncated", "max_fragments", "max_overlaps", "overlaps", "overlaps_different", "duplicates",
    )  # fmt: skip

    fragments: int
    """Fragments seen."""
    reassembled: int
    """Datagrams completed."""
    timeouts: int
    """Datagrams given up because their first fragment was too old."""
    evicted_trackers: int
    """Datagrams given up because too many were under way."""
    evicted_memory: int
    """Datagrams given up because the rings of fragments or of their bytes were full."""
    too_large: int
    """Fragments beyond the end of the largest datagram ("ping of death")."""
    ignored: int
    """Fragments that no host would take: no data, odd length, behind the end."""
    truncated: int
    """Fragments of which the capture has only a part."""
    max_fragments: int
    """Fragments refused because their datagram had too many."""
    max_overlaps: int
    """Fragments refused because their datagram had too many overlaps."""
    overlaps: int
    """Fragments that overlap others."""
    overlaps_different: int
    """... with different bytes."""
    duplicates: int
    """Fragments that were there already, byte for byte."""


class Defragmenter:
    """Datagrams under reassembly, between blocks. Memory is taken as it is touched, at most `memcap` * 5/4 + 15 MB.

    The fragments of each tunnel layer are a stage of their own behind that of the layer around it, so what comes
    out does not depend on how packets are cut into blocks.
    """

    def __init__(self, limits: DefragLimits, policy: str = "bsd", seed: int = 0) -> None:
        """`seed` keys the hash tables, it never changes the result. Raises ValueError for unknown policies."""
        if policy not in POLICIES:
            raise ValueError(f"defrag policy must be one of {', '.join(POLICIES)}, not {policy}")
        self.counters = DefragCounters()
        inner = DefragLimits(
            trackers=max(limits.trackers // FRAG_SHARE, 16),
            fragments=max(limits.fragments // FRAG_SHARE, 64),
            memcap=max(limits.memcap // FRAG_SHARE, 256 << 10),
            timeout_ns=limits.timeout_ns,
            per_datagram=limits.per_datagram,
            overlaps=limits.overlaps,
        )
        self._layers = [
            _Layer(inner if depth else limits, POLICIES[policy], seed & 0xFFFFFFFF) for depth in range(FRAG_DEPTH)
        ]

    @property
    def pending(self) -> int:
        """Datagrams under reassembly."""
        return sum(int(layer.meta[kernels.M_LIVE]) for layer in self._layers)

    def process(
        self, rows: np.ndarray, buf: np.ndarray, decode: Decode, decode_many: DecodeMany | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return rows and buffer with the datagrams that this block completed.

        rows: ROW[n] (duplicates marked); buf: uint8. Both come back untouched when no row is a fragment.
        Otherwise each datagram's bytes stand behind the block's own in a grown copy of the buffer (valid until
        the next call), and its rows behind the row of its last fragment, with that packet's time, number, VLANs,
        tunnel and parent. Their `l2` is `l3`: the frame they came in is that of the fragment.
        `decode_many` is used instead of `decode` where given: per datagram decoding alone costs ten times as much.
        """
        if not (rows["frag"] == FRAG_PART).any():
            return rows, buf
        many = decode_many or _one_by_one(decode)
        for depth, layer in enumerate(self._layers):
            which = _fragments(rows, depth)
            if which.size:
                rows, buf = layer.run(rows, buf, which, many)
        self._deeper(rows)
        first = kernels.C_FRAGMENTS
        for k, name in enumerate(self.counters.names()):
            setattr(self.counters, name, sum(int(layer.meta[first + k]) for layer in self._layers))
        return rows, buf

    def _deeper(self, rows: np.ndarray) -> None:
        """Mark the fragments below the last layer that is reassembled."""
        which = _fragments(rows, FRAG_DEPTH, deeper=True)
        if which.size:
            rows["anomaly"][which] |= np.uint64(1 << DecodeAnomaly.FRAG_IGNORED)
            self._layers[-1].meta[kernels.C_FRAGMENTS] += which.size
            self._layers[-1].meta[kernels.C_IGNORED] += which.size


class _Layer:
    """The datagrams under reassembly of one tunnel layer: the arrays of the kernel."""

    def __init__(self, limits: DefragLimits, policy: int, seed: int) -> None:
        n = limits.trackers
        self.meta = np.zeros(32, np.int64)
        self.meta[[kernels.M_OLDEST, kernels.M_NEWEST, kernels.M_FREE]] = -1, -1, n
        self._state = (
            np.zeros(n + 1, kernels.TRACK),
            np.zeros((n, kernels.UNITS // 32), np.uint32),
            np.zeros(limits.fragments, kernels.NODE),
            np.empty(limits.memcap, np.uint8),
            np.full(2 << (n - 1).bit_length(), -1, np.int32),
            np.arange(n, dtype=np.int32)[::-1].copy(),
            self.meta,
            np.array([limits.timeout_ns, limits.per_datagram, limits.overlaps, policy, seed], np.int64),
            np.empty((2, kernels.UNITS), np.int32),
        )
        self._out = np.empty(_OUT, np.uint8)
        self._joined = np.empty(0, np.uint8)

    def run(
        self, rows: np.ndarray, buf: np.ndarray, which: np.ndarray, many: DecodeMany
    ) -> tuple[np.ndarray, np.ndarray]:
        """Take the fragments `which` (row numbers, int64[n]); return rows and buffer with what they completed."""
        parts, found, base = [buf], [], int(buf.size)
        at = 0
        while at < which.size:
            done = np.empty((which.size - at, 3), np.int64)
            at = kernels.step(rows, buf, which, at, *self._state, done, self._out)
            done = done[: self.meta[kernels.M_DONE]]
            if done.size:
                part = self._out[: int(done[-1, 1] + done[-1, 2])].copy()
                done[:, 1] += base
                parts.append(part)
                found.append(done)
                base += part.size
        if not found:
            return rows, buf
        if base > self._joined.size:
            self._joined = np.empty(base + base // 2, np.uint8)
        # Always the same buffer: its pages are there (8 MB of new ones cost 2 ms).
        buf = np.concatenate(parts, out=self._joined[:base])
        return _merge(rows, *_decoded(rows, buf, np.concatenate(found), many)), buf


def _decoded(rows: np.ndarray, buf: np.ndarray, done: np.ndarray, many: DecodeMany) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of datagrams, their parents counted from the first, and int64[n]: the row each goes behind.

    done: int64[k, 3], row of the last fragment, offset and length of each datagram.
    """
    new = many(buf, done[:, 1].copy(), done[:, 2].astype(np.int32), rows[done[:, 0]])
    behind = done[new["pkt"], 0]
    top = new["parent"] < 0
    for name in ("ts", "pkt", "vlan0", "vlan1", "nvlan"):
        new[name] = rows[name][behind]
    for name in ("tunnel", "tunnel_id", "ethertype", "ipid"):
        new[name][top] = rows[name][behind[top]]
    new["frag"][top] = FRAG_REASSEMBLED
    return new, behind


def _one_by_one(decode: Decode) -> DecodeMany:
    """Make a decoder of many datagrams out of one of a single datagram."""

    def many(buf: np.ndarray, offsets: np.ndarray, lengths: np.ndarray, last: np.ndarray) -> np.ndarray:
        found, size = [], 0
        for k in range(offsets.size):
            new = decode(buf, int(offsets[k]), int(lengths[k]), last[k])
            new["pkt"] = k
            new["parent"][new["parent"] >= 0] += size
            found.append(new)
            size += new.size
        return np.concatenate([new.view(_RECORD) for new in found]).view(ROW)

    return many


def _fragments(rows: np.ndarray, depth: int, *, deeper: bool = False) -> np.ndarray:
    """Return int64[n]: the rows that are fragments in a tunnel layer (or deeper), 0 the outermost."""
    which = np.flatnonzero((rows["frag"] == FRAG_PART) & (rows["dup"] == 0))
    up = rows["parent"][which]
    for _ in range(depth):
        which, up = which[up >= 0], rows["parent"][up[up >= 0]]
    return which if deeper else which[up < 0]


def _merge(rows: np.ndarray, new: np.ndarray, behind: np.ndarray) -> np.ndarray:
    """Insert rows behind others and renumber the parents of all.

    behind: int64[new.size], in order; tops among the new ones get the parent of the row they go behind.
    """
    place = np.arange(rows.size) + np.searchsorted(behind, np.arange(rows.size))
    where = behind + 1 + np.arange(new.size)
    old = np.where(rows["parent"] >= 0, place[rows["parent"]], -1)
    new["parent"] = np.where(new["parent"] >= 0, where[new["parent"]], old[behind])
    rows["parent"] = old
    # Whole records as memory: assigned as records, each field would be copied by itself (5 ms for 16,384 rows).
    # np.concatenate of records would lose the dtype's alignment flag, and with it the kernels' signatures.
    merged = np.empty(rows.size + new.size, ROW)
    to = merged.view(_RECORD)
    to[place] = rows.view(_RECORD)
    to[where] = new.view(_RECORD)
    return merged
