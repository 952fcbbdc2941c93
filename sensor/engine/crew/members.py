"""The workers of a live run as processes: started, listened to, killed when they hang, and replaced when they die."""

from __future__ import annotations

import selectors
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from sensor.capture.afpacket import LiveSource
from sensor.engine.crew.channel import Channel, ChannelError, pair
from sensor.engine.crew.nursery import Nursery
from sensor.engine.crew.pulse import Pulse
from sensor.engine.crew.wire import Beat, FromWorker, encode
from sensor.errors import SensorError

HUNG_SECONDS: Final = 20.0
"""Without a round of its packet loop a worker is killed: below the unit's WatchdogSec."""
AGAIN_SECONDS: Final = (0.0, 1.0, 5.0, 30.0)
"""Before a worker is started anew: the first time at once, then later if it never lived for `LIVED_SECONDS`."""
LIVED_SECONDS: Final = 60.0
DIED, HUNG = "died", "hung"


@dataclass(slots=True)
class Member:
    """One worker, or the place of one that has died."""

    number: int
    channel: Channel | None = None
    pid: int = 0
    born: float = 0.0
    again_at: float = 0.0
    """When it is to be started."""
    failures: int = 0
    """Times in a row that it died soon."""
    killed: bool = False
    beat: Beat | None = None
    """The last."""


class Members:
    """All workers. sources: one for each, to wake it; on_death: told the worker that has ended."""

    def __init__(self, nursery: Nursery, sources: Sequence[LiveSource], pulse: Pulse, log: Callable[[str], None],
                 on_death: Callable[[Member], None]) -> None:  # fmt: skip
        self.all = [Member(number) for number in range(len(sources))]
        self._nursery = nursery
        self._sources = sources
        self._pulse = pulse
        self._log = log
        self._on_death = on_death
        self._decoder = msgspec.msgpack.Decoder(FromWorker)
        self._ready = selectors.DefaultSelector()
        self._ready.register(nursery, selectors.EVENT_READ)
        self.restarts = {DIED: 0, HUNG: 0}
        self.ending = False
        """Workers that end are not replaced any more."""

    def watch(self, fd: int) -> None:
        """End a wait when something else is readable, too."""
        self._ready.register(fd, selectors.EVENT_READ)

    def start(self, member: Member, begin: bytes, file: int = -1) -> None:
        """Start a worker. begin: its first message; file: a descriptor that goes with it."""
        ours, theirs = pair()
        self._pulse.beat(member.number)
        self._nursery.spawn(member.number, theirs)
        member.channel = Channel(ours)
        member.born, member.again_at, member.killed, member.beat = time.monotonic(), 0.0, False, None
        self._ready.register(member.channel, selectors.EVENT_READ, member)
        member.channel.post(begin, file)

    def tell(self, member: Member, message: object) -> None:
        """Send a worker a message; where it is dead, nothing happens."""
        self.post(member, encode(message))

    def tell_all(self, message: object, file: int = -1) -> None:
        """Send all workers a message, and a descriptor with it."""
        encoded = encode(message)
        for member in self.all:
            self.post(member, encoded, file)

    def post(self, member: Member, message: bytes, file: int = -1) -> None:
        """Send a worker a message that is encoded already, and a descriptor with it."""
        if member.channel is not None:
            member.channel.post(message, file)
            self._sources[member.number].wake()

    def hear(self, seconds: float, wanted: Callable[[int], bool]) -> Iterator[tuple[Member, FromWorker]]:
        """Wait for messages at most so long; yield them. wanted: tells which workers are listened to."""
        for member in self.all:
            if member.channel is not None:
                reads = selectors.EVENT_READ if wanted(member.number) else 0
                writes = selectors.EVENT_WRITE if member.channel.unsent else 0
                self._listen(member, reads | writes)
        for found, what in self._ready.select(seconds):
            if isinstance(found.data, Member):
                yield from self._serve(found.data, what)
        for news in self._nursery.news():
            if news.status < 0:
                self.all[news.worker].pid = news.pid
        if self._nursery.ended and not self.ending:
            raise SensorError("the process that starts workers has died")

    def _listen(self, member: Member, events: int) -> None:
        channel = member.channel
        known = self._ready.get_map().get(channel.fileno()) if channel is not None else None
        if channel is None or (known.events if known is not None else 0) == events:
            return
        if known is not None:
            self._ready.unregister(channel)
        if events:
            self._ready.register(channel, events, member)

    def _serve(self, member: Member, what: int) -> Iterator[tuple[Member, FromWorker]]:
        channel = member.channel
        if channel is None:
            return
        if what & selectors.EVENT_WRITE:
            channel.flush()
        if not what & selectors.EVENT_READ:
            return
        try:
            for message in channel.read():
                heard = self._decoder.decode(message)
                if isinstance(heard, Beat):
                    member.beat = heard
                yield member, heard
        except (ChannelError, msgspec.DecodeError, msgspec.ValidationError) as e:
            self._log(f"worker {member.number} says what no worker says ({e}): it is killed")
            self._nursery.kill(member.number)
            self._gone(member)
            return
        if channel.ended:
            self._gone(member)

    def _gone(self, member: Member) -> None:
        """Give back what was a worker's; all that it had sent has been read."""
        if member.channel is None:
            return
        self._listen(member, 0)
        member.channel.close()
        member.channel = None
        now = time.monotonic()
        if not self.ending:
            self.restarts[HUNG if member.killed else DIED] += 1
            member.failures = 0 if now - member.born >= LIVED_SECONDS else member.failures + 1
            wait = AGAIN_SECONDS[min(max(member.failures - 1, 0), len(AGAIN_SECONDS) - 1)]
            member.again_at = now + wait
            self._log(f"worker {member.number} has {'been killed' if member.killed else 'died'}: "
                      f"another takes its place{f' in {wait:g} s' if wait else ''}")  # fmt: skip
        self._on_death(member)

    def look(self, now: float, begin: Callable[[int], tuple[bytes, int]]) -> None:
        """Kill workers that hang, and start those whose time has come. begin: returns what `start` takes."""
        for member in self.all:
            if member.channel is None:
                if not self.ending and now >= member.again_at:
                    self.start(member, *begin(member.number))
            elif self._pulse.age(member.number) > HUNG_SECONDS and not member.killed:
                self._log(f"worker {member.number} hangs")
                member.killed = True
                self._nursery.kill(member.number)

    def well(self) -> bool:
        """Tell whether all workers are there and going round their loops."""
        return all(m.beat is not None and self._pulse.age(m.number) < HUNG_SECONDS for m in self.all)

    def heartbeats(self) -> dict[tuple[str, ...], float]:
        """Return when each worker last went round its loop, since the epoch."""
        now = time.time()
        return {(str(member.number),): now - self._pulse.age(member.number) for member in self.all}

    def close(self) -> None:
        """End all workers, whatever they are doing."""
        self.ending = True
        self._ready.close()
        for member in self.all:
            if member.channel is not None:
                member.channel.close()
        self._nursery.close()
