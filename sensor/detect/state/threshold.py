"""How often a rule may alert: thresholds on packet time, and suppressions."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

from sensor.detect.headers.addresses import address_test, widen
from sensor.detect.state.budget import SECOND
from sensor.errors import RuleError
from sensor.model.counters import Counters

if TYPE_CHECKING:
    from sensor.rules.nodes import Rule, Suppression, Threshold

_SWEEP = 32
"""Oldest entries looked at for expiry when the table is full."""


@dataclass(frozen=True, slots=True)
class ThresholdLimits:
    """An entry takes about 400 bytes."""

    entries: int = 65_536


class Rates(Protocol):
    """Tells what becomes of a match."""

    def verdict(self, rule: Rule, ts_ns: int, src: bytes, dst: bytes, flow_id: int) -> str | None:
        """Count a match and return what is to be done; empty: nothing; None: no alert, there were enough of them."""


Tracked = bytes | tuple[bytes, bytes] | int | None
"""What a threshold counts by: an address, a pair, a flow, nothing."""


class Closed(NamedTuple):
    """Until when a rule with one threshold cannot alert any more, however often it matches."""

    gid: int
    sid: int
    tracked: Tracked
    since: int
    """ns"""
    until: int


class FarRates:
    """Somebody else counts: every match alerts, but for those of which is known that it would not."""

    def __init__(self, limit: int = 65_536) -> None:
        self._limit = limit
        self._closed: dict[tuple[int, int, Tracked], tuple[int, int]] = {}

    def close(self, closed: Closed) -> None:
        """Take the word of the one who counts. At the cap the oldest is forgotten, and costs time only."""
        self._closed[closed.gid, closed.sid, closed.tracked] = closed.since, closed.until
        if len(self._closed) > self._limit:
            del self._closed[next(iter(self._closed))]

    def clear(self) -> None:
        """Forget everything: the rules have changed."""
        self._closed.clear()

    def verdict(self, rule: Rule, ts_ns: int, src: bytes, dst: bytes, flow_id: int) -> str | None:
        """Return the rule's own action, None where a match would be held back."""
        if not self._closed or len(rule.thresholds) != 1:
            return rule.action
        key = rule.gid, rule.sid, _tracked(rule.thresholds[0].track, src, dst, flow_id)
        since, until = self._closed.get(key, (0, -1))
        return None if since <= ts_ns <= until else rule.action


class ThresholdCounters(Counters):
    """What rates and the cap cost."""

    __slots__ = ("threshold_evictions", "threshold_suppressed")
    threshold_evictions: int
    threshold_suppressed: int


class _Window:
    __slots__ = ("count", "expires", "told", "until")

    def __init__(self, expires: int) -> None:
        self.expires = expires
        self.until = 0
        """Of rate_filter: packet time up to which the other action holds; 0: it does not."""
        self.count = 1
        self.told = False

    def enough(self, threshold: Threshold) -> bool:
        """Tell whether a rule has alerted as often as it may."""
        return threshold.kind in {"limit", "both"} and self.count > threshold.count


