"""Parsers of hot flows. One flow's parser is an isolation point: what it raises ends that parser, nothing else."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import Any, cast

from sensor.engine.appmemory import AppMemory
from sensor.engine.faults import Faults
from sensor.model.anomaly import NO_TLS, AppAnomaly
from sensor.model.app import (
    TO_SERVER,
    AppParser,
    CarriesFiles,
    CountsLosses,
    Foresees,
    HandsOver,
    HearsOut,
    Holds,
    ProtocolSpec,
    ShowsFrames,
    TxStage,
)
from sensor.model.counters import Counters
from sensor.model.keeping import FilePolicy, Room, Shelf
from sensor.model.losses import Losses
from sensor.proto.limits_memory import AppLimits
from sensor.proto.registry import APP_ID, BY_NAME, SPECS, TRAITS

MAX_PARSERS = 16_384
"""Flows parsed at a time. A half-open HTTP request takes about 8 KB; at the cap the flow that was silent longest is
parsed no further."""


MAX_UNLOGGED = 256
"""Transactions of a flow that wait for the stage at which they are logged."""
MAX_UNLOGGED_BYTES = 1 << 20
"""Bytes of them."""
WEIGHED = 1024
"""Bytes that a flow says before it is asked again what it holds."""


class AppCounters(Counters):
    """Parsers."""

    __slots__ = ("flows", "memcap", "parser_errors", "parsers_evicted")
    flows: int
    """Flows that got a parser."""
    memcap: int
    """Parsers ended because all together held too much."""
    parser_errors: int
    """Parsers that raised: a fault of ours, the flow is not inspected further."""
    parsers_evicted: int
    """Parsers ended at the cap before their flow was."""


@dataclass(slots=True)
class FlowApp:
    """The parser of one flow."""

    spec: ProtocolSpec
    parser: AppParser
    transactions: int = 0
    """Transactions seen to their last stage or cut off by the flow's end."""
    failed: list[tuple[AppAnomaly, int]] = field(default_factory=list)
    unlogged: dict[int, TxStage] = field(default_factory=dict)
    """Transactions that have not come to the stage at which they are logged: number → stage reached."""
    logged: int = -1
    """Highest number of a transaction that was logged."""
    told: bool = False
    """Its failure was reported."""
    room: Room | None = None
    """What it keeps for the file store."""
    hands_over: bool = False
    """Its protocol may be followed by another."""
    awaited: bool = False
    """Its protocol was agreed on by another, and has not shown yet."""
    foresees: bool = False
    """Its parser tells of how many bytes it need not be told at once."""
    holds: bool = False
    """Its parser tells what it holds."""
    begins_anew: bool = False
    """What it has come to ends a stretch of the stream."""
    said: int = 0
    """Bytes since it was last asked."""
    counted: bool = False
    """It holds so much that it counts (`AppMemory`)."""
    _weights: dict[int, int] = field(default_factory=dict)
    """Number of a transaction in `unlogged` → bytes."""
    _unlogged_bytes: int = 0
    _files_of: object = None
    """The transaction whose files came last."""
    _matched: set[int] = field(default_factory=set)
    _before: dict[tuple[int, int], set[int]] = field(default_factory=dict)
    """(Transaction, side) → rules that have matched it, of messages that are not over."""
    idle: list[int] = field(default_factory=lambda: [0, 0])
    """So many bytes may come next of each side before the parser must have them."""

    @property
    def done(self) -> bool:
        """Nothing more to learn."""
        return self.parser.done or bool(self.failed)

    def use_traits(self) -> None:
        """Take note of what its parser can do."""
        traits = TRAITS[self.spec.name]
        self.hands_over, self.foresees, self.idle = traits.hands_over, traits.foresees, [0, 0]
        self.holds = traits.holds

    def matched(self, stage: TxStage) -> set[int] | None:
        """Return the rules that have matched a file of this transaction: each alerts once for all, as in Suricata."""
        if stage.file is None:
            return None
        if self._files_of is not stage.tx:
            self._files_of, self._matched = stage.tx, set()
        return self._matched

    def twice(self, stage: TxStage) -> set[int]:
        """Return the rules that have matched a message before, or another of its files, where that may be."""
        key = (stage.tx.id, stage.side)
        if stage.stage in self.spec.message_ends and stage.file is None:
            return self._before.pop(key, set())
        if len(self._before) > MAX_UNLOGGED:
            self._before.pop(next(iter(self._before)))
        return self._before.setdefault(key, set())

    def note(self, stage: TxStage) -> TxStage | None:
        """Keep in mind what is to be logged at the flow's end; return what is to be logged so late that it is now."""
        number: int = stage.tx.id
        if stage.stage in self.spec.log_stages:
            self.logged = max(self.logged, number)
            self._forget(number)
        elif number > self.logged:
            self._forget(number)
            self.unlogged[number] = stage
            self._weights[number] = weight = weight_of(stage.tx)
            self._unlogged_bytes += weight
            if len(self.unlogged) > MAX_UNLOGGED or self._unlogged_bytes > MAX_UNLOGGED_BYTES:
                return self._forget(next(iter(self.unlogged)))
        return None

    def _forget(self, number: int) -> TxStage | None:
        self._unlogged_bytes -= self._weights.pop(number, 0)
        return self.unlogged.pop(number, None)

    def clear(self) -> list[TxStage]:
        """Return and forget what waits for its log."""
        waiting = list(self.unlogged.values())
        self.unlogged.clear()
        self._weights.clear()
        self._unlogged_bytes = 0
        return waiting

    @property
    def held(self) -> int:
        """Bytes of memory that it takes, about: what waits for its log is mostly what the parser still knows."""
        parser = 0 if self.done or not self.holds else cast("Holds", self.parser).held
        return max(parser, self._unlogged_bytes)

    def anomalies(self) -> list[tuple[AppAnomaly, int]]:
        """Return and forget what the parser found odd."""
        if not self.failed:
            found = self.parser.anomalies()
            # What is odd in it would be, if it were what was agreed on; so would its end.
            if self.awaited and (found or self.parser.done):
                self.awaited = False
                side = found[0][1] if found else TO_SERVER
                return [(odd, side) for odd in NO_TLS]
            return found
        if self.told:
            return []
        self.told = True
        return self.failed[:1]


