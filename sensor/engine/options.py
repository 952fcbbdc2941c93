"""What a run of the engine can be told."""

from __future__ import annotations

from dataclasses import dataclass, field

from sensor.config.settings import Settings


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """The settings, and what the command line adds to them."""

    settings: Settings = field(default_factory=Settings)
    triage: bool = True
    """False: every packet through dpkt, every event against every rule (the oracle)."""
    verify_checksums: bool = True

    @property
    def log_kinds(self) -> frozenset[str]:
        """Return the EVE event types to write."""
        return frozenset(self.settings.eve.types)
