"""Configuration files and `--set`: nested YAML to flat names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from sensor.config.make import OVERRIDE, Made, make
from sensor.config.table import SETTINGS
from sensor.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from sensor.config.settings import Settings
    from sensor.rules.yamlio import Seq, Value

_EVE_TYPES = "outputs.eve-log.types"
_CAPTURE = "af-packet"
_RELOADED = ("rule-files", "default-rule-path", "threshold-file", "classification-file", "disable-conf",
             "enable-conf", "drop-conf", "modify-conf", "reputation-categories-file", "default-reputation-path",
             "reputation-files", "geoip-database", "datasets.", "vars.")  # fmt: skip
"""What a reload of the rules reads anew."""
_OF_TYPES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"alert": ("payload", "payload-buffer-size", "packet", "tagged-packets"), "files": ("force-hash",)}
)
"""Options that Suricata has below a type, and this table below `eve-log`."""


def load(path: str | None, overrides: Iterable[str] = ()) -> Made:
    """Return the settings of a configuration file with `NAME=VALUE` overrides on top.

    Raises ConfigError (file:line:column where the file is at fault), UsageError for a bad override.
    """
    flat = _Flat(path or "")
    if path is not None:
        flat.take("", _parse(path))
    for item in overrides:
        name, sep, value = item.partition("=")
        name = name.strip()
        if not sep or not name:
            raise UsageError(f"{OVERRIDE} {item}: write NAME=VALUE")
        flat.values[name], flat.places[name] = value.strip(), OVERRIDE
    return make(flat.values, flat.places)


def _parse(path: str) -> Value:
    from sensor.rules.problems import Problems  # noqa: PLC0415 - PyYAML costs 15 ms and is for files only
    from sensor.rules.yamlio import Map, read  # noqa: PLC0415

    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except OSError as e:
        raise ConfigError(f"{path}: {e.strerror or e}") from e
    except ValueError as e:
        raise ConfigError(f"{path}: the file is not UTF-8") from e
    # Suricata's files begin with a directive, which says nothing that this reader does not assume.
    text = text.replace("%YAML 1.1", "#YAML 1.1", 1)
    problems = Problems(path)
    value = read(text, problems)
    if len(problems):
        raise ConfigError("\n".join(map(str, problems.found())))
    if value is None:
        return Map(1, 1, 0)
    if not isinstance(value, Map):
        raise ConfigError(f"{path}: a configuration is a mapping of names to values")
    return value


class _Flat:
    """Dotted name → value, and → place in the file."""

    def __init__(self, path: str) -> None:
        self.values: dict[str, Any] = {}
        self.places: dict[str, str] = {}
        self._path = path

    def take(self, name: str, value: Value) -> None:
        """Add what stands below a name. A list of mappings (`outputs`) reads like one mapping."""
        from sensor.rules.yamlio import Map, Scalar, Seq  # noqa: PLC0415 - see above

        if name == _EVE_TYPES and isinstance(value, Seq):
            self._eve_types(value)
        elif name == _CAPTURE and isinstance(value, Seq):
            self._interfaces(value)
        elif isinstance(value, Map):
            for key, (_, item) in value.items.items():
                self.take(f"{name}.{key}" if name else key, item)
        elif isinstance(value, Seq) and any(isinstance(item, Map) for item in value.items):
            for item in value.items:
                self.take(name, item)
        elif isinstance(value, Seq):
            self._put(name, [item.text for item in value.items if isinstance(item, Scalar)], value)
        elif value.kind != "null":
            self._put(name, value.text, value)

    def _put(self, name: str, value: Any, where: Value) -> None:
        self.values[name] = value
        self.places[name] = f"{self._path}:{where.line}:{where.column}"

    def _interfaces(self, value: Seq) -> None:
        """Read the list of interfaces; what is said of each but its name is Suricata's, and has no effect here."""
        from sensor.rules.yamlio import Map, Scalar  # noqa: PLC0415 - see above

        names: list[str] = []
        for item in value.items:
            for key, (_, option) in item.items.items() if isinstance(item, Map) else ():
                if key == "interface" and isinstance(option, Scalar):
                    names += [option.text] if option.text != "default" else []
                else:
                    self.take(f"{_CAPTURE}.{key}", option)
        if names:
            self._put(f"{_CAPTURE}.interface", names, value)

    def _eve_types(self, value: Value) -> None:
        """Read the list of event types, in which Suricata has plain names and mappings with options."""
        from sensor.rules.yamlio import Map, Scalar, Seq  # noqa: PLC0415 - see above

        names: list[str] = []
        for item in value.items if isinstance(value, Seq) else ():
            if isinstance(item, Scalar):
                names.append(item.text)
            elif isinstance(item, Map):
                for key, (_, options) in item.items.items():
                    chosen = options.items if isinstance(options, Map) else {}
                    if not _is_off(chosen.get("enabled")):
                        names.append(key)
                    for option in _OF_TYPES.get(key, ()):
                        if option in chosen:
                            self.take(f"outputs.eve-log.{option}", chosen[option][1])
        self._put(_EVE_TYPES, names, value)


def _is_off(entry: tuple[Any, Value] | None) -> bool:
    return entry is not None and getattr(entry[1], "text", "") in {"no", "false", "off"}


def need_restart(old: Settings, new: Settings) -> list[str]:
    """Return the names of settings that differ and that a reload of the rules does not put in force."""
    before, after = as_text(old), as_text(new)
    names = [name for name in before | after if before.get(name) != after.get(name)]
    return [name for name in names if not name.startswith(_RELOADED)]


def as_text(settings: Settings) -> dict[str, str]:
    """Return name → value of every setting."""
    return dict(line.split(" = ", 1) for line in dump(settings).splitlines())


def dump(settings: Settings) -> str:
    """Return every setting as `NAME = VALUE` lines: what `--dump-config` prints."""
    lines = []
    for setting in SETTINGS:
        value: Any = settings
        for part in setting.target.split("."):
            value = getattr(value, part)
        lines.append(f"{setting.name} = {setting.show(value)}")
    for kind, groups in (("address-groups", settings.address_groups), ("port-groups", settings.port_groups)):
        lines += [f"vars.{kind}.{name} = {value}" for name, value in groups.items()]
    for name, one in settings.datasets.items():
        lines += [f"datasets.{name}.{key} = {value}" for key, value in one.items()]
    lines += [f"host-os-policy.{policy} = {address}" for address, policy in settings.os_policies]
    if settings.default_policy != type(settings)().default_policy:
        lines.append(f"host-os-policy.{settings.default_policy} = default")
    return "\n".join(lines)
