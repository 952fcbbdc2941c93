"""What rules ask that is neither in the traffic nor in the rules: reputations and countries of addresses."""

from __future__ import annotations

import functools
import hashlib
import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from types import MappingProxyType
from typing import Any

from sensor.rules.problems import Problem
from sensor.rules.reputation import Scores

_REMEMBERED = 65_536
"""Addresses of which the country is remembered, about 200 bytes each."""
_MAPPED = bytes(10) + b"\xff\xff"

CountryOf = Callable[[bytes], str]
"""16 address bytes → ISO 3166 code of the country in capitals; empty: it is not known."""


@dataclass(frozen=True, slots=True)
class Outside:
    """What the operator has given."""

    categories: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    scores: Scores = field(default_factory=Scores)
    country: CountryOf | None = None
    datasets: Mapping[str, Mapping[str, str]] = field(default_factory=lambda: MappingProxyType({}))
    """Name of a set → its settings, as in a rule (`type`, `load`, `state`, …)."""

    def fingerprint(self) -> bytes:
        """Return what decides which rules can be read."""
        sets = sorted((name, sorted(one.items())) for name, one in self.datasets.items())
        return hashlib.sha256(repr((sorted(self.categories), self.country is not None, sets)).encode()).digest()


NOTHING = Outside()


def open_countries(file: str) -> tuple[CountryOf | None, list[Problem]]:
    """Return the look-up in a database of countries (MaxMind DB 2.0); None: it cannot be used, and why."""
    try:
        library: Any = importlib.import_module("maxminddb")
    except ImportError:
        return None, [Problem(file, 0, 0, "the Python package maxminddb is missing", "pip install 'xensor[geoip]'")]
    try:
        reader = library.open_database(file)
    except (OSError, ValueError, library.InvalidDatabaseError) as error:
        return None, [Problem(file, 0, 0, f"no database of countries: {error}")]

    @functools.lru_cache(maxsize=_REMEMBERED)
    def country(address: bytes) -> str:
        packed = address[12:] if address.startswith(_MAPPED) else address
        try:
            found = reader.get(ip_address(packed))
        except (ValueError, library.InvalidDatabaseError):
            # An IPv6 address where the database has IPv4 alone, or a damaged record.
            return ""
        place = found.get("country") if isinstance(found, dict) else None
        code = place.get("iso_code") if isinstance(place, dict) else None
        return code.upper() if isinstance(code, str) else ""

    return country, []
