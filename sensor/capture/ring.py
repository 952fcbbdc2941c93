"""One TPACKET_V3 ring: a packet socket, its mapped blocks, and the interface it is bound to.

The socket outlives its interface. When that goes, the kernel unhooks the socket and keeps the ring; binding the same
socket again needs no privilege (only making one does), so a sensor that has given up all capabilities still finds an
interface that comes back (`sensor.capture.tap`; of several workers `sensor.capture.team`).
"""

from __future__ import annotations

import errno
import mmap
import os
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np

from sensor.capture import uapi
from sensor.capture.kernels_ring import HINTED, TAGGED, USED, walk_block
from sensor.capture.rawinput import reason
from sensor.capture.tap import Interface, Tap, look_up, set_filter
from sensor.capture.team import Team
from sensor.errors import CaptureError
from sensor.model.block import PacketBlock
from sensor.model.counters import Counters

_CURRENT, _LENT = 0, 1
"""Of a cursor: the block that comes next, or is the first that is lent; how many are."""
_TOGETHER: Final = 4
"""Blocks that are handed on as one at most: 4 MiB, as much as is read of a file at once."""
_OF_RING: Final = 8
"""... and of a ring only one block of so many."""
_NEVER: Final = (1 << 63) - 1
"""ns: behind all times."""
_FRAME_SIZE: Final = 2048
"""TPACKET_V3 packs frames one behind the other and uses this only to check the request."""


@dataclass(frozen=True, slots=True)
class RingOptions:
    """Size and manner of a ring. Raises ValueError outside the ranges given."""

    block_size: int = 1 << 20
    """Bytes, a power of 2, 128 KiB-64 MiB. A longer frame than fits is cut; super-segments have up to 64 KiB, BIG
    TCP's up to 512 KiB."""
    blocks: int = 32
    """2-4096 blocks. All blocks together ride out stalls: 32 MiB are 2.5 s of 100 Mbit/s."""
    retire_ms: int = 50
    """Milliseconds after which a block that is not full is handed over, 1-10,000: the latency of an alert, beside
    `afpacket.LINGER_SECONDS`."""
    promiscuous: bool = True
    team: Team | None = None
    """Of several workers' rings on one interface: this is the next of them; None: the only one."""

    def __post_init__(self) -> None:
        if not 1 << 17 <= self.block_size <= 1 << 26 or self.block_size & (self.block_size - 1):
            raise ValueError("a ring block must be a power of 2, 128 KiB-64 MiB")
        if not 2 <= self.blocks <= 4096:
            raise ValueError("a ring must have 2-4096 blocks")
        if not 1 <= self.retire_ms <= 10_000:
            raise ValueError("a ring block must be handed over after 1-10,000 ms")


class RingCounters(Counters):
    """One interface. Kernel counters are those of PACKET_STATISTICS, summed."""

    __slots__ = (
        "blocks", "bytes", "kernel_drops", "kernel_freezes", "kernel_packets", "lost", "orphaned", "packets", "refused",
        "reopened",
    )  # fmt: skip

    packets: int
    """Handed on."""
    bytes: int
    """Captured bytes of those."""
    blocks: int
    kernel_packets: int
    """That reached the socket, dropped ones included."""
    kernel_drops: int
    """Dropped because the ring was full."""
    kernel_freezes: int
    """Times the ring was full."""
    lost: int
    """Times the interface went down or away."""
    orphaned: int
    """In the blocks that a worker had in hand when it died: not inspected."""
    reopened: int
    """Times it was bound anew."""
    refused: int
    """GRE packets of senders that are not configured (`sensor.capture.erspan`)."""


