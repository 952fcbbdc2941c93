"""The commands of the control socket, Suricata's where it has the same. All run in the packet loop, between blocks."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol

from sensor import __version__
from sensor.engine.live.asks import Answer, Ask
from sensor.engine.live.figures import Figures

Arguments = Mapping[str, Any]


class Sight(Protocol):
    """What is known about packets."""

    mode: str
    """`single`, or `workers`."""

    def interfaces(self) -> list[str]:
        """Return the names of interfaces."""

    def interface(self, name: str) -> Mapping[str, int] | None:
        """Return what one has counted, None: there is none of that name."""

    def rules(self) -> int:
        """Return how many rules run."""

    def flow(self, number: int) -> Mapping[str, int] | None:
        """Return a live flow by its `flow_id`, None: there is none."""


@dataclass(frozen=True, slots=True)
class Controls:
    """What the verbs look at, and what they may do."""

    seen: Sight
    figures: Figures
    counters: Callable[[], Mapping[str, Any]]
    """Returns the body of a `stats` event."""
    settings: Callable[[], Mapping[str, str]]
    """Returns each setting as text."""
    failed: Callable[[], list[dict[str, Any]]]
    """Returns the rules that could not be loaded."""
    reload: Callable[[Ask | None, bool], bool]
    """Begins a reload; the ask is answered when it is done; True: even if most rules are lost. False: one is under way
    already."""
    reopen: Callable[[], None]
    stop: Callable[[], None]
    started: float
    """time.monotonic() at the start."""


_MEMCAPS = MappingProxyType({
    "stream-reassembly": "stream.reassembly.memcap", "defrag": "defrag.memcap", "journal": "journal.memcap",
})  # fmt: skip


class _Refused(Exception):  # noqa: N818 - the answer NOK
    """A command that cannot be carried out; the text is the answer."""


def _text(arguments: Arguments, name: str) -> str:
    value = arguments.get(name)
    if not isinstance(value, str):
        raise _Refused(f"{name} is not a string")
    return value


def _command_list(_to: Controls, _arguments: Arguments) -> Any:  # noqa: ANN401 - what JSON can carry
    names = sorted({*VERBS, *RELOADS})
    return {"count": len(names), "commands": names}


def _version(_to: Controls, _arguments: Arguments) -> str:
    return f"{__version__} xensor"


def _uptime(to: Controls, _arguments: Arguments) -> int:
    return int(time.monotonic() - to.started)


def _running_mode(to: Controls, _arguments: Arguments) -> str:
    return to.seen.mode


def _capture_mode(_to: Controls, _arguments: Arguments) -> str:
    return "AF_PACKET_DEV"


def _conf_get(to: Controls, arguments: Arguments) -> str:
    value = to.settings().get(_text(arguments, "variable"))
    if value is None:
        raise _Refused("Unable to get value")
    return value


def _dump_counters(to: Controls, _arguments: Arguments) -> Mapping[str, Any]:
    return to.counters()


def _iface_list(to: Controls, _arguments: Arguments) -> dict[str, Any]:
    names = to.seen.interfaces()
    return {"count": len(names), "ifaces": names}


def _iface_stat(to: Controls, arguments: Arguments) -> Mapping[str, int]:
    found = to.seen.interface(_text(arguments, "iface"))
    if found is None:
        raise _Refused("Unknown iface")
    return found


def _ruleset_stats(to: Controls, _arguments: Arguments) -> list[dict[str, int]]:
    return [{"id": 0, "rules_loaded": to.seen.rules(), "rules_failed": len(to.failed()), "rules_skipped": 0}]


def _ruleset_failed_rules(to: Controls, _arguments: Arguments) -> list[dict[str, Any]]:
    return to.failed()


def _ruleset_reload_time(to: Controls, _arguments: Arguments) -> list[dict[str, Any]]:
    when = time.strftime("%Y-%m-%dT%H:%M:%S+0000", time.gmtime(to.figures.last_reload))
    return [{"id": 0, "last_reload": when}]


def _reload_nonblocking(to: Controls, arguments: Arguments) -> str:
    if not to.reload(None, bool(arguments.get("force"))):
        raise _Refused("Reload already in progress")
    return "reload triggered"


def _reopen_log_files(to: Controls, _arguments: Arguments) -> str:
    to.reopen()
    return "done"


def _memcap_list(to: Controls, _arguments: Arguments) -> list[dict[str, str]]:
    found = to.settings()
    return [{"name": name, "value": found[setting]} for name, setting in _MEMCAPS.items()]


def _memcap_show(to: Controls, arguments: Arguments) -> dict[str, str]:
    setting = _MEMCAPS.get(_text(arguments, "config"))
    if setting is None:
        raise _Refused(f"Memcap value not found. Available are {', '.join(_MEMCAPS)}")
    return {"value": to.settings()[setting]}


def _flow_stats(to: Controls, arguments: Arguments) -> Mapping[str, int]:
    number = arguments.get("flow_id")
    if not isinstance(number, int) or not 0 < number < 1 << 63:
        raise _Refused("flow_id is not a number")
    found = to.seen.flow(number)
    if found is None:
        raise _Refused("Not found")
    return found


def _output_stats(to: Controls, _arguments: Arguments) -> list[dict[str, Any]]:
    outlets = to.figures.outlets
    return [
        {"output": o.name, "failing": o.failing, "waiting": o.waiting, **o.counters.snapshot()}
        for o in (outlets.watched if outlets is not None else ())
    ]


def _shutdown(to: Controls, _arguments: Arguments) -> str:
    to.stop()
    return "Closing"


RELOADS = ("reload-rules", "ruleset-reload-rules")
"""Answered when they are done."""

VERBS: Mapping[str, Callable[[Controls, Arguments], Any]] = MappingProxyType({
    "capture-mode": _capture_mode,
    "command-list": _command_list,
    "conf-get": _conf_get,
    "dump-counters": _dump_counters,
    "get-flow-stats-by-id": _flow_stats,
    "iface-list": _iface_list,
    "iface-stat": _iface_stat,
    "memcap-list": _memcap_list,
    "memcap-show": _memcap_show,
    "output-stats": _output_stats,
    "reopen-log-files": _reopen_log_files,
    "ruleset-failed-rules": _ruleset_failed_rules,
    "ruleset-reload-nonblocking": _reload_nonblocking,
    "ruleset-reload-time": _ruleset_reload_time,
    "ruleset-stats": _ruleset_stats,
    "running-mode": _running_mode,
    "shutdown": _shutdown,
    "uptime": _uptime,
    "version": _version,
})
"""Command → what answers it at once."""


def run(to: Controls, ask: Ask) -> None:
    """Carry a command out; it is answered now, or (a reload) when it is done."""
    if ask.command in RELOADS:
        if not to.reload(ask, bool(ask.arguments.get("force"))):
            ask.reply(Answer(False, "Reload already in progress"))
        return
    verb = VERBS.get(ask.command)
    if verb is None:
        ask.reply(Answer(False, "Unknown command"))
        return
    try:
        ask.reply(Answer(True, verb(to, ask.arguments)))
    except _Refused as e:
        ask.reply(Answer(False, str(e)))
