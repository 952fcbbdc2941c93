"""What the operator asked for, kept so that `repair` and the hook know it: one small file per mirrored bridge."""

from __future__ import annotations

import contextlib
import fcntl
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from xensor_mirror.system import MirrorError


@dataclass(frozen=True)
class Mirror:
    """One mirrored bridge."""

    bridge: str
    kind: str
    """`linux` or `openvswitch`."""
    hub: str = "xenmon0"
    """The bridge that holds the sensor's sniffing vif and nothing else."""
    uplink: bool = False
    """Copy what comes in from outside, too."""
    host: bool = False
    """Copy what dom0 itself sends into the bridge, too."""
    wire_like: bool = False
    """Let dom0 cut super-segments and fill in checksums before the sensor: dearer, and needs GRO off in its guest."""
    guests: tuple[str, ...] = ("vif*", "tap*")
    """Names of the guests' ports, as patterns; other ports are uplinks."""
    exempt: tuple[str, ...] = ()
    """Ports that are never copied: names as patterns, or MAC addresses of vifs."""
    pref: int = 1
    """Preference of the filter among others on the same port."""


class Records:
    """The folder of records."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep others out: the hook, the service and the operator may come at the same time."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def all(self) -> list[Mirror]:
        """Return all mirrors."""
        return [self._read(path) for path in sorted(self._folder.glob("*.json"))]

    def get(self, bridge: str) -> Mirror:
        """Return the mirror of a bridge. Raises MirrorError where there is none."""
        path = self._path(bridge)
        if not path.exists():
            raise MirrorError(f"{bridge} is not mirrored")
        return self._read(path)

    def put(self, mirror: Mirror) -> None:
        """Keep a mirror; the file is whole at any time."""
        path = self._path(mirror.bridge)
        fresh = path.with_suffix(".new")
        fresh.write_text(json.dumps(asdict(mirror), indent=1) + "\n")
        fresh.replace(path)

    def drop(self, bridge: str) -> None:
        """Forget a mirror."""
        self._path(bridge).unlink()

    def _path(self, bridge: str) -> Path:
        if not bridge or "/" in bridge:
            raise MirrorError(f"{bridge!r} is no name of a bridge")
        return self._folder / f"{bridge}.json"

    def _read(self, path: Path) -> Mirror:
        try:
            values = json.loads(path.read_text())
            known = {f.name: values[f.name] for f in fields(Mirror) if f.name in values}
            for name in ("guests", "exempt"):
                known[name] = tuple(known.get(name, ()))
            return Mirror(**known)
        except (OSError, ValueError, TypeError) as e:
            raise MirrorError(f"{path}: cannot be read ({e}): run `xensor-mirror add` again") from e