class Thresholds:
    """Counts per (rule, threshold, tracked end) in windows of packet time.

    A window begins with the first match outside any window and lasts `seconds`, its end included. At the
    cap expired entries go first, then the one whose window began first; each live one that goes is counted,
    and its rule counts from 1 again.
    """

    def __init__(self, limits: ThresholdLimits | None = None) -> None:
        self.limits = limits or ThresholdLimits()
        self.counters = ThresholdCounters()
        self._table: OrderedDict[tuple[object, ...], _Window] = OrderedDict()
        self.on_closed: Callable[[Closed], None] | None = None
        """Told once a window that a rule cannot alert any more in it."""

    def __len__(self) -> int:
        return len(self._table)

    def verdict(self, rule: Rule, ts_ns: int, src: bytes, dst: bytes, flow_id: int) -> str | None:
        """Count a match and return what is to be done; empty: nothing; None: no alert, there were enough of them.

        All thresholds of the rule must let it pass. Detection filters are asked first; a match that one threshold holds
        back is not counted by those behind it. src, dst: packed addresses, both in the same form each time.
        """
        action = rule.action
        if not rule.thresholds:
            return action
        for number, threshold in _ordered(rule.thresholds):
            tracked = _tracked(threshold.track, src, dst, flow_id)
            key = rule.gid, rule.sid, number, tracked
            if threshold.kind == "rate_filter":
                action = threshold.action if self._exceeds(threshold, ts_ns, key) else action
            elif not self._count(threshold, ts_ns, key):
                self.counters.threshold_suppressed += 1
                if self.on_closed is not None:
                    self._tell(self.on_closed, rule, tracked)
                return None if self._table[key].enough(threshold) else ""
        return action

    def _exceeds(self, threshold: Threshold, ts_ns: int, key: tuple[object, ...]) -> bool:
        """Count a match; tell whether there were more than so many, or were not long ago."""
        window = self._table.get(key)
        if window is not None and window.until:
            holds = 0 <= window.until - ts_ns <= (threshold.timeout + 1) * SECOND
            window.until = window.until if holds else 0
            return holds
        if window is None or not 0 <= window.expires - ts_ns <= 2 * threshold.seconds * SECOND:
            self._open(key, ts_ns + threshold.seconds * SECOND, ts_ns)
            return False
        window.count += 1
        if window.count <= threshold.count:
            return False
        window.until = (ts_ns // SECOND + threshold.timeout + 1) * SECOND - 1  # Suricata counts whole seconds
        return True

    def _tell(self, told: Callable[[Closed], None], rule: Rule, tracked: Tracked) -> None:
        """Tell if this was not the last match in vain."""
        threshold, window = rule.thresholds[0], self._table[rule.gid, rule.sid, 0, tracked]
        if len(rule.thresholds) == 1 and window.enough(threshold) and not window.told:
            window.told = True
            told(Closed(rule.gid, rule.sid, tracked, window.expires - threshold.seconds * SECOND, window.expires))

    def _count(self, threshold: Threshold, ts_ns: int, key: tuple[object, ...]) -> bool:
        window = self._table.get(key)
        # A clock that was set back by more than a window must not silence the rule until it has caught up.
        if fresh := window is None or not -2 * threshold.seconds * SECOND <= ts_ns - window.expires <= 0:
            window = self._open(key, ts_ns + threshold.seconds * SECOND, ts_ns)
        else:
            window.count += 1
        count, wanted = window.count, threshold.count
        match threshold.kind:
            case "limit":
                return count <= max(wanted, 1)
            case "both":
                return count == wanted
            case "detection_filter":
                return count > wanted
            case "threshold":
                due = count >= wanted and not (fresh and wanted == 0)  # Suricata: the first of a window is only counted
                window.count = 0 if due else count
                return due
        raise RuleError(f"threshold type {threshold.kind!r} is unknown")

    def _open(self, key: tuple[object, ...], expires: int, now: int) -> _Window:
        if self._table.pop(key, None) is None and len(self._table) >= self.limits.entries:
            self._make_room(now)
        window = self._table[key] = _Window(expires)
        return window

    def _make_room(self, now: int) -> None:
        oldest = [key for key, _ in zip(self._table, range(_SWEEP), strict=False)]
        expired = [key for key in oldest if max(self._table[key].expires, self._table[key].until) < now]
        for key in expired:
            del self._table[key]
        if not expired:
            self._table.popitem(last=False)
            self.counters.threshold_evictions += 1


def _ordered(thresholds: tuple[Threshold, ...]) -> Iterable[tuple[int, Threshold]]:
    if len(thresholds) == 1:
        return ((0, thresholds[0]),)
    return sorted(enumerate(thresholds), key=lambda pair: pair[1].kind != "detection_filter")


def _tracked(track: str, src: bytes, dst: bytes, flow_id: int) -> Tracked:
    match track:
        case "by_src":
            return src
        case "by_dst":
            return dst
        case "by_both":
            return (src, dst) if src <= dst else (dst, src)
        case "by_flow":
            return flow_id
        case "by_rule":
            return None
    raise RuleError(f"threshold track {track!r} is unknown")


_Ends = tuple[str, Callable[[bytes], bool] | None]


class Suppressor:
    """Alerts that are not wanted, by rule and address."""

    __slots__ = ("_all", "_rules")

    def __init__(self, suppressions: Iterable[Suppression]) -> None:
        self._rules: dict[tuple[int, int], list[_Ends]] = {}
        self._all: list[_Ends] = []
        for entry in suppressions:
            ends = entry.track, address_test(entry.addresses)
            if entry.track not in {"", "by_src", "by_dst", "by_either"}:
                raise RuleError(f"suppress: track {entry.track!r} is unknown")
            if entry.sid == 0:
                self._all.append(ends)
            else:
                self._rules.setdefault((entry.gid, entry.sid), []).append(ends)

    def suppressed(self, rule: Rule, src: bytes, dst: bytes) -> bool:
        """Tell whether an alert of the rule between these ends (4 or 16 packed bytes) is to be dropped."""
        ends = self._rules.get((rule.gid, rule.sid))
        if ends is None and not self._all:
            return False
        src, dst = widen(src), widen(dst)
        return any(_covers(track, inside, src, dst) for track, inside in (*(ends or ()), *self._all))


def _covers(track: str, inside: Callable[[bytes], bool] | None, src: bytes, dst: bytes) -> bool:
    if not track or inside is None:
        return True
    return (track != "by_dst" and inside(src)) or (track != "by_src" and inside(dst))
