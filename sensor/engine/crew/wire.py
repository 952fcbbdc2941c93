"""What workers tell the process that collects, and what it tells them: MessagePack, checked when it is read.

A worker reads what guests send, so what comes from one is data: it is decoded into these types and nothing else.
"""

from __future__ import annotations

from typing import Any

import msgspec

from sensor.detect.state.threshold import Closed
from sensor.model.scene import Record, Scene
from sensor.rules.nodes import Rule, Suppression


class Lot(msgspec.Struct, frozen=True, gc=False, tag="lot"):
    """Records in the order in which they were raised. Of a Match, `rule` is [gid, sid]."""

    keys: list[int]
    """One for each record, never falling: when it happened, on the clock that all workers have in common."""
    records: list[Record]
    upto: int
    """No later record has a key below this."""


class Part(msgspec.Struct, frozen=True, gc=False, tag="part"):
    """What one worker has seen, at the end."""

    captures: int = 0
    packets: int = 0
    octets: int = 0
    first: int = 0
    """ns: the first packet, 0: none came."""
    last: int = 0
    flows: int = 0
    filtered: int = 0
    not_inspected: dict[str, int] = {}
    suspended: list[tuple[int, int]] = []
    anomalies: dict[str, int] = {}
    notes: list[str] = []
    errors: list[str] = []
    stats: dict[str, Any] = {}
    """Body of an EVE `stats` event."""


class Beat(msgspec.Struct, frozen=True, gc=False, tag="beat"):
    """How a live worker stands."""

    figures: dict[str, dict[tuple[str, ...], float]]
    """Values of metrics (`sensor.metrics.names.Snapshot`)."""
    part: Part
    evidence: dict[str, int] = {}
    """Counters of the packets behind alerts, and bytes of those that are remembered."""
    final: bool = False
    """The worker has judged everything; it ends when it is told to."""


class Ready(msgspec.Struct, frozen=True, gc=False, tag="ready"):
    """The rules of a reload can be used, or why they cannot."""

    number: int
    error: str = ""
    interpreted: int = 0
    """Regexes without machine code."""


class Flow(msgspec.Struct, frozen=True, gc=False, tag="flow-found"):
    """Answers AskFlow."""

    ask: int
    found: dict[str, int] | None


class Packets(msgspec.Struct, frozen=True, gc=False, tag="packets"):
    """Packets behind an alert, as records of a capture."""

    ts: int
    records: list[bytes]


class Rules(msgspec.Struct, frozen=True, gc=False):
    """A rule set."""

    rules: tuple[Rule, ...]
    suppressions: tuple[Suppression, ...]


class Begin(msgspec.Struct, frozen=True, gc=False, tag="begin"):
    """The first message to a live worker. rules: of the last reload; None: those that it was born with."""

    rules: Rules | None = None
    planned: bool = False
    """The rules of the last reload come as a file that holds their plan."""


class Prepare(msgspec.Struct, frozen=True, gc=False, tag="prepare"):
    """Get rules ready beside those in force. rules: None: they come as a file that holds their plan."""

    number: int
    rules: Rules | None


class Swap(msgspec.Struct, frozen=True, gc=False, tag="swap"):
    """Use the rules that are ready. number: of the reload, -1: forget them."""

    number: int


class AskFlow(msgspec.Struct, frozen=True, gc=False, tag="ask-flow"):
    """Look for a flow by its id."""

    ask: int
    flow_id: int


class Keep(msgspec.Struct, frozen=True, gc=False, tag="keep"):
    """An alert was written: keep the packets of its flow."""

    scene: Scene


class Shut(msgspec.Struct, frozen=True, gc=False, tag="shut"):
    """Matches that a threshold would hold back need not be sent."""

    closed: Closed


class Drain(msgspec.Struct, frozen=True, gc=False, tag="drain"):
    """Let no more packets in, judge what is in the ring, and say so."""


class Quit(msgspec.Struct, frozen=True, gc=False, tag="quit"):
    """End."""


FromWorker = Lot | Part | Beat | Ready | Flow | Packets
ToWorker = Begin | Prepare | Swap | AskFlow | Keep | Shut | Drain | Quit

encode = msgspec.msgpack.Encoder().encode
"""Returns the bytes of a message."""
