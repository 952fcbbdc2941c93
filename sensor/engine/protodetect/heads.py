"""Which protocol flows speak: first bytes kept until content decides (`sensor.proto.kernels_probe`)."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from sensor.detect.headers.heads import Heads
from sensor.engine.block.history import AppChanges
from sensor.engine.protodetect.kernels_heads import detect, detect_datagrams
from sensor.model.distinct import among, distinct
from sensor.model.rows import APP_UNDECIDED, SEG_DATA
from sensor.proto.kernels_probe import HEAD
from sensor.proto.limits_ports import DnsPorts, dns_at
from sensor.proto.registry import APP_ID

_NOTHING = AppChanges()


class Detector:
    """Writes `FLOW.app`."""

    def __init__(self, slots: int, dns: DnsPorts) -> None:
        self._heads = np.zeros((slots, 2, HEAD), np.uint8)
        self._lengths = np.zeros((slots, 2), np.int64)
        self._voices = np.zeros((slots, 2), np.uint8)
        self._names_tcp, self._names_udp = dns_at(dns.tcp), dns_at(dns.udp)
        self.mismatches = np.zeros((0, 2), np.int32)
        """Of the last block: segments at which it showed that the sides of a flow do not speak as they should, and why
        (`kernels_heads.TWO_PROTOCOLS`, …)."""
        self.told = _NOTHING
        """Of the last block: when it was told what the sides of flows speak by themselves."""

    def streams(self, segs: np.ndarray, seg_at: np.ndarray, data: np.ndarray, flows: np.ndarray) -> AppChanges:
        """Decide for TCP flows that got data. segs: SEG[m], seg_at: int64[m], data: uint8[k]."""
        if not segs.size:
            self.mismatches, self.told = self.mismatches[:0], _NOTHING
            return AppChanges()
        if flows.size > len(self._heads):
            self._grow(flows.size)
        found = np.empty(segs.size, np.int32), np.empty(segs.size, np.int32), np.empty(segs.size, np.uint8)
        # At one segment it may show that a side is given up and, by what the side speaks, that something is odd.
        odd, why = np.empty(2 * segs.size + 1, np.int32), np.empty(2 * segs.size, np.uint8)
        kept = self._heads, self._lengths, self._voices
        told = np.empty(segs.size + 1, np.int32)
        n = detect(segs, seg_at, data, flows, *kept, *found, odd, why, told, self._names_tcp)
        count = int(np.argmax(odd == -1))
        self.mismatches = np.stack([odd[:count], why[:count].astype(np.int32)], axis=1)
        self.told = self._told(segs[told[: int(np.argmax(told == -1))]])
        return AppChanges(*(column[:n] for column in found))

    @staticmethod
    def _told(segs: np.ndarray) -> AppChanges:
        """Return when sides (`history.side_id`) began to speak something by themselves."""
        sides = segs["flow"].astype(np.int32) * 2 + segs["side"]
        return AppChanges(sides, segs["row"].astype(np.int32), np.full(segs.size, APP_UNDECIDED, np.uint8))

    def take_back(self, segs: np.ndarray, announced: Collection[int]) -> None:
        """Forget what the bytes of announced flows seem to tell. announced: slots, with those of earlier blocks."""
        slots = np.fromiter(announced, np.int32, len(announced))
        self._voices[slots] = APP_UNDECIDED
        self.mismatches = self.mismatches[~among(segs["flow"][self.mismatches[:, 0]], slots)]
        mine = among(self.told.slots // 2, slots)
        self.told = AppChanges(self.told.slots[~mine], self.told.rows[~mine], self.told.before[~mine])

    def voices(self, slot: int) -> list[int]:
        """Return what each side of a flow speaks by itself (`APP_UNDECIDED`: it has not told)."""
        found: list[int] = self._voices[slot].tolist()
        return found

    @property
    def heads(self) -> Heads:
        """The first bytes of the sides of flows, as far as they were kept."""
        return Heads(self._heads.reshape(-1), self._lengths.reshape(-1))

    def _grow(self, slots: int) -> None:
        """Follow the flow table's growth."""
        heads, lengths, voices = self._heads, self._lengths, self._voices
        self._heads = np.zeros((slots, 2, HEAD), np.uint8)
        self._lengths = np.zeros((slots, 2), np.int64)
        self._voices = np.zeros((slots, 2), np.uint8)
        self._heads[: len(heads)], self._lengths[: len(lengths)], self._voices[: len(voices)] = heads, lengths, voices

    def split_hellos(self, flows: np.ndarray, segs: np.ndarray) -> np.ndarray:
        """Return the slots of TLS flows of this block of which a side does not begin with one whole record of a hello.

        A record header then may stand inside the hello and cut a name in two (RFC 8446 section 5.1), or something
        else stands in front of it.
        """
        slots = distinct(segs["flow"][segs["kind"] == SEG_DATA])
        slots = slots[flows["app"][slots] == APP_ID["tls"]]
        head = self._heads[slots].astype(np.int64)
        record = head[:, :, 3] << 8 | head[:, :, 4]
        message = head[:, :, 6] << 16 | head[:, :, 7] << 8 | head[:, :, 8]
        whole = (head[:, :, 0] == 22) & (head[:, :, 5] >= 1) & (head[:, :, 5] <= 2) & (message + 4 <= record)
        known = self._lengths[slots] >= 9
        split: np.ndarray = slots[(known & ~whole).any(axis=1)]
        return split

    def datagrams(
        self, rows: np.ndarray, buf: np.ndarray, flows: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, AppChanges]:
        """Return (row numbers, app ids) of the UDP rows with payload; each datagram is decided by itself."""
        at, apps = np.empty(rows.size, np.int64), np.empty(rows.size, np.uint8)
        changed, before = np.empty(rows.size + 1, np.int32), np.empty(rows.size + 1, np.uint8)
        n = detect_datagrams(rows, buf, flows, at, apps, changed, before, self._names_udp)
        changed = changed[: int(np.argmax(changed == -1))]
        return at[:n], apps[:n], AppChanges(rows["flow"][changed], changed, before[: changed.size])

    def forget(self, slots: np.ndarray) -> None:
        """Clear what is kept of ended flows."""
        self._lengths[slots] = 0
        self._voices[slots] = 0
