"""Offline with several workers: each reads all captures and judges its share; one process collects what they raise.

Keys are packet numbers over all captures, so the events come in the order in which one worker would have written them.
"""

from __future__ import annotations

import os
import selectors
import signal
import socket
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

import msgspec

from sensor.capture.files import FileSource
from sensor.capture.shares import Share, ShareOfFiles
from sensor.detect.state.datasets import Datasets
from sensor.detect.state.threshold import Closed, FarRates
from sensor.engine.crew.channel import Channel, pair
from sensor.engine.crew.hostbits import Deferred, Ids
from sensor.engine.crew.merge import Merge
from sensor.engine.crew.outbox import Outbox
from sensor.engine.crew.sums import total
from sensor.engine.crew.verdicts import Verdicts
from sensor.engine.crew.wire import Lot, Part, Shut, encode
from sensor.engine.offline.replay import Summary, part_of, summary
from sensor.engine.pipeline import Pipeline
from sensor.engine.records.writer import Writer
from sensor.errors import SensorError
from sensor.model.scene import Scene

AHEAD: Final = 20_000
"""Records of one worker that wait for others before it is made to wait, too."""


UNHEARD: Final = 1 << 20
"""Bytes that wait for a worker, beyond which it is told less."""


class PacketKey:
    """Key of a scene: the number of its packet over all captures."""

    def __init__(self) -> None:
        self.before = 0
        """Packets in captures that are done."""

    def __call__(self, scene: Scene) -> int:
        """Return the key."""
        return self.before + scene.number if scene.number else 0


@dataclass(frozen=True, slots=True)
class Kit:
    """What each worker gets a copy of. The outbox is where the pipeline's records go."""

    pipeline: Pipeline
    source: FileSource
    outbox: Outbox
    rates: FarRates
    key: PacketKey
    rules_failed: int = 0
    deferred: Mapping[Ids, Deferred] = field(default_factory=dict)
    """What is not judged by workers."""


class CrewReplay:
    """Forks workers and collects. To be used before the process has threads."""

    def __init__(self, kit: Kit, writer: Writer, shares: Sequence[Share]) -> None:
        self._kit = kit
        self._writer = writer
        plan, settings = kit.pipeline.plan, kit.pipeline.options.settings
        flows = settings.flow.max_flows if "flow" in settings.eve.types else 0
        self._verdicts = Verdicts(writer, plan, kit.deferred, flows, self._shut)
        self._merge = Merge(len(shares))
        self._parts: dict[int, Part] = {}
        self._channels: list[Channel] = []
        self._pids: list[int] = []
        self._shares = shares

    @property
    def sets(self) -> Datasets:
        """Sets of values that rules fill."""
        return self._verdicts.sets

    def run(self, progress: Callable[[], None] | None = None) -> Summary:
        """Replay everything. Raises SensorError where a worker ends before its time."""
        try:
            for share in self._shares:
                self._fork(share)
            self._collect(progress)
        finally:
            self._end()
        writer, parts = self._writer, [self._parts[i] for i in sorted(self._parts)]
        writer.close_floods()
        if "stats" in self._kit.pipeline.options.log_kinds:
            last = max(part.last for part in parts)
            body = total([part.stats for part in parts], self._verdicts)
            first = min((part.first for part in parts if part.first), default=0)
            writer.stats(last, body | {"uptime": (last - first) // 10**9})
        writer.finish()
        return summary(parts, writer, self._kit.pipeline.plan)

    def stop(self) -> None:
        """End soon, in order; from a signal handler."""
        for pid in self._pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)

    def _fork(self, share: Share) -> None:
        ours, theirs = pair()
        pid = os.fork()
        if pid == 0:
            _work_and_exit(self._kit, share, theirs, [channel.close for channel in self._channels] + [ours.close])
        theirs.close()
        self._pids.append(pid)
        self._channels.append(Channel(ours))

    def _collect(self, progress: Callable[[], None] | None) -> None:
        decoder = msgspec.msgpack.Decoder(Lot | Part)
        with selectors.DefaultSelector() as ready:
            while open_ends := [i for i, channel in enumerate(self._channels) if not channel.ended]:
                self._listen(ready, open_ends)
                for found, _ in ready.select():
                    for message in self._channels[found.data].read():
                        self._take(found.data, decoder.decode(message))
                    if self._channels[found.data].ended and found.data not in self._parts:
                        raise SensorError(f"worker {found.data} has died: what it had left was not inspected")
                for _, record in self._merge.take():
                    self._verdicts.take(record)
                self._writer.flush()
                if progress is not None:
                    progress()

    def _listen(self, ready: selectors.BaseSelector, ends: Sequence[int]) -> None:
        """Listen to the workers that are not too far ahead of the others."""
        for i, channel in enumerate(self._channels):
            wanted = i in ends and self._merge.waiting(i) < AHEAD
            known = channel.fileno() in ready.get_map()
            if wanted and not known:
                ready.register(channel, selectors.EVENT_READ, i)
            elif known and not wanted:
                ready.unregister(channel)

    def _take(self, worker: int, message: Lot | Part) -> None:
        if isinstance(message, Lot):
            self._merge.add(worker, message.keys, message.records, message.upto)
        else:
            self._parts[worker] = message
            self._merge.close(worker)

    def _shut(self, closed: Closed) -> None:
        for channel in self._channels:
            if channel.unsent < UNHEARD:
                channel.post(encode(Shut(closed)))

    def _end(self) -> None:
        for channel in self._channels:
            channel.close()
        for pid in self._pids:
            os.waitpid(pid, 0)


def _work_and_exit(kit: Kit, share: Share, sock: socket.socket, close: Sequence[Callable[[], None]]) -> None:
    """Be a worker, and never return: what stands above this in the parent is none of its business."""
    status = 1
    try:
        for one in close:
            one()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: kit.source.stop())
        work(kit, share, Channel(sock))
        status = 0
    except BrokenPipeError:
        status = 0  # nobody collects any more
    finally:
        if status:
            traceback.print_exc()
        os._exit(status)


def work(kit: Kit, share: Share, channel: Channel) -> None:
    """Judge a share of all captures."""
    pipeline, outbox = kit.pipeline, kit.outbox
    outbox.send = channel.send
    decoder = msgspec.msgpack.Decoder(Shut)
    now = 0
    for upto, last in _portions(kit, ShareOfFiles(share)):
        now = max(now, last)
        outbox.upto(upto)
        for message in channel.read():
            kit.rates.close(decoder.decode(message).closed)
    pipeline.finish(now)
    outbox.upto(outbox.last)
    # What is true of the captures as such is told once.
    source = kit.source if share.index == 0 else FileSource([])
    part = part_of(pipeline, source, kit.rules_failed)
    part.not_inspected.update(outbox.losses())
    channel.send(encode(part))


def _portions(kit: Kit, mine: ShareOfFiles) -> Iterator[tuple[int, int]]:
    """Process block after block; yield the key and the packet time that all of them have come to."""
    files = last = 0
    for block in kit.source.blocks():
        if kit.source.counters.files != files:
            files, kit.key.before, last = kit.source.counters.files, kit.key.before + last, 0
        part = mine.apply(block)
        if part.n:
            kit.pipeline.process(part)
        last = int(block.packet_numbers()[-1])
        yield kit.key.before + last + 1, int(block.ts.max())
