"""Live interfaces as one source of blocks: a ring each, blocks handed out without copying, oldest first."""

from __future__ import annotations

import os
import re
import select
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from sensor.capture.counters import CaptureCounters
from sensor.capture.erspan import Erspan, Refused, programs
from sensor.capture.libpcap import Compiler, FilterSyntaxError
from sensor.capture.ring import Ring, RingCounters, RingOptions
from sensor.errors import CaptureError, UsageError
from sensor.model.block import LINKTYPE_ETHERNET, PacketBlock

RETRY_SECONDS = 1.0
"""Between looks for an interface that has gone."""
LINGER_SECONDS = 0.04
"""What a full block of a ring waits for the next ones. Each goes through all stages at a fixed cost (0.4 ms from warm
caches, 1 ms from cold ones); together they pay it once."""
_DRAIN_WAITS = 20
"""Of twice the time after which each block is handed over."""
_STEP_MS = 10
"""Between looks whether another block has come: while one waits, poll(2) tells nothing, and a look costs 15 us."""


class LiveSource:
    """A BlockSource over interfaces.

    Packets are numbered through over all interfaces. A block is valid until the next is asked for. An interface that
    goes down or disappears is waited for, without end; `on_event` is told. Raises CaptureError where an interface is
    missing at the start or cannot be captured from, UsageError for a filter that is not valid. The filter does not
    apply to an ERSPAN interface, whose packets it would see from outside.
    """

    def __init__(
        self,
        names: Sequence[str],
        options: RingOptions | None = None,
        *,
        bpf: str | None = None,
        erspan: Erspan | None = None,
        on_event: Callable[[str], None] = lambda _text: None,
    ) -> None:
        options = options or RingOptions()
        program = compile_filter(bpf) if bpf else []
        self._on_event = on_event
        self._next_number = 1
        self._lent: Ring | None = None
        self._refused: Refused | None = None
        self._retry_at = 0.0
        self._stopped = False
        self._retire_seconds = options.retire_ms / 1000
        self.counters = CaptureCounters()
        self.errors: list[CaptureError] = []
        """None: an interface that fails is waited for."""
        self.rings: list[Ring] = []
        try:
            for name in dict.fromkeys(names):
                self.rings.append(Ring(name, options, program))
            if erspan is not None:
                self._refused = self._add_erspan(erspan, replace(options, team=None))
        except CaptureError:
            for ring in self.rings:
                ring.close()
            raise
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._by_door = {ring.door(): ring for ring in self.rings}
        self._poll = select.poll()
        self._woken = select.poll()
        for poll in (self._poll, self._woken):
            poll.register(self._wake, select.POLLIN)
        for ring in self.rings:
            self._poll.register(ring.door(), select.POLLERR)
            self._poll.register(ring.fileno(), select.POLLIN)

    def _add_erspan(self, erspan: Erspan, options: RingOptions) -> Refused:
        """Open a ring that takes GRE of the configured senders only, and count that of others."""
        accepted, others = programs(erspan)
        self.rings.append(Ring(erspan.interface, replace(options, promiscuous=False), accepted))
        return Refused(erspan.interface, others)

    def next_block(self, seconds: float) -> PacketBlock | None:
        """Release the last block and return the next; None: none came within `seconds`, or `wake` was called.

        Of several interfaces the block whose first frame is oldest comes first.
        """
        self._release()
        deadline = time.monotonic() + seconds
        while (ring := self._oldest()) is None:
            self._retry()
            left = deadline - time.monotonic()
            if left <= 0 or self._wait(left):
                break
        if ring is None and (ring := self._oldest()) is None:  # one may have come while this process had to wait
            return None
        self._lent = ring
        block = ring.take(self._next_number, self._gather(ring))
        self._next_number += block.n
        self.counters.packets += block.n
        self.counters.bytes += int(block.caplen.sum(dtype=np.int64))
        return block

    def blocks(self) -> Iterator[PacketBlock]:
        """Yield blocks until `stop` is called and the rings are empty."""
        while not self._stopped:
            block = self.next_block(RETRY_SECONDS)
            if block is not None:
                yield block
        yield from self.drain()

    def drain(self) -> Iterator[PacketBlock]:
        """Let no more packets in; yield what is in the rings, blocks that are not full included."""
        self.stop()
        quiet = 0
        # The first wait may end at once, by `wake`; the second outlasts the time after which each block is handed over,
        # unless the kernel has no time for its timers.
        while quiet < 2 or (quiet < _DRAIN_WAITS and any(ring.filling() for ring in self.rings)):
            block = self.next_block(2 * self._retire_seconds)
            if block is None:
                quiet += 1
            else:
                yield block

    def stop(self) -> None:
        """Let no more packets in. Those already in the rings still come."""
        if not self._stopped:
            for ring in self.rings:
                ring.stop()
            self._stopped = True
            self.wake()

    def wake(self) -> None:
        """End a wait of `next_block`; may be called from a signal handler or another thread."""
        os.eventfd_write(self._wake, 1)

    @property
    def problems(self) -> list[str]:
        """What went wrong with interfaces, one line each."""
        lost = [(ring.name, ring.counters.lost) for ring in self.rings]
        return [f"{name} went down or away {n} times: what passed meanwhile was not seen" for name, n in lost if n]

    def read_statistics(self) -> None:
        """Bring the kernel's counters up to date."""
        for ring in self.rings:
            ring.read_statistics()
        if self._refused is not None:
            self.rings[-1].counters.refused += self._refused.take()

    def totals(self) -> RingCounters:
        """Return the sums over all interfaces."""
        sums = RingCounters()
        for ring in self.rings:
            for name, value in ring.counters.snapshot().items():
                setattr(sums, name, getattr(sums, name) + value)
        return sums

    def take_over(self) -> None:
        """Go on where another process has died, if one has."""
        for ring in self.rings:
            ring.take_over()

    def close(self) -> None:
        """Give everything back."""
        self._release()
        for ring in self.rings:
            ring.close()
        if self._refused is not None:
            self._refused.close()
        if self._wake >= 0:
            os.close(self._wake)
            self._wake = -1

    def _release(self) -> None:
        if self._lent is not None:
            self._lent.release()
            self._lent = None

    def _oldest(self) -> Ring | None:
        waiting = [(ts, at) for at, ring in enumerate(self.rings) if (ts := ring.ready()) >= 0]
        return self.rings[min(waiting)[1]] if waiting else None

    def _gather(self, ring: Ring) -> int:
        """Return how many blocks of a ring to take: those there, and while they come quickly those of a moment more.

        No block is taken that begins behind one that waits in another ring.
        """
        others = [ts for other in self.rings if other is not ring and (ts := other.ready()) >= 0]
        if others:
            return max(1, ring.waiting(min(others)))
        end = time.monotonic() + LINGER_SECONDS
        while not self._stopped and ring.may_grow(ring.waiting()) and time.monotonic() < end:
            if self._woken.poll(_STEP_MS):
                break  # what this is about is done behind the block
        return ring.waiting()

    def _wait(self, seconds: float) -> bool:
        """Wait for a block, at most until an interface is to be looked for again; tell whether `wake` was called."""
        if not all(ring.attached for ring in self.rings):
            seconds = min(seconds, max(self._retry_at - time.monotonic(), 0.0))
        woken = False
        for fd, what in self._poll.poll(max(1, int(seconds * 1000))):
            if fd == self._wake:
                os.eventfd_read(self._wake)
                woken = True
            elif what & select.POLLERR and (ring := self._by_door.get(fd)) and (error := ring.take_error()):
                self._on_event(f"{ring.name}: {error}")
        return woken

    def _retry(self) -> None:
        """Bind to interfaces that have come back."""
        now = time.monotonic()
        gone = [ring for ring in self.rings if not ring.attached]
        if not gone or now < self._retry_at:
            return
        self._retry_at = now + RETRY_SECONDS
        for ring in gone:
            if ring.rebind():
                self._on_event(f"{ring.name}: is back")


def compile_filter(expression: str) -> list[tuple[int, int, int, int]]:
    """Return the BPF program of a filter in tcpdump's language for a live Ethernet interface. Raises UsageError.

    `vlan` is refused: the kernel takes the outer tag off a frame before the filter sees it, so that the filter would
    pass nothing, silently. All other terms look behind the outer tag, unlike in a capture file.
    """
    if re.search(r"\bvlan\b", expression):
        raise UsageError(f"capture filter {expression!r}: 'vlan' cannot be told from outside a frame on an interface")
    try:
        return Compiler().compile(expression, LINKTYPE_ETHERNET)
    except FilterSyntaxError as e:
        raise UsageError(f"capture filter {expression!r}: {e}") from e