class Ring:
    """A bound ring. Raises CaptureError where the interface or the privilege is missing."""

    def __init__(self, name: str, options: RingOptions, program: Iterable[tuple[int, int, int, int]] = ()) -> None:
        self.name = name
        self.counters = RingCounters()
        self.attached = False
        """Bound to an interface that is there (it may be down)."""
        self._options = options
        self._together = max(1, min(_TOGETHER, options.blocks // _OF_RING))
        # Shared with the processes that are forked from here: one that takes the place of another goes on behind it.
        self._cursor = np.frombuffer(mmap.mmap(-1, mmap.PAGESIZE), np.int64)
        self._program = list(program)
        self._stopped = False
        self._tap = options.team.tap(name) if options.team is not None else Tap(name)
        self._sock = self._tap.sock
        try:
            self._map()
            self._bind()
        except OSError as e:
            self.close()
            raise CaptureError(f"{name}: cannot capture: {reason(e)}") from e
        except CaptureError:
            self.close()
            raise

    def _map(self) -> None:
        size, blocks = self._options.block_size, self._options.blocks
        self._sock.setsockopt(uapi.SOL_PACKET, uapi.PACKET_VERSION, uapi.TPACKET_V3)
        request = uapi.RING_REQUEST.pack(
            size, blocks, _FRAME_SIZE, size // _FRAME_SIZE * blocks, self._options.retire_ms, 0, 0
        )
        self._sock.setsockopt(uapi.SOL_PACKET, uapi.PACKET_RX_RING, request)
        area = mmap.mmap(self._sock.fileno(), size * blocks, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
        # The mapping goes with the last array that looks into it.
        self._area = np.frombuffer(area, np.uint8)
        self._words = np.frombuffer(area, np.uint32).reshape(blocks, size // 4)

    def _bind(self) -> None:
        """Bind to the interface by its name. Raises OSError where it is not there, CaptureError for a strange one."""
        self._interface: Interface = look_up(self.name, self._tap.door)
        program = [uapi.DROP_ALL] if self._stopped else self._program
        if len(program) > uapi.FILTER_MAX:
            raise CaptureError(f"{self.name}: the capture filter is too long for the kernel")
        self._tap.listen(self._interface, program)
        if self._options.promiscuous:
            request = uapi.MEMBERSHIP.pack(self._interface.index, uapi.PACKET_MR_PROMISC, 0, b"")
            self._tap.door.setsockopt(uapi.SOL_PACKET, uapi.PACKET_ADD_MEMBERSHIP, request)
        self.attached = True

    def stop(self) -> None:
        """Let no more frames in; what is in the ring stays."""
        self._stopped = True
        set_filter(self._sock, [uapi.DROP_ALL])

    def fileno(self) -> int:
        """Return the descriptor to poll: readable while a block waits."""
        return self._sock.fileno()

    def door(self) -> int:
        """Return the descriptor that has an error when the interface goes: it may be the same."""
        return self._tap.door.fileno()

    def ready(self) -> int:
        """Return the time (ns) of the first frame of the block that waits, -1: none waits."""
        return -1 if self._cursor[_LENT] else self._first_time(int(self._cursor[_CURRENT]))

    def _first_time(self, block: int) -> int:
        words = self._words[block]
        if not int(words[uapi.BLOCK_STATUS // 4]) & uapi.TP_STATUS_USER:
            return -1
        sec, nsec = words[uapi.BLOCK_TS_FIRST // 4 : uapi.BLOCK_TS_FIRST // 4 + 2].tolist()
        return int(sec) * 1_000_000_000 + int(nsec)

    def filling(self) -> bool:
        """Tell whether packets are in the block that is the kernel's still."""
        words = self._words[self._cursor[_CURRENT]]
        return not self._cursor[_LENT] and self.ready() < 0 and int(words[uapi.BLOCK_NUM_PKTS // 4]) > 0

    def waiting(self, before: int = _NEVER) -> int:
        """Return how many blocks may be taken together: one behind the other, begun before a time (ns)."""
        first = int(self._cursor[_CURRENT])
        last = min(first + self._together, self._options.blocks)
        block = first
        while block < last and 0 <= self._first_time(block) <= before:
            block += 1
        return block - first

    def may_grow(self, waiting: int) -> bool:
        """Tell whether it pays to let more blocks join those that wait: they came full, and a few are still to come.

        One that was handed over for its age tells that few packets come.
        """
        first = int(self._cursor[_CURRENT])
        if not 0 < waiting < self._together or first + waiting >= self._options.blocks:
            return False
        return not int(self._words[first + waiting - 1, uapi.BLOCK_STATUS // 4]) & uapi.TP_STATUS_BLK_TMO

    def take(self, number: int, blocks: int = 1) -> PacketBlock:
        """Borrow blocks that wait, as one. `number`: of the first packet; `blocks`: no more than `waiting` told."""
        first, size = int(self._cursor[_CURRENT]), self._options.block_size
        words = self._words[first : first + blocks]
        n = int(words[:, uapi.BLOCK_NUM_PKTS // 4].sum())
        off, ts = np.empty(n, np.int64), np.empty(n, np.int64)
        caplen, wirelen, tci = (np.empty(n, np.int32) for _ in range(3))
        tpid, hints, seen = np.empty(n, np.uint16), np.empty(n, np.uint8), np.zeros(3, np.int64)
        columns = off, caplen, wirelen, ts, tci, tpid, hints
        buf = self._area[first * size : (first + blocks) * size]
        n = 0
        for k, (start, count) in enumerate(words[:, [uapi.BLOCK_FIRST_PKT // 4, uapi.BLOCK_NUM_PKTS // 4]].tolist()):
            part, found = buf[k * size : (k + 1) * size], np.empty(3, np.int64)
            m = walk_block(part, start, count, *(column[n:] for column in columns), found)
            off[n : n + m] += k * size
            n += m
            seen += found
        view = buf[:]
        view.flags.writeable = False
        self._cursor[_LENT] = blocks
        self.counters.blocks += blocks
        self.counters.packets += n
        self.counters.bytes += int(seen[USED])
        return PacketBlock(
            buf=view, off=off[:n], caplen=caplen[:n], wirelen=wirelen[:n], ts=ts[:n],
            linktype=np.full(n, self._interface.linktype, np.uint16), first=number, source=self.name,
            vlan_tci=tci[:n] if seen[TAGGED] else None, vlan_tpid=tpid[:n] if seen[TAGGED] else None,
            hints=hints[:n] if seen[HINTED] else None,
        )  # fmt: skip

    def release(self) -> None:
        """Give the borrowed blocks back to the kernel."""
        while self._cursor[_LENT]:
            current = int(self._cursor[_CURRENT])
            self._words[current, uapi.BLOCK_STATUS // 4] = uapi.TP_STATUS_KERNEL
            self._cursor[_CURRENT] = (current + 1) % self._options.blocks
            self._cursor[_LENT] -= 1

    def take_over(self) -> None:
        """Go on where another process has died, if one has.

        The blocks that it had in hand are passed over: what it was dying of may be in them, and what it had raised of
        them is out already.
        """
        first = int(self._cursor[_CURRENT])
        lent = self._words[first : first + int(self._cursor[_LENT])]
        self.counters.orphaned += int(lent[:, uapi.BLOCK_NUM_PKTS // 4].sum())
        self.release()
        self.attached = bool(self._tap.door.getsockname()[0])

    def read_statistics(self) -> None:
        """Add the kernel's counters since the last call."""
        raw = self._sock.getsockopt(uapi.SOL_PACKET, uapi.PACKET_STATISTICS, uapi.RING_STATS.size)
        packets, drops, freezes = uapi.RING_STATS.unpack(raw)
        self.counters.kernel_packets += packets
        self.counters.kernel_drops += drops
        self.counters.kernel_freezes += freezes

    def take_error(self) -> str:
        """Return and clear what the kernel reports about the interface, empty: nothing."""
        code = self._tap.door.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code == 0:
            return ""
        if code == errno.ENETDOWN:
            self.counters.lost += 1
            # packet(7) leaves the socket bound while the interface is only down; without a name it has gone.
            self.attached = bool(self._tap.door.getsockname()[0])
            return "went down" if self.attached else "disappeared"
        return os.strerror(code)

    def rebind(self) -> bool:
        """Try to bind to an interface that has come back; tell whether it has."""
        try:
            self._bind()
        except (OSError, CaptureError):
            return False
        self.counters.reopened += 1
        return True

    def close(self) -> None:
        """Give the sockets back; the mapping goes with the last block that looks into it."""
        self._tap.close()
