"""A file of rules in text form to `Rule` nodes: the front end for `.rules`. Every problem is collected."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from sensor.rules.check import unmatchable
from sensor.rules.nodes import All, AnyNode, Rule, labels_of
from sensor.rules.parse import Unit
from sensor.rules.suricata import finish, head
from sensor.rules.suricata.draft import Draft
from sensor.rules.suricata.keywords import handler
from sensor.rules.suricata.refusal import Refused
from sensor.rules.suricata.split import Option, Part, Statement, SyntaxFault, head_and_options, statements

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from sensor.rules.context import Context

_LOWEST = 3
"""Severity where neither `priority` nor the class says one."""


def parse(text: str, ctx: Context) -> Unit:
    """Read a file. Raises nothing: what is wrong with a rule is among the unit's problems."""
    rules = [rule for statement in statements(text) if (rule := _Reader(statement, ctx).rule()) is not None]
    return Unit(tuple(rules), (), ctx.problems.found(), tuple(ctx.lists.used.items()))


class _Reader:
    """Reads one rule."""

    def __init__(self, statement: Statement, ctx: Context) -> None:
        self._statement = statement
        self._ctx = ctx
        self._failed = False

    def rule(self) -> Rule | None:
        """Return the rule; None: it is refused, and the problems say why (or it is for another version)."""
        try:
            words, options = head_and_options(self._statement)
        except SyntaxFault as fault:
            self._report(str(fault), fault.hint, fault.offset)
            return None
        self._ctx.defined.clear()
        draft = Draft(self._ctx, "ip")
        self._head(words, draft)
        # A rule for another version may hold anything: that is found out before its other options are looked at.
        for option in sorted(options, key=lambda option: option.name != "requires"):
            self._option(option, draft)
            if draft.skipped:
                return None
        return self._whole(draft, options)

    def _report(self, message: str, hint: str, offset: int) -> None:
        self._failed = True
        self._ctx.problems.add(self._statement.place(offset), message, hint)

    def _word(self, part: Part, read: Callable[[], dict[str, Any]], draft: Draft) -> None:
        try:
            draft.values.update(read())
        except Refused as why:
            self._report(str(why), why.hint, part.offset)

    def _head(self, words: Sequence[Part], draft: Draft) -> None:
        action, proto, direction = words[0], words[1], words[4]
        self._word(action, lambda: {"action": head.action(action.text)}, draft)
        self._word(proto, lambda: {"proto": head.protocol(proto.text)}, draft)
        self._word(direction, lambda: {"bidirectional": head.direction(direction.text)}, draft)
        for part, read in head.ends(words, self._ctx):
            self._word(part, read, draft)
        draft.proto = draft.values.get("proto", "ip")
        draft.conditions += head.conditions(proto.text)

    def _option(self, option: Option, draft: Draft) -> None:
        try:
            handler(option.name)(draft, option.value)
        except Refused as why:
            self._report(f"keyword '{option.name}' {_joined(str(why))}", why.hint, option.offset)
            draft.give_up()

    def _whole(self, draft: Draft, options: Sequence[Option]) -> Rule | None:
        if "sid" not in draft.values:
            self._report("the rule has no sid", "sid:1000001;", 0)
        body: AnyNode = All(())
        try:
            finish.settle_contents(draft)
            body = finish.body(draft)
        except Refused as why:
            self._report(str(why), why.hint, options[-1].offset if options else 0)
        if self._failed:
            return None
        values: dict[str, Any] = {"msg": "", "rev": 0, "severity": _LOWEST} | draft.values | {"proto": draft.proto}
        values["labels"] = labels_of(values.pop("references", ()), values.pop("metadata", ()))
        statement = self._statement
        rule = Rule(
            **values, body=body, thresholds=tuple(draft.thresholds), file=self._ctx.problems.file,
            line=statement.line, text=statement.text,
        )  # fmt: skip
        reason = unmatchable(rule)
        return msgspec.structs.replace(rule, unmatchable=reason) if reason else rule


def _joined(text: str) -> str:
    return text if text.startswith("is ") else f"- {text}"
