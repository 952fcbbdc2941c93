"""What only a view of all traffic can tell of a match: whether its rule may alert (again)."""

from __future__ import annotations

from msgspec.structs import replace

from sensor.detect.addresses import widen
from sensor.detect.plan import Plan
from sensor.detect.threshold import Thresholds
from sensor.engine.writer import Writer
from sensor.model.scene import FlowEnd, Match, Record
from sensor.rules.nodes import Rule


class Verdicts:
    """Takes the merged records and gives the writer those that count.

    flows: how many can be live at a time, 0: ends of flows are not logged.
    """

    def __init__(self, writer: Writer, plan: Plan, flows: int) -> None:
        self._writer = writer
        self._plans: tuple[Plan, ...] = ()
        self._rules: dict[tuple[int, int], Rule | None] = {}
        self._flows = flows
        self._alerted: dict[int, None] = {}
        """Ids of flows that alerted and whose end is still to come; those of a worker that died never end."""
        self.thresholds = Thresholds()
        self.alerts = 0
        self.unknown = 0
        """Matches of a rule that is not known here: a fault of the sensor."""
        self.learn(plan)

    def learn(self, plan: Plan) -> None:
        """Take the rules of a reload. Those before stay: workers may still be judging by them."""
        self._plans = (plan, *self._plans[:1])
        self._rules.clear()

    def _rule(self, gid: int, sid: int) -> Rule | None:
        if (gid, sid) not in self._rules:
            found = ((plan, plan.table.number_of(gid, sid)) for plan in self._plans)
            self._rules[gid, sid] = next((plan.rules[number] for plan, number in found if number >= 0), None)
        return self._rules[gid, sid]

    def take(self, record: Record) -> None:
        """Take a record in its turn."""
        if isinstance(record, Match):
            self._match(record)
        elif isinstance(record, FlowEnd):
            alerted = record.scene.flow_id in self._alerted
            self._alerted.pop(record.scene.flow_id, None)
            self._writer(replace(record, alerted=alerted))
        else:
            self._writer(record)

    def _match(self, match: Match) -> None:
        gid, sid = match.rule
        rule, scene = self._rule(gid, sid), match.scene
        if rule is None:
            self.unknown += 1
            return
        action = self.thresholds.verdict(rule, scene.ts, widen(scene.src), widen(scene.dest), scene.flow_id)
        if not action or (action == "pass" and rule.action != "pass"):
            return
        self.alerts += 1
        if self._flows and scene.flow_id:
            self._alerted[scene.flow_id] = None
            if len(self._alerted) > self._flows:
                del self._alerted[next(iter(self._alerted))]
        self._writer(replace(match, rule=rule if action == rule.action else replace(rule, action=action)))
