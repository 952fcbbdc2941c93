"""The cap on what parsers hold: default, unit, where the number comes from."""

from __future__ import annotations

from dataclasses import dataclass

from sensor.model.bounds import within


@dataclass(frozen=True, slots=True)
class AppLimits:
    """Bounds of all parsers together. Raises ValueError outside the range given."""

    memcap: int = 64 << 20
    """Bytes that they hold of transactions and files under way, 1 MiB-64 GiB (`app-layer.memcap`); the flows that were
    silent longest give way."""

    def __post_init__(self) -> None:
        within("app-layer.memcap", self.memcap, 1 << 20, 64 << 30)
