"""One migration stream as rules and EVE see it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sensor.proto.text import text
from sensor.proto.xenmigration import parse


class MigrationTransaction:
    """A guest that moves, or is saved."""

    __slots__ = ("config", "domain", "id", "libxc", "libxl", "name", "saved", "uuid")

    def __init__(self, number: int) -> None:
        self.id = number
        self.saved = False
        """xl's header stands in front."""
        self.config = b""
        self.name = self.uuid = ""
        self.libxl = self.libxc = 0
        """Versions of the streams; 0: not seen."""
        self.domain: parse.Domain | None = None

    def take(self, config: bytes) -> None:
        """Take the guest's configuration."""
        self.config = config
        self.name, self.uuid = parse.guest(config)

    def buffer(self, name: str) -> Sequence[bytes]:
        """Return the instances of a buffer."""
        match name:
            case "xen_migration.config":
                value = self.config
            case "xen_migration.guest":
                value = self.name.encode()
            case _:
                value = b""
        return (value,) if value else ()

    def numbers(self, name: str) -> Sequence[int]:
        """Return the values of a number."""
        if name == "xen_migration.domain_type" and self.domain is not None:
            return (self.domain.kind,)
        return ()

    def eve(self) -> dict[str, Any]:
        """Return the EVE object."""
        out: dict[str, Any] = {"saved_by_xl": self.saved}
        if self.name:
            out["guest"] = text(self.name.encode())
        if self.uuid:
            out["uuid"] = text(self.uuid.encode())
        if self.libxl:
            out["libxl_version"] = self.libxl
        if self.libxc:
            out["libxc_version"] = self.libxc
        return out if self.domain is None else out | parse.fields(self.domain)