class _Spent:
    """In place of a parser that has done its work."""

    __slots__ = ()
    done = True

    def feed(self, side: int, data: bytes, ts_ns: int) -> list[TxStage]:  # noqa: ARG002 - see `AppParser`
        """Take nothing."""
        return []

    def gap(self, side: int, length: int, ts_ns: int) -> list[TxStage]:  # noqa: ARG002 - see `AppParser`
        """Take nothing."""
        return []

    def finish(self, ts_ns: int) -> list[TxStage]:  # noqa: ARG002 - see `AppParser`
        """Nothing is pending."""
        return []

    def anomalies(self) -> list[tuple[AppAnomaly, int]]:
        """Nothing is odd."""
        return []


def weight_of(tx: object) -> int:
    """Return about the bytes of a transaction that may be large; 0: it cannot."""
    method = getattr(tx, "held", None)
    return method() if method is not None else 0


class AppLayer:
    """All parsers, by flow slot."""

    def __init__(self, limit: int = MAX_PARSERS, *, hash_files: bool = False, shelf: Shelf | None = None,
                 faults: Faults | None = None, memory: AppMemory | None = None) -> None:  # fmt: skip
        """shelf: where long files are kept; faults: where what a parser raises is noted; memory: of all parsers."""
        self.memory = memory or AppMemory(AppLimits().memcap)
        self.counters = AppCounters()
        self.losses = Losses()
        self.faults = faults or Faults()
        self._hash_files = hash_files
        self._shelf = shelf
        self._limit = limit
        self._framed: Collection[str] = BY_NAME
        self._heard: Collection[str] = BY_NAME
        self._flows: dict[int, FlowApp] = {}
        """The flow that was silent longest comes first."""

    def ask(self, framed: Collection[str], heard: Collection[str]) -> None:
        """Learn of which protocols some rule is about single messages, and of which about what is odd at the end."""
        self._framed, self._heard = framed, heard
        for flow in self._flows.values():
            if not flow.done:
                self._tell(flow.spec, flow.parser)

    def _tell(self, spec: ProtocolSpec, parser: AppParser) -> None:
        if TRAITS[spec.name].shows_frames:
            cast("ShowsFrames", parser).shows_frames = spec.name in self._framed
        if TRAITS[spec.name].hears_out:
            cast("HearsOut", parser).hears_out = spec.name in self._heard

    def __len__(self) -> int:
        return len(self._flows)

    def __contains__(self, slot: int) -> bool:
        return slot in self._flows

    def start(self, slot: int, app: int, *, datagrams: bool = False) -> FlowApp:
        """Make the parser of a flow."""
        spec = SPECS[app]
        room = Room(self._shelf) if self._shelf is not None and spec.files is not None else None
        flow = self._flows[slot] = FlowApp(spec, self._parser(spec, room, datagrams=datagrams), room=room)
        flow.use_traits()
        self.counters.flows += 1
        return flow

    def _parser(self, spec: ProtocolSpec, room: Room | None, *, datagrams: bool = False) -> AppParser:
        parser = ((spec.new_datagram_parser if datagrams else None) or spec.new_parser)()
        if spec.files is not None and (self._hash_files or room is not None):
            cast("CarriesFiles", parser).treat_files(FilePolicy(self._hash_files, room))
        if TRAITS[spec.name].counts_losses:
            cast("CountsLosses", parser).losses = self.losses
        self._tell(spec, parser)
        return parser

    def succeed(self, flow: FlowApp) -> list[tuple[int, bytes]]:
        """Let the protocol that follows take over, if it is time; return (side, bytes) that are already its."""
        old = cast("HandsOver", flow.parser)
        if not flow.hands_over or not old.becomes or flow.failed:
            return []
        flow.awaited = flow.spec.name == "smtp" and old.becomes == "tls"
        flow.spec = BY_NAME[old.becomes]
        flow.parser = self._parser(flow.spec, flow.room)
        flow.use_traits()
        flow.clear()
        flow.logged = -1
        return [(side, old.rest(side)) for side in (0, 1)]

    @property
    def victim(self) -> int:
        """The flow to be ended before another may start; -1: none."""
        return next(iter(self._flows)) if len(self._flows) >= self._limit else -1

    def evict(self, slot: int, *, memory: bool = False) -> None:
        """Forget a flow that is not over. memory: because all hold too much."""
        if memory:
            self.counters.memcap += 1
        else:
            self.counters.parsers_evicted += 1
        self.drop([slot])
        self.memory.leave(slot)

    def get(self, slot: int) -> FlowApp | None:
        """Return a flow's parser."""
        return self._flows.get(slot)

    def feed(self, slot: int, side: int, data: bytes, ts: int) -> list[TxStage]:
        """Give a flow's parser the next bytes of a side."""
        flow = self._flows[slot] = self._flows.pop(slot)
        if flow.done:
            return []
        stages = self._run(flow, side, flow.parser.feed, side, data, ts)
        if flow.holds:
            flow.said += len(data)
            if flow.counted or flow.said >= WEIGHED:
                self._weigh(slot, flow)
        return stages

    def _weigh(self, slot: int, flow: FlowApp) -> None:
        flow.said = 0
        flow.counted = self.memory.note(slot, flow.held)

    def gap(self, slot: int, side: int, length: int, ts: int) -> list[TxStage]:
        """Tell a flow's parser of lost bytes."""
        flow = self._flows[slot]
        if flow.done:
            return []
        stages = self._run(flow, side, flow.parser.gap, side, length, ts)
        if flow.counted:
            self._weigh(slot, flow)
        return stages

    def finish(self, slot: int, ts: int) -> list[TxStage]:
        """End a flow's parser."""
        flow = self._flows[slot]
        return [] if flow.done else self._run(flow, 0, flow.parser.finish, ts)

    def spend(self, slot: int) -> None:
        """Let go of the parser of a flow of which nothing more is to be learnt."""
        flow = self._flows[slot]
        flow.parser, flow.hands_over, flow.foresees, flow.holds = _Spent(), False, False, False
        flow.counted = self.memory.note(slot, flow.held)

    def drop(self, slots: Iterable[int]) -> None:
        """Forget flows."""
        if self._flows:
            for slot in self._flows.keys() & slots:
                self.memory.leave(slot)
                room = self._flows.pop(slot).room
                if room is not None:
                    room.leave()

    def datagram(self, app: int, side: int, data: bytes, ts: int) -> tuple[list[TxStage], list[tuple[AppAnomaly, int]]]:
        """Parse one datagram by itself."""
        spec = SPECS[app]
        flow = FlowApp(spec, (spec.new_datagram_parser or spec.new_parser)())
        stages = self._run(flow, side, flow.parser.feed, side, data, ts)
        return stages, flow.anomalies()

    def message(self, app: str, side: int, data: bytes, ts: int) -> Any | None:  # noqa: ANN401 - a transaction
        """Return the first transaction of a datagram; None: it has none, or says nothing by itself."""
        number = APP_ID.get(app)
        if number is None or SPECS[number].flow_state:
            return None
        stages, _ = self.datagram(number, side, data, ts)
        return stages[0].tx if stages else None

    def _run(self, flow: FlowApp, side: int, call: Callable[..., list[TxStage]], *what: Any) -> list[TxStage]:  # noqa: ANN401 - what `call` takes
        try:
            stages = call(*what)
            if flow.foresees:
                flow.idle[side], flow.idle[1 - side] = cast("Foresees", flow.parser).idle(side), 0
        except Exception as e:  # noqa: BLE001 - isolation point: one flow's parser
            self.counters.parser_errors += 1
            self.faults.note(f"parser of {flow.spec.name}", e)
            flow.failed.append((AppAnomaly.PARSER_ERROR, side))
            return []
        if flow.awaited and any(stage.tx.id >= 0 for stage in stages):  # mere views show anything
            flow.awaited = False
        return stages
