"""Flat names to settings."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from sensor.config.readers import words
from sensor.config.settings import POLICIES, Settings
from sensor.config.table import FOREIGN, SETTINGS, Setting
from sensor.errors import ConfigError, SensorError, UsageError

OVERRIDE = "--set"
"""The place of a value from the command line."""

_NO_SETS = frozenset({"defaults", "limits", "rules"})
_OF_SETS = frozenset({"type", "load", "state", "save", "memcap", "hashsize"})
"""Settings of a set of values below `datasets`, and what stands there besides sets."""
_EVERYWHERE = frozenset({"0.0.0.0/0", "default"})


@dataclass(slots=True)
class Made:
    """Settings, and what was said that has no effect here."""

    settings: Settings
    ignored: list[str]


class _Maker:
    """Takes one name after the other."""

    def __init__(self) -> None:
        self.settings = Settings()
        self.groups: dict[str, dict[str, str]] = {"address-groups": {}, "port-groups": {}}
        self.datasets: dict[str, dict[str, str]] = {}
        self.policies: list[tuple[str, str]] = []
        self.default_policy = self.settings.default_policy
        self.ignored: list[str] = []
        self._by_name = {s.name: s for s in SETTINGS}

    def take(self, name: str, value: Any) -> None:
        """Put a value where it belongs. Raises ValueError with what is wrong."""
        head = name.split(".")
        setting = self._by_name.get(name)
        if setting is not None:
            self._set(setting, value)
        elif head[0] == "vars" and len(head) == 3 and head[1] in self.groups:
            self.groups[head[1]][head[2]] = ", ".join(value) if isinstance(value, list) else str(value)
        elif head[0] == "datasets" and len(head) == 3 and head[1] not in _NO_SETS and head[2] in _OF_SETS:
            self.datasets.setdefault(head[1], {})[head[2]] = str(value)
        elif head[0] == "host-os-policy" and len(head) > 1:
            self._policy(head[1], words(value))
        elif head[0] in FOREIGN:
            self.ignored.append(name)
        else:
            raise ValueError(f"unknown setting {name!r}{hint(name)}")

    def _set(self, setting: Setting, value: Any) -> None:
        part, _, rest = setting.target.partition(".")
        try:
            changed = _replaced(getattr(self.settings, part), rest, setting.read(value))
        except ValueError as e:
            raise ValueError(f"{setting.name}: {value!r} is not valid: {e}") from e
        self.settings = dataclasses.replace(self.settings, **{part: changed})

    def _policy(self, policy: str, ranges: tuple[str, ...]) -> None:
        from ipaddress import ip_network  # noqa: PLC0415 - rarely needed, 8 ms

        if policy not in POLICIES:
            raise ValueError(f"host-os-policy.{policy}: unknown policy; one of {', '.join(POLICIES)}")
        for text in ranges:
            if text in _EVERYWHERE:
                self.default_policy = policy
                continue
            try:
                ip_network(text, strict=False)
            except ValueError as e:
                raise ValueError(f"host-os-policy.{policy}: {e}") from e
            self.policies.append((text, policy))

    def made(self) -> Made:
        settings = dataclasses.replace(
            self.settings,
            datasets=self.datasets,
            address_groups=self.groups["address-groups"],
            port_groups=self.groups["port-groups"],
            os_policies=tuple(self.policies),
            default_policy=self.default_policy,
        )
        return Made(settings, self.ignored)


def _replaced(holder: Any, path: str, value: Any) -> Any:
    """Return a frozen dataclass with one (nested) field changed."""
    name, _, rest = path.partition(".")
    return dataclasses.replace(holder, **{name: _replaced(getattr(holder, name), rest, value) if rest else value})


def make(values: Mapping[str, Any], places: Mapping[str, str] = MappingProxyType({})) -> Made:
    """Build settings from flat names (`stream.midstream`).

    places: name → `file:line:column` for messages, or OVERRIDE.
    Raises ConfigError for an unknown name or a bad value, UsageError where an override is at fault.
    """
    maker = _Maker()
    for name, value in values.items():
        try:
            maker.take(name, value)
        except ValueError as e:
            raise _error(places.get(name, ""), str(e)) from e
    return maker.made()


def _error(place: str, text: str) -> SensorError:
    if place == OVERRIDE:
        return UsageError(f"{OVERRIDE} {text}")
    return ConfigError(f"{place}: {text}" if place else text)


def hint(name: str) -> str:
    """Return ` (did you mean …?)` where a setting has nearly this name."""
    from difflib import get_close_matches  # noqa: PLC0415 - 6 ms, for a mistake only

    near = get_close_matches(name, [s.name for s in SETTINGS], 1, 0.75)
    return f" (did you mean {near[0]!r}?)" if near else ""


def by_section(names: list[str]) -> Iterator[str]:
    """Yield settings without effect, those of one section as one text."""
    sections: dict[str, list[str]] = {}
    for name in names:
        sections.setdefault(name.split(".")[0], []).append(name)
    for section, found in sections.items():
        yield found[0] if len(found) == 1 else f"{section}.* ({len(found)})"
