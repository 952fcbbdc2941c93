"""The thread that takes lines from a spool to a receiver, however slow, and tells the spool what has arrived."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

from sensor.outputs.backlog import OutputCounters
from sensor.outputs.limits_remote import BATCH, PAUSES, SETTLE_SECONDS, STOP_SECONDS
from sensor.outputs.spool import Mark, Spool
from sensor.outputs.transports import Transport

_TICK = 0.5
"""Seconds between looks at what has arrived."""


class Courier:
    """Delivers at least once. tell: hears when the receiver fails, and when it works again."""

    def __init__(self, name: str, spool: Spool, transport: Transport, counters: OutputCounters,
                 tell: Callable[[str], None], settle: float = SETTLE_SECONDS) -> None:  # fmt: skip
        self.name = name
        self.counters = counters
        self.failing = ""
        """Why nothing is delivered; empty: all is well."""
        self.spool = spool
        self._transport = transport
        self._tell = tell
        self._settle = settle
        self._octets = 0
        """Bytes sent over the connection at hand."""
        self._sent: deque[tuple[float, Mark, int]] = deque()
        """Sent, not known to be there: when, up to where in the spool, up to which byte of the connection."""
        self._pause = PAUSES[0]
        self._wake = threading.Event()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @property
    def waiting(self) -> int:
        """Number of lines that are not known to be delivered."""
        return self.spool.waiting

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wake(self) -> None:
        """Tell that there are new lines."""
        self._wake.set()

    def stop(self) -> None:
        """End; what has not arrived within a short time stays in the spool."""
        self._end.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        until = 0.0
        while True:
            try:
                busy = self._round()
            except Exception as e:  # noqa: BLE001 - isolation point: one sink, in the thread that serves it
                self._failed(e)
                busy = False
            if self._end.is_set():
                until = until or time.monotonic() + STOP_SECONDS
                if self.failing or time.monotonic() >= until or not (busy or self._sent):
                    break
            if self.failing:
                self._end.wait(self._pause)
            elif not busy:
                self._wake.wait(_TICK if not self._end.is_set() else _TICK / 10)
                self._wake.clear()
        self._transport.close()

    def _round(self) -> bool:
        """Look at what has arrived, send what comes next; tell whether there was anything. Raises OSError."""
        self._look()
        lines = self.spool.read(BATCH)
        if not lines:
            return False
        sent = self._transport.send(lines)
        self.counters.lost += sent.too_long
        self._octets += sent.octets
        self._sent.append((time.monotonic(), self.spool.mark(), self._octets))
        if self.failing:
            self._tell(f"{self.name}: events are delivered again")
            self.failing, self._pause = "", PAUSES[0]
        return True

    def _look(self) -> None:
        """Commit what was sent long enough ago over a connection that is still well."""
        if not self._sent:
            self._transport.under_way()  # is the receiver still there?
            return
        arrived = self._octets - self._transport.under_way()
        before = time.monotonic() - (0 if self._end.is_set() else self._settle)
        done = None
        while self._sent and self._sent[0][0] <= before and self._sent[0][2] <= arrived:
            done = self._sent.popleft()[1]
        if done is not None:
            self.counters.written += done.lines - self.spool.committed.lines
            self.spool.commit(done)

    def _failed(self, error: Exception) -> None:
        """Send again, later, what is not known to have arrived."""
        self._transport.close()
        self._sent.clear()
        self._octets = 0
        self.spool.rewind()
        why = str(getattr(error, "strerror", None) or error or type(error).__name__)
        if self.failing:
            self._pause = min(self._pause * 2, PAUSES[1])
        else:
            self.counters.errors += 1
            self._tell(f"{self.name}: {why}: events wait in {self.spool.folder}")
        self.failing = why
