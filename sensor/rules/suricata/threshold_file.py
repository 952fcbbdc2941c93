"""`threshold.config`: limits of alert rates and suppressions that stand outside the rules.

Lines are `threshold|event_filter gen_id G, sig_id S, type T, track W, count N, seconds N`,
`suppress gen_id G, sig_id S[, track W, ip ADDRESSES]`, and `rate_filter gen_id G, sig_id S, track W, count N,
seconds N, new_action A, timeout N`: for so long a rule of which there were more matches has another action. A
backslash at the end continues a line. `sig_id 0` is every rule of the generator, both 0 every rule.

A rule has one limit, as in Suricata: an `event_filter` that names it takes the place of its own and of what earlier
lines gave it; any other line gives a limit to rules without one only. Suppressions add up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from sensor.rules.header import RATE_ACTIONS, TRACKS
from sensor.rules.nodes import Suppression, Threshold
from sensor.rules.problems import Problem
from sensor.rules.suricata.numbers import integer
from sensor.rules.suricata.refusal import Refused
from sensor.rules.variables import VariableError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sensor.rules.nodes import Rule
    from sensor.rules.variables import Variables

_U32 = 0xFFFFFFFF
_TYPES = ("limit", "threshold", "both")
_ENDS = ("by_src", "by_dst", "by_either")


class Limits(msgspec.Struct, frozen=True):
    """What a file says, as it applies to the rules that were given."""

    rules: tuple[Rule, ...]
    suppressions: tuple[Suppression, ...]
    problems: tuple[Problem, ...]


class _Applied:
    """Rules while the lines of a file are applied to them, in order."""

    def __init__(self, rules: Sequence[Rule], variables: Variables) -> None:
        self.rules = {(rule.gid, rule.sid): rule for rule in rules}
        self.suppressions: list[Suppression] = []
        self._variables = variables

    def line(self, line: str) -> None:
        """Apply one line. Raises Refused."""
        action, _, rest = line.partition(" ")
        found = _settings(rest)
        gid, sid = (integer(_taken(found, name), 0, _U32) for name in ("gen_id", "sig_id"))
        if action in ("threshold", "event_filter"):
            limit = _threshold(found)
            _used_up(found)
            self._limit(gid, sid, limit, replaces=bool(sid))
        elif action == "suppress":
            track, text = found.pop("track", ""), found.pop("ip", "")
            _used_up(found)
            self._suppress(gid, sid, track, text)
        elif action == "rate_filter":
            limit = _rate(found)
            _used_up(found)
            self._limit(gid, sid, limit, replaces=False)
        else:
            raise Refused(f"unknown entry '{action[:20]}'", "threshold, event_filter, rate_filter, suppress")

    def _named(self, gid: int, sid: int) -> list[tuple[int, int]]:
        if sid:
            return [(gid, sid)] if (gid, sid) in self.rules else []
        return [key for key in self.rules if gid in (0, key[0])]

    def _limit(self, gid: int, sid: int, limit: Threshold, *, replaces: bool) -> None:
        if sid and (gid, sid) not in self.rules:
            raise Refused(f"there is no rule {gid}:{sid}")
        if sid and not replaces and self.rules[gid, sid].thresholds:
            raise Refused(f"rule {gid}:{sid} has a threshold, which holds")
        for key in self._named(gid, sid):
            if replaces or not self.rules[key].thresholds:
                self.rules[key] = msgspec.structs.replace(self.rules[key], thresholds=(limit,))

    def _suppress(self, gid: int, sid: int, track: str, text: str) -> None:
        if bool(track) != bool(text) or (track and track not in _ENDS):
            raise Refused("track and ip go together", f"track {', '.join(_ENDS)}")
        try:
            addresses = self._variables.addresses(f"[{text}]" if "," in text and text[0] != "[" else text or "any")
        except VariableError as error:
            raise Refused(str(error), error.hint) from None
        every = not gid and not sid
        named = [(1, 0)] if every else [(gid, sid)] if sid else self._named(gid, 0)
        self.suppressions += [Suppression(number, owner, track, addresses) for owner, number in named]


def apply(text: str, file: str, rules: Sequence[Rule], variables: Variables) -> Limits:
    """Apply a file to rules with distinct ids. Raises nothing: lines that cannot be used are among the problems."""
    applied, problems = _Applied(rules, variables), []
    for number, line in _lines(text.splitlines()):
        try:
            applied.line(line)
        except Refused as why:
            problems.append(Problem(file, number, 1, str(why), why.hint))
    return Limits(tuple(applied.rules.values()), tuple(applied.suppressions), tuple(problems))


def _lines(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Yield (number, text) of what is no comment, continued lines joined."""
    start, parts = 0, list[str]()
    for number, raw in enumerate([*lines, ""], 1):
        line = raw.strip()
        start = start if parts else number
        if line.endswith("\\"):
            parts.append(line[:-1])
            continue
        whole, parts = " ".join([*parts, line]).strip(), []
        if whole and not whole.startswith("#"):
            yield start, whole


def _settings(text: str) -> dict[str, str]:
    """Return name → value of `name value, name value`; commas within brackets, or before an address, part nothing."""
    found: dict[str, str] = {}
    depth, word = 0, ""
    for char in f"{text},":
        depth += (char == "[") - (char == "]")
        if char != "," or depth > 0:
            word += char
            continue
        name, _, value = word.strip().partition(" ")
        if not value and name and [*found][-1:] == ["ip"]:  # the next of several addresses without brackets
            found["ip"], word = f"{found['ip']},{name}", ""
            continue
        if name in found or not value:
            raise Refused(f"'{word.strip()[:30]}' is no setting, or is given twice", "gen_id 1, sig_id 1000, …")
        found[name], word = value.strip(), ""
    return found


def _used_up(found: dict[str, str]) -> None:
    if found:
        raise Refused(f"unknown setting '{next(iter(found))[:20]}'")


def _taken(found: dict[str, str], name: str) -> str:
    if name not in found:
        raise Refused(f"'{name}' is missing")
    return found.pop(name)


def _rate(found: dict[str, str]) -> Threshold:
    track, action = _taken(found, "track"), _taken(found, "new_action")
    if track not in TRACKS:
        raise Refused(f"unknown track '{track[:20]}'", ", ".join(TRACKS))
    if action not in RATE_ACTIONS:
        raise Refused(f"unknown action '{action[:20]}'", ", ".join(RATE_ACTIONS))
    count, seconds = (integer(_taken(found, name), 1, _U32) for name in ("count", "seconds"))
    return Threshold("rate_filter", track, count, seconds, action, integer(_taken(found, "timeout"), 0, _U32))


def _threshold(found: dict[str, str]) -> Threshold:
    kind, track = _taken(found, "type"), _taken(found, "track")
    if kind not in _TYPES:
        raise Refused(f"unknown type '{kind[:20]}'", ", ".join(_TYPES))
    if track not in TRACKS:
        raise Refused(f"unknown track '{track[:20]}'", ", ".join(TRACKS))
    count, seconds = (integer(_taken(found, name), 1, _U32) for name in ("count", "seconds"))
    return Threshold(kind, track, count, seconds)
