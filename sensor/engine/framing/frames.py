"""Which flows of a protocol must be parsed: messages are cut into frames, and rules are tried on these first.

Of 2,700 flows with HTTP in the bench capture, rules of ET Open match on 160; to parse the others and to look at rules
on each of their messages took two seconds.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, cast

import numpy as np

from sensor.detect.evaluator.conditions import Check
from sensor.detect.evaluator.context import Context, Window
from sensor.detect.planning.compiled import CompiledRules
from sensor.detect.planning.plan import Plan
from sensor.detect.prefilter.frametests import ELSEWHERE, FrameTests
from sensor.detect.prefilter.kernels_frametests import by_literal, try_pairs
from sensor.detect.scan.index import Hits
from sensor.detect.scan.literals import LiteralRules
from sensor.detect.state.budget import Budget, BudgetExceededError
from sensor.engine.framing.dormant import Dormant, Known
from sensor.engine.framing.framepairs import Outputs, in_text, pairs_by_frame
from sensor.model.app import Framing, ProtocolSpec
from sensor.model.counters import Counters
from sensor.model.frames import ABSENT, ALL, CODED, CONTINUED, DECODED, HEAD, ODD, Framed
from sensor.model.rows import COLD, DONE
from sensor.model.units import UNIT_STREAM
from sensor.proto.framer import Framer, Shown
from sensor.proto.framers import FRAMERS
from sensor.proto.registry import SPECS

_MOST_DECODED: Final = 16 << 20
"""Bytes of coded bodies of a block that are held at once; beyond, their flows are parsed. (8,192 messages of 300 bytes
could hold 800 MB.)"""
_MOST_ELSEWHERE: Final = 16
"""Rules of a side that are tried on each of its messages, wherever their literal was: beyond, parsing costs less."""


class FrameCounters(Counters):
    """Why flows of framed protocols had to be parsed."""

    __slots__ = (
        "dhcp_messages_matched", "dhcp_messages_not_plain", "dns_flows_matched", "dns_flows_not_plain",
        "frames_cut_short", "http_flows_matched", "http_flows_not_plain", "smb_flows_contents", "smb_flows_matched",
        "ssh_flows_matched", "ssh_flows_not_plain", "tls_flows_matched", "tls_flows_not_plain",
    )  # fmt: skip
    dhcp_messages_matched: int
    """Datagrams that a rule may match."""
    dhcp_messages_not_plain: int
    """Of these only parsing tells what they say."""
    dns_flows_matched: int
    """Over TCP: the name of a question has the literal of a rule."""
    dns_flows_not_plain: int
    frames_cut_short: int
    """Messages that a rule was not tried on to the end, because that cost more than its budget."""
    http_flows_matched: int
    """A rule may match one of their messages."""
    http_flows_not_plain: int
    """They were not parsed until a message came that the framer does not know."""
    smb_flows_contents: int
    """They may carry contents that rules ask for."""
    smb_flows_matched: int
    """A literal of a rule stands in them."""
    ssh_flows_matched: int
    ssh_flows_not_plain: int
    tls_flows_matched: int
    tls_flows_not_plain: int


@dataclass(slots=True)
class Wanted:
    """What frames say of the flows of a block."""

    parse: set[int] = field(default_factory=set)
    """Slots of flows that must be parsed: a rule may match, or what they say is not plain."""
    quiet: set[int] = field(default_factory=set)
    """Slots of flows on which only rules may match that set flowbits and say nothing."""
    over: set[int] = field(default_factory=set)
    """Slots of flows on which no rule matches, and of which nothing that comes can matter."""


class _Message:
    """One message as rules see it: what of `sensor.detect.evaluator.context.Context` conditions on it ask."""

    def __init__(self, tx: Shown, side: int, known: int) -> None:
        self._tx, self.side = tx, side
        self.known = known
        """`HEAD`, `FORM`, `ALL`, or `REST`."""
        self._windows: dict[str, Sequence[Window]] = {}

    def instances(self, buffer: str) -> Sequence[Window]:
        """Return the windows of a buffer."""
        found = self._windows.get(buffer)
        if found is None:
            found = self._windows[buffer] = [Window(data) for data in self._tx.buffer(buffer)]
        return found


class _Block:
    """The frames of a block, and their messages once they are asked for."""

    def __init__(self, framer: Framer, framed: Framed, data: np.ndarray, units: np.ndarray) -> None:
        self.framed, self.data, self.units = framed, data, units
        self._framer = framer
        self.flags: list[int] = framed.frames["flags"].tolist()
        self.slots: list[int] = units["flow"][framed.frames["unit"]].tolist()
        self.decoded = np.zeros(1, np.uint8)
        """What parts read that do not stand so (`Frames._decode`)."""
        self._messages: dict[int, _Message | None] = {}
        self._wholes: dict[int, _Message | None] = {}

    def marked(self, flags: int) -> list[int]:
        """Return the frames with one of these flags."""
        return [m for m, found in enumerate(self.flags) if found & flags]

    def message(self, m: int) -> _Message | None:
        """Return the message of a frame that begins here; None: something about it is odd."""
        if m not in self._messages:
            self._messages[m] = self._make(m, whole=False)
        return self._messages[m]

    def pass_over(self, m: int) -> None:
        """Have a frame taken as one of which nothing is known."""
        self._messages[m] = None

    def whole(self, m: int) -> _Message | None:
        """Return the message of a frame with its body; None: not all of it is here, or something about it is odd."""
        if m not in self._wholes:
            self._wholes[m] = self._make(m, whole=True)
        return self._wholes[m]

    def _make(self, m: int, *, whole: bool) -> _Message | None:
        f = self.framed.frames[m]
        made = self._framer.message(self.data, f, whole=whole)
        return _Message(made[0], int(f["side"]), made[1]) if made is not None else None


class Frames:
    """Tries the transaction rules of a protocol on frames. Keeps where messages begin."""

    def __init__(self, app: int, plan: Plan, tests: FrameTests, compiled: CompiledRules) -> None:
        self.app = app
        self._plan, self._tests, self._compiled = plan, tests, compiled
        spec = SPECS[app]
        if spec.framing is None:
            raise ValueError(f"{spec.name} has no frames")
        self._framing: Framing = spec.framing
        self._name = spec.name
        self._known = tuple(
            (head, frozenset(name for name in whole if not name.startswith("file.")), whole, whole - head)
            for head, whole in zip(
                (_named(spec, {head}) for head in self._framing.heads),
                (_named(spec, set(both)) for both in zip(self._framing.heads, self._framing.wholes, strict=True)),
                strict=True,
            )
        )
        """Buffers of either side that are known of a message, by what is known of it."""
        self._hiding = sum(self._framing.otherwise)
        """Flags of frames in which a literal may be hidden."""
        self._in_text = in_text(self._framing)
        self._framer = FRAMERS[app](tests.asked)
        self.counters = FrameCounters()
        self.logs_odd = False
        """What the parser finds odd about messages is logged: these are parsed."""
        self._reporters = tuple({rule for what in self._framing.marked for rule in plan.events.get(what, ())})
        """Rules that ask for it."""
        self._budget = Budget()
        self._checks: dict[tuple[int, int, int], tuple[Check, ...]] = {}
        self._passed: dict[int, set[int]] = {}
        """Slot → rules that may match one of its messages."""
        self._elsewhere: dict[int, set[int]] = {}
        """2 * slot + side → rules whose literal was seen in bytes that need not be those of the message they match."""
        self.bridged: set[int] = set()
        """Slots of flows that have lost bytes, and are framed nevertheless: none of a head is missing."""
        self._outputs = Outputs()
        self._dormant = Dormant(app, plan)

    def learn_bits(self, known: Known) -> None:
        """Learn who knows the flowbits of flows."""
        self._dormant.known = known

    def rules_of(self, slot: int, flow: int) -> Collection[int] | None:
        """Return the rules that may match messages of a flow so far; None: not all of them were framed.

        flow: its id.
        """
        return self._passed.get(slot, ()) if self._framer.follows(slot, flow) else None

    def cut(self, data: np.ndarray, units: np.ndarray, flows: np.ndarray) -> Framed:
        """Return the frames of a block's streams. data: uint8[n]; units: UNIT[m]; flows: FLOW[slots]."""
        slots = units["flow"]
        picked = (units["kind"] == UNIT_STREAM) & (flows["app"][slots] == self.app) & (flows["hot"][slots] != DONE)
        return self._framer.frame(data, units, picked, flows)

    def look(self, framed: Framed, data: np.ndarray, units: np.ndarray, flows: np.ndarray, hits: Hits) -> Wanted:
        """Return what rules want of flows. hits: of the plan's literals in the units."""
        block = _Block(self._framer, framed, data, units)
        unread = list(self._unread(block))
        for m in unread:  # what its body holds is not known: all rules may match
            self._framer.leave(block.slots[m])
        odd = [m for m in block.marked(ODD) if self._told(block, m)] + unread
        refused = {*units["flow"][framed.refused].tolist(), *(block.slots[m] for m in odd)}
        wanted = Wanted(set(refused))
        self._decode(block)
        by_frame = pairs_by_frame(
            framed, data, units, flows, self._tests, self._plan.headers, self._framing, (block.decoded, self._in_text),
            self._outputs,
        )  # fmt: skip
        pairs = {*by_frame, *self._by_literal(block, flows, hits)}
        unknown = [pair for pair in pairs if pair[0] < 0]
        self._unplaced(block, unknown, wanted)
        pairs.difference_update(unknown)
        hidden = ((m, rule) for m in block.marked(self._hiding) for rule in self._hidden(block, m))
        pairs.update(self._tried(block, [*self._elsewhere_of(block), *hidden]))
        for m, rule in sorted(pairs):
            self._try(block, m, rule, wanted)
        self._count(refused, wanted.parse - refused, flows)
        wanted.over = set(framed.over.tolist()) - wanted.parse - self._passed.keys()
        return wanted

    def _unread(self, block: _Block) -> Iterator[int]:
        """Yield the coded messages whose bodies are not known: they are odd, or others have filled the room."""
        left = _MOST_DECODED
        for m in block.marked(CODED):
            if left <= 0:
                block.pass_over(m)
            message = block.message(m)
            if message is None:
                yield m
                continue
            names = self._framing.otherwise[CODED][message.side]
            left -= sum(len(window.data) for name in names for window in message.instances(name))

    def _decode(self, block: _Block) -> None:
        """Have parts that read otherwise than they stand tested as they read."""
        made, at = [b"\0"], DECODED + 1
        for m in block.marked(self._hiding):
            message = block.message(m)
            for name in self._hidden_names(block, m) if message is not None else ():
                part = self._framing.parts.get(name)
                if part is None or part in self._framing.several or self._in_text[part]:
                    continue
                record = block.framed.frames[m]
                windows = message.instances(name) if message is not None else ()
                if len(windows) == 1:
                    made.append(windows[0].data)
                    record["at"][part], record["to"][part] = at, at + len(made[-1])
                    at += len(made[-1])
                elif not windows:
                    record["at"][part] = ABSENT
        if len(made) > 1:
            block.decoded = np.frombuffer(bytearray().join(made), np.uint8)

    def _hidden_names(self, block: _Block, m: int) -> list[str]:
        """Return the buffers that read otherwise than they stand in a message."""
        side = int(block.framed.frames[m]["side"])
        otherwise = self._framing.otherwise.items()
        return [name for flag, names in otherwise if block.flags[m] & flag for name in names[side]]

    def _told(self, block: _Block, m: int) -> bool:
        """Tell whether somebody may ask for what is odd about a message."""
        return self.logs_odd or any(self._may(rule, block.message(m)) for rule in self._reporters)

    def _count(self, refused: set[int], matched: set[int], flows: np.ndarray) -> None:
        """Count the flows that become hot."""
        hot = flows["hot"]
        for why, slots in (("not_plain", refused), ("matched", matched)):
            name = f"{self._name}_flows_{why}"
            cold = sum(int(hot[slot]) == COLD for slot in slots)
            setattr(self.counters, name, getattr(self.counters, name) + cold)

    def bridge(self, gaps: np.ndarray, units: np.ndarray, flows: np.ndarray) -> None:
        """Tell the losses that lie within one body each from others, with which a flow is framed no longer.

        gaps: SEG[n], the losses of a block, when it has been framed. What comes behind a loss must be here: only then
        has the framer seen where it ends.
        """
        mine = gaps[flows["app"][gaps["flow"]] == self.app]
        if not mine.size:
            return
        streams = units[units["kind"] == UNIT_STREAM]
        behind = set(zip(streams["flow"].tolist(), streams["side"].tolist(), streams["pos"].tolist(), strict=True))
        ends = zip(mine["flow"].tolist(), mine["side"].tolist(), (mine["pos"] + mine["len"]).tolist(), strict=True)
        for slot, side, end in ends:
            if (slot, side, end) in behind and self._framer.follows(slot, int(flows["id"][slot])):
                self.bridged.add(slot)
            else:
                self.bridged.discard(slot)
                self._framer.leave(slot)

    def forget(self, slots: Iterable[int]) -> None:
        """Drop what is kept of ended flows."""
        slots = list(slots)
        self.bridged.difference_update(slots)
        for slot in slots if self._passed or self._elsewhere else ():
            self._passed.pop(slot, None)
            self._elsewhere.pop(2 * slot, None)
            self._elsewhere.pop(2 * slot + 1, None)

    def _try(self, block: _Block, m: int, rule: int, wanted: Wanted) -> None:
        """Note a flow if a rule may match one of its messages."""
        slot = block.slots[m]
        known = rule in self._passed.get(slot, ()) or block.flags[m] & CONTINUED
        # As good as certain is enough where nothing may come of it.
        if known or rule in self._plan.quiet or (self._may(rule, block.message(m)) and self._body_may(block, m, rule)):
            self._note(slot, rule, wanted)

    def _body_may(self, block: _Block, m: int, rule: int) -> bool:
        """Tell whether what a rule asks of a body holds, where all of it is here."""
        message = block.message(m)
        if message is None or message.known != HEAD:
            return True
        asked = self._conditions(rule, message.side, ALL)
        return len(asked) == len(self._conditions(rule, message.side, HEAD)) or self._may(rule, block.whole(m))

    def _note(self, slot: int, rule: int, wanted: Wanted) -> None:
        """Note a rule that may match: the flow is parsed once one could say something."""
        passed = self._passed.setdefault(slot, set())
        passed.add(rule)
        if rule in self._plan.quiet:
            wanted.quiet.add(slot)
        if slot not in wanted.parse and self._dormant.worth(slot, passed):
            wanted.parse.add(slot)

    def _unplaced(self, block: _Block, pairs: Iterable[tuple[int, int]], wanted: Wanted) -> None:
        """Take rules whose literal stands where no message is known, or may stand in another than they match on."""
        for place, rule in pairs:
            unit = -1 - place
            u = block.units[unit]
            slot, side = int(u["flow"]), int(u["side"])
            first, last = block.framed.first[unit : unit + 2].tolist()
            known = self._tests.deep[rule] & ELSEWHERE and self._conditions(rule, side, HEAD)
            if not known or any(block.flags[m] & CONTINUED for m in range(first, last)):
                self._note(slot, rule, wanted)
            else:
                self._wait(2 * slot + side, rule, wanted)

    def _wait(self, key: int, rule: int, wanted: Wanted) -> None:
        """Try a rule on each message of a side from now on. key: 2 * slot + side."""
        waiting = self._elsewhere.setdefault(key, set())
        if len(waiting) < _MOST_ELSEWHERE:
            waiting.add(rule)
        elif rule not in waiting:
            self._note(key >> 1, rule, wanted)

    def _elsewhere_of(self, block: _Block) -> Iterable[tuple[int, int]]:
        """Return the messages of sides on which the literal of such a rule was seen."""
        if not self._elsewhere:
            return ()
        sides = zip(block.slots, block.framed.frames["side"].tolist(), strict=True)
        return [(m, rule) for m, (slot, side) in enumerate(sides) for rule in self._elsewhere.get(2 * slot + side, ())]

    def _may(self, rule: int, message: _Message | None) -> bool:
        """Tell whether all holds that a rule asks of a message. None: something about it is odd."""
        if message is None:
            return True
        meter = self._budget.meter
        meter.left = self._budget.limits.steps
        context = cast("Context", message)
        try:
            return all(check(context, meter) for check in self._conditions(rule, message.side, message.known))
        except BudgetExceededError:
            self.counters.frames_cut_short += 1
            return True

    def _conditions(self, rule: int, side: int, known: int) -> tuple[Check, ...]:
        """Return what a rule asks of a message of a side, as far as that is known of it."""
        checks = self._checks.get((rule, side, known))
        if checks is None:
            checks = self._checks[rule, side, known] = self._compiled.on(rule, self._known[side][known])
        return checks

    def _hidden(self, block: _Block, m: int) -> Iterable[int]:
        """Return the rules whose literal stands in a part that is not on the wire as it reads."""
        message = block.message(m)
        if message is None:
            return ()
        standing = self._plan.transactions.standing
        names = self._hidden_names(block, m)
        return {rule for name in names for rule in standing(self.app, name, message.instances(name))}

    def _tried(self, block: _Block, pairs: list[tuple[int, int]]) -> Iterable[tuple[int, int]]:
        """Return the pairs of a message and a rule that may match."""
        if not pairs:
            return ()
        framed, t = block.framed, self._tests
        at, rules = np.array(pairs, np.int32).T.copy()
        out = np.empty(at.size, np.bool_)
        try_pairs(
            at, rules, block.data, framed.frames, framed.text, block.decoded, self._in_text, self._framing.goes_on,
            self._framing.cookie, t.first, t.table, t.pool, *t.automata.arrays, out,
        )  # fmt: skip
        return itertools.compress(pairs, out.tolist())

    def _by_literal(self, block: _Block, flows: np.ndarray, hits: Hits) -> list[tuple[int, int]]:
        framed, data, units = block.framed, block.data, block.units
        t, head, out = self._tests, self._plan.headers, self._outputs.room(framed.frames.size)
        x: LiteralRules = self._plan.literals
        state = np.zeros(2, np.int64)
        found: list[tuple[int, int]] = []
        t.seen.fill(-1)
        while state[0] < hits.lit.size:
            n = by_literal(
                hits.lit, hits.unit, hits.pos, data, units, framed.plain, flows, head.table, head.ports,
                head.flow_masks, x.first, x.rules, framed.frames, framed.first, framed.text, block.decoded,
                self._in_text, self._framing.goes_on, self._framing.cookie, t.first, t.table, t.pool,
                *t.automata.arrays, t.hit_side, t.deep, self.app, t.seen, *out, state,
            )  # fmt: skip
            found += zip(out[0][:n].tolist(), out[1][:n].tolist(), strict=True)
        return found


def _named(spec: ProtocolSpec, stages: Collection[int]) -> frozenset[str]:
    """Return the names of a protocol's buffers that are known at one of these stages."""
    return frozenset(name for b in spec.buffers if b.stage in stages for name in (b.name, *b.aliases))
