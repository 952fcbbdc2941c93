"""Values as people write them to values as the sensor uses them. All raise ValueError with what was expected."""

from __future__ import annotations

import os
from collections.abc import Callable
from types import MappingProxyType
from typing import Any

from sensor.config.settings import EVE_TYPES

SECOND = 1_000_000_000

FOREIGN_EVE_TYPES = frozenset({
    "bittorrent-dht", "doh2", "drop", "files", "frame", "ftp", "http2", "ldap", "mdns", "metadata",
    "modbus", "mqtt", "netflow", "nfs", "pgsql", "pop3", "rdp", "smb", "smtp", "tftp", "websocket",
}).difference(EVE_TYPES)  # fmt: skip
"""Event types of Suricata that are not written here; a configuration may name them."""


def boolean(text: Any) -> bool:
    """Read yes/no as YAML 1.1 and Suricata write it."""
    if isinstance(text, bool):
        return text
    word = str(text).strip().lower()
    if word in {"yes", "true", "on", "1", "enabled"}:
        return True
    if word in {"no", "false", "off", "0", "disabled"}:
        return False
    raise ValueError("expected yes or no")


def boolean_or_auto(text: Any) -> bool:
    """Read yes/no; Suricata's `auto` is yes."""
    return str(text).strip().lower() == "auto" or boolean(text)


def size(text: Any) -> int:
    """Read a number of bytes: `1048576`, `1mb`, `64 KiB`."""
    word = str(text).strip().lower().removesuffix("ib").removesuffix("b").strip()
    factor = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}.get(word[-1:], 1)
    try:
        number = int(float(word[:-1] if factor > 1 else word) * factor)
    except (ValueError, OverflowError):
        raise ValueError("expected a size such as 65536, 64kb or 1mb") from None
    if number < 0:
        raise ValueError("expected a size, not a negative number")
    return number


def seconds(text: Any) -> int:
    """Read a time in seconds, return nanoseconds."""
    try:
        return int(float(text) * SECOND)
    except (ValueError, TypeError, OverflowError):
        raise ValueError("expected a number of seconds") from None


_UNITS = MappingProxyType({"s": 1, "m": 60, "h": 3600, "d": 86_400})
_PERIODS = MappingProxyType({"minute": 60, "hour": 3600, "day": 86_400})


def interval(text: Any) -> int:
    """Read a time as Suricata's `rotate-interval` has it: `minute`, `hour`, `day`, `90s`, `15m`, `2h`, `1d`."""
    word = str(text).strip().lower()
    if word in _PERIODS:
        return _PERIODS[word]
    number, factor = (word[:-1], _UNITS[word[-1]]) if word[-1:] in _UNITS else (word, 1)
    if not (number.isascii() and number.isdigit()):
        raise ValueError("expected minute, hour, day or a time such as 30m or 1d")
    return int(number) * factor


def count(text: Any) -> int:
    """Read a whole number that is not negative."""
    try:
        number = int(str(text))
    except ValueError:
        number = -1
    if number < 0:
        raise ValueError("expected a whole number, 0 or more")
    return number


def within(read: Callable[[Any], int], low: int, high: int) -> Callable[[Any], int]:
    """Return a reader that also refuses what is outside low..high."""

    def bounded(text: Any) -> int:
        number = read(text)
        if not low <= number <= high:
            raise ValueError(f"must be {low}-{high}, not {number}")
        return number

    return bounded


def networks(text: Any) -> tuple[str, ...]:
    """Read a list of addresses and networks."""
    from ipaddress import ip_network  # noqa: PLC0415 - rarely needed, 8 ms

    try:
        return tuple(str(ip_network(word, strict=False)) for word in words(text))
    except ValueError as e:
        raise ValueError(f"expected addresses or networks: {e}") from None


def one_of(*known: str, **others: str) -> Callable[[Any], str]:
    """Return a reader of a word that is one of a few, or another word for one; capitals do not count."""

    def chosen(text: Any) -> str:
        word = str(text).strip().lower()
        word = others.get(word, word)
        if word not in known:
            raise ValueError(f"expected one of {', '.join(known)}")
        return word

    return chosen


def below(folder: str) -> Callable[[Any], str]:
    """Return a reader of paths; relative ones start from a folder."""

    def path(text: Any) -> str:
        return os.path.join(folder, str(text).strip())  # noqa: PTH118 - text in, text out

    return path


def words(text: Any) -> tuple[str, ...]:
    """Read a list: a YAML list, `[a, b]` or `a,b`."""
    if isinstance(text, list | tuple):
        return tuple(str(item) for item in text)
    return tuple(w.strip() for w in str(text).strip("[] ").split(",") if w.strip())


def some_of(*known: str) -> Callable[[Any], tuple[str, ...]]:
    """Return a reader of a list of words, each one of a few; in their order."""

    def chosen(text: Any) -> tuple[str, ...]:
        found = {word.lower() for word in words(text)}
        if not found <= set(known):
            raise ValueError(f"expected one or more of {', '.join(known)}")
        return tuple(word for word in known if word in found)

    return chosen


def ports(text: Any) -> tuple[int, ...]:
    """Read a list of ports."""
    try:
        return tuple(int(w) for w in words(text))
    except ValueError:
        raise ValueError("expected port numbers") from None


def ports_or_any(text: Any) -> tuple[int, ...] | None:
    """Read a list of ports, or `any`: None."""
    return None if words(text) == ("any",) else ports(text)


def cpus(text: Any) -> tuple[int, ...]:
    """Read a list of CPUs, counted from 0."""
    return tuple(count(word) for word in words(text))


_SURICATAS = MappingProxyType({"files": "fileinfo", "bittorrent-dht": "bittorrent_dht"})


def eve_types(text: Any) -> tuple[str, ...]:
    """Read a list of EVE event types; those that only Suricata has are left out, its words for ours are known."""
    found = tuple(_SURICATAS.get(word, word) for word in words(text))
    for name in found:
        if name not in EVE_TYPES and name not in FOREIGN_EVE_TYPES:
            unlike = f", not {name!r}" if len(found) > 1 else ""
            raise ValueError(f"expected one or more of {', '.join(EVE_TYPES)}{unlike}")
    return tuple(dict.fromkeys(name for name in found if name in EVE_TYPES))
