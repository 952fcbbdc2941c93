"""Which HTTP/1 flows must be parsed: messages are cut into frames, and rules are tried on these first.

Of 2,700 flows with HTTP in the bench capture, rules of ET Open match on 160; to parse the others and to look at rules
on each of their messages took two seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, cast

import numpy as np

from sensor.detect.budget import Budget, BudgetExceededError
from sensor.detect.compiled import CompiledRules
from sensor.detect.conditions import Check
from sensor.detect.context import Context, Window
from sensor.detect.frametests import FrameTests
from sensor.detect.kernels_frametests import by_frame, by_literal
from sensor.detect.literals import LiteralRules
from sensor.detect.plan import Plan
from sensor.detect.scan import Hits
from sensor.model.app import Framing, Transaction
from sensor.model.frames import ALTERED, CONTINUED
from sensor.model.units import UNIT_STREAM
from sensor.proto import ids
from sensor.proto.http1.framing import Framed, Framer, head_of
from sensor.proto.registry import SPECS

_APP: Final = ids.HTTP
_ROOM: Final = 1 << 15


@dataclass(slots=True)
class Wanted:
    """What frames say of the flows of a block."""

    parse: set[int] = field(default_factory=set)
    """Slots of flows that must be parsed: a rule may match, or what they say is not plain."""
    quiet: set[int] = field(default_factory=set)
    """Slots of flows on which only rules may match that set flowbits and say nothing."""


class _Head:
    """The head of one message, as rules see it: what of `sensor.detect.context.Context` conditions on it ask."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self._windows: dict[str, Sequence[Window]] = {}

    def instances(self, buffer: str) -> Sequence[Window]:
        """Return the windows of a buffer."""
        found = self._windows.get(buffer)
        if found is None:
            found = self._windows[buffer] = [Window(data) for data in self._tx.buffer(buffer)]
        return found


class Frames:
    """Tries the transaction rules of HTTP/1 on frames. Keeps where messages begin."""

    def __init__(self, plan: Plan, tests: FrameTests, compiled: CompiledRules) -> None:
        self._plan, self._tests, self._compiled = plan, tests, compiled
        spec = SPECS[_APP]
        if spec.framing is None:
            raise ValueError("HTTP/1 has frames")
        self._framing: Framing = spec.framing
        self._known = tuple(
            frozenset(name for b in spec.buffers if b.stage == stage for name in (b.name, *b.aliases))
            for stage in self._framing.heads
        )
        self._in_text = np.zeros(256, np.uint8)
        self._in_text[list(self._framing.text)] = 1
        self._framer = Framer()
        self._budget = Budget()
        self._checks: dict[tuple[int, int], tuple[Check, ...]] = {}
        self._out = np.empty(_ROOM, np.int32), np.empty(_ROOM, np.int32)

    def cut(self, data: np.ndarray, units: np.ndarray, flows: np.ndarray) -> Framed:
        """Return the frames of a block's streams. data: uint8[n]; units: UNIT[m]; flows: FLOW[slots]."""
        slots = units["flow"]
        picked = (units["kind"] == UNIT_STREAM) & (flows["app"][slots] == _APP) & (flows["hot"][slots] == 0)
        return self._framer.frame(data, units, picked, flows)

    def look(self, framed: Framed, data: np.ndarray, units: np.ndarray, flows: np.ndarray, hits: Hits) -> Wanted:
        """Return what rules want of flows. hits: of the plan's literals in the units."""
        wanted = Wanted(set(units["flow"][framed.refused].tolist()))
        pairs = [*self._by_frame(framed, data, units, flows), *self._by_literal(framed, data, units, flows, hits)]
        pairs += [(m, rule) for m in self._altered(framed) for rule in self._hidden(framed, data, m)]
        slots = units["flow"][framed.frames["unit"]].tolist()
        quiet = self._plan.quiet
        at, head = -1, None
        for m, rule in sorted(set(pairs)):
            slot = slots[m] if m >= 0 else -1 - m
            if slot in wanted.parse or (slot in wanted.quiet and rule in quiet):
                continue
            if m >= 0 and not framed.frames["flags"][m] & CONTINUED:
                if m != at:
                    at, head = m, self._head(framed, data, m)
                if head is not None and not self._may(rule, int(framed.frames["side"][m]), head):
                    continue
            (wanted.quiet if rule in quiet else wanted.parse).add(slot)
        return wanted

    def _head(self, framed: Framed, data: np.ndarray, m: int) -> _Head:
        f = framed.frames[m]
        return _Head(head_of(data[int(f["first"]) : int(f["head"])].tobytes(), int(f["side"])))

    def _may(self, rule: int, side: int, head: _Head) -> bool:
        """Tell whether all holds that a rule asks of a head."""
        checks = self._checks.get((rule, side))
        if checks is None:
            checks = self._checks[rule, side] = self._compiled.on(rule, self._known[side])
        meter = self._budget.meter
        meter.left = self._budget.limits.steps
        try:
            return all(check(cast("Context", head), meter) for check in checks)
        except BudgetExceededError:
            return True

    def _altered(self, framed: Framed) -> list[int]:
        found: list[int] = np.flatnonzero(framed.frames["flags"] & ALTERED).tolist()
        return found

    def _hidden(self, framed: Framed, data: np.ndarray, m: int) -> Iterable[int]:
        """Return the rules whose literal stands in a part that is not on the wire as it reads."""
        head = self._head(framed, data, m)
        for name in self._framing.altered:
            yield from self._plan.transactions.standing(_APP, name, head.instances(name))

    def _by_frame(self, framed: Framed, data: np.ndarray, units: np.ndarray,
                  flows: np.ndarray) -> list[tuple[int, int]]:  # fmt: skip
        t, head, out = self._tests, self._plan.headers, self._outputs(self._tests.always.size)
        state, found = np.zeros(1, np.int64), []
        while state[0] < framed.frames.size:
            n = by_frame(
                data, units, flows, head.table, head.ports, head.flow_masks, framed.frames, framed.text, self._in_text,
                self._framing.goes_on, self._framing.cookie, t.first, t.table, t.pool, t.always, t.always_first,
                t.floats, t.any_float, t.pairs, *out, state,
            )  # fmt: skip
            found += zip(out[0][:n].tolist(), out[1][:n].tolist(), strict=True)
        return found

    def _by_literal(self, framed: Framed, data: np.ndarray, units: np.ndarray, flows: np.ndarray,
                    hits: Hits) -> list[tuple[int, int]]:  # fmt: skip
        t, head, out = self._tests, self._plan.headers, self._outputs(framed.frames.size)
        x: LiteralRules = self._plan.literals
        state, found = np.zeros(2, np.int64), []
        t.seen.fill(-1)
        while state[0] < hits.lit.size:
            n = by_literal(
                hits.lit, hits.unit, hits.pos, data, units, framed.plain, flows, head.table, head.ports,
                head.flow_masks, x.first, x.rules, framed.frames, framed.first, framed.text, self._in_text,
                self._framing.goes_on, self._framing.cookie, t.first, t.table, t.pool, t.hit_side, t.deep, _APP,
                t.seen, *out, state,
            )  # fmt: skip
            found += zip(out[0][:n].tolist(), out[1][:n].tolist(), strict=True)
        return found

    def _outputs(self, at_once: int) -> tuple[np.ndarray, np.ndarray]:
        """Return room for pairs. at_once: as many may come in one go."""
        if self._out[0].size < 2 * at_once + _ROOM:
            size = 2 * at_once + _ROOM
            self._out = np.empty(size, np.int32), np.empty(size, np.int32)
        return self._out
