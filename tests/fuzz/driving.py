"""Gives an input to what is fuzzed, and tells what it cost."""

import time
from dataclasses import dataclass

import fuzzcorpus
import msgspec

from sensor.model.app import beside
from sensor.model.keeping import FilePolicy, Room, Shelf
from sensor.proto import registry

LOST = 700
"""Bytes that a gap takes."""
MEMORY = 300_000
"""Bytes of files that may be kept."""
LOOKED_AT = 200
"""Stages of an input of which everything is asked for."""
_encode = msgspec.json.Encoder().encode


@dataclass
class Target:
    """A parser with its sound conversations."""

    name: str
    spec: object
    new: object
    talks: list
    datagrams: bool

    @property
    def pool(self):
        return [data for talk in self.talks for _, data in talk if data]


def targets(wanted=()):
    """Return all targets, or those whose name begins with one of some words."""
    found = []
    for name, talks in fuzzcorpus.TALKS.items():
        spec = registry.BY_NAME[name]
        found.append(Target(name, spec, spec.new_parser, talks, datagrams=False))
    for name, messages in fuzzcorpus.DATAGRAMS.items():
        spec = registry.BY_NAME[name]
        talk = [[(i & 1, message) for i, message in enumerate(messages)]]
        found.append(Target(f"{name}/udp", spec, spec.new_datagram_parser or spec.new_parser, talk, datagrams=True))
    return [one for one in found if not wanted or one.name.startswith(tuple(wanted))]


def parse(target, talk):
    """Feed a conversation; ask for all that rules and logs could ask for. What this raises is a finding."""
    parser = target.new()
    room = Room(Shelf(MEMORY, MEMORY // 2))
    if target.spec.files is not None:
        parser.treat_files(FilePolicy(hashed=True, room=room))
    seen = 0
    for side, data in talk:
        if target.datagrams and not target.spec.flow_state:
            parser = target.new()
        stages = parser.feed(side, data, 0) if data is not None else _lose(target, parser, side)
        seen = _look(target.spec, stages, parser, seen)
    _look(target.spec, parser.finish(0), parser, seen)
    assert 0 <= room.held <= MEMORY


def _lose(target, parser, side):
    return [] if target.datagrams else parser.gap(side, LOST, 0)


def _look(spec, stages, parser, seen):
    for stage in stages:
        seen += 1
        if seen > LOOKED_AT:
            break
        for buffer in spec.buffers:
            for value in stage.tx.buffer(buffer.name):
                assert isinstance(value, bytes), (buffer.name, value)
        for number in spec.numbers:
            if number.stage <= stage.stage:
                assert all(isinstance(value, int) for value in stage.tx.numbers(number.name))
        _encode(stage.tx.eve())
        _encode(beside(stage.tx))
        for file in spec.files(stage) if spec.files is not None else ():
            file.digest("sha256")
            assert len(file.content) <= max(file.size, MEMORY)
    parser.anomalies()
    return seen


def cost(target, talk):
    """Return CPU seconds."""
    start = time.process_time_ns()
    parse(target, talk)
    return (time.process_time_ns() - start) / 1e9


def size(talk):
    """Return (bytes, calls)."""
    return sum(len(data) for _, data in talk if data), len(talk)


class Normal:
    """What sound conversations of a protocol cost."""

    def __init__(self, target):
        self._known = []
        for talk in target.talks:
            parse(target, talk)
            self._known.append((size(talk), min(cost(target, talk) for _ in range(5))))

    def of(self, talk):
        """Return what an input of this size may be expected to cost: the dearest of the sound ones, grown to it."""
        nbytes, calls = size(talk)
        return max(seconds * max(1, nbytes / max(1, known), calls / had) for (known, had), seconds in self._known)
