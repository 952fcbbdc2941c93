"""How much memory is left before somebody is killed for want of it: by the machine, or by the limit of the service."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

PER_BYTE: Final = 16
"""Bytes of memory for one of a rule's text while it is loaded, planned and compiled (10,000 of ET Open: 83 MiB)."""
RELOAD_SPARE: Final = 16 << 20
_UNLIMITED: Final = 1 << 60


def available(root: str = "/") -> int:
    """Return bytes; what the kernel can take back (files it remembers) counts as free. root: of /proc and /sys."""
    base = Path(root)
    found = [_meminfo(base / "proc/meminfo"), *_limits(base)]
    return max(0, min(found))


def _meminfo(path: Path) -> int:
    for line in _lines(path):
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) << 10
    return _UNLIMITED


def _limits(base: Path) -> Iterator[int]:
    """Yield what each control group above this process leaves (version 2: one line that begins with `0::`)."""
    own = next((line[3:] for line in _lines(base / "proc/self/cgroup") if line.startswith("0::")), "")
    top = base / "sys/fs/cgroup"
    at = top / own.strip("/")
    while at != top and top in at.parents:
        yield _left(at)
        at = at.parent


def _left(group: Path) -> int:
    limits = [int(text) for name in ("memory.max", "memory.high") if (text := _text(group / name)).isdigit()]
    if not limits:
        return _UNLIMITED
    held = {name: int(n) for name, n in (line.split() for line in _lines(group / "memory.stat"))}
    files = held.get("inactive_file", 0) + held.get("active_file", 0)
    return min(limits) - int(_text(group / "memory.current") or 0) + files


def _lines(path: Path) -> list[str]:
    return _text(path).splitlines()


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def refusal(files: Iterable[str], left: int) -> str:
    """Return why rules must not be loaded beside those that run, empty: they may. left: bytes that are available.

    Whoever runs out of memory in the midst of a reload is killed, and sees nothing until it has started anew.
    """
    need = RELOAD_SPARE + PER_BYTE * sum(map(_spoken, files))
    if need <= left:
        return ""
    return (
        f"new rules need about {need >> 20} MiB beside the old ones, and {left >> 20} MiB are left: give the sensor "
        "more memory, or restart it with the new rules"
    )


def _spoken(path: str) -> int:
    """Return the bytes of a rule file that are no comment, 0: it cannot be read, which loading will tell."""
    try:
        with Path(path).open("rb") as file:
            return sum(len(line) for line in file if not line.startswith(b"#"))
    except OSError:
        return 0
