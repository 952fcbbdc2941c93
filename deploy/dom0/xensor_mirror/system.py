"""What the other modules touch the machine with: programs, and the kernel's files about interfaces."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

SECONDS = 10
"""A program that takes longer is ended: a guest's start may be waiting for us."""


class MirrorError(Exception):
    """What cannot be done, and why, for the operator."""


def run(*words: str, typed: str = "") -> str:
    """Run a program; return what it wrote. Raises MirrorError with its own words where it fails."""
    try:
        done = subprocess.run(words, input=typed, capture_output=True, text=True, timeout=SECONDS, check=False)
    except OSError as e:
        raise MirrorError(f"{words[0]}: {e.strerror}") from e
    except subprocess.TimeoutExpired as e:
        raise MirrorError(f"{' '.join(words)}: no answer within {SECONDS} s") from e
    if done.returncode:
        raise MirrorError(f"{' '.join(words)}: {done.stderr.strip() or f'status {done.returncode}'}")
    return done.stdout


def run_json(*words: str) -> Any:  # noqa: ANN401 - whatever the program prints
    """Run a program that prints JSON; nothing printed is an empty list. Raises MirrorError."""
    text = run(*words).strip()
    try:
        return json.loads(text) if text else []
    except ValueError as e:
        raise MirrorError(f"{' '.join(words)}: printed no JSON: {text[:80]!r}") from e


def run_batch(lines: Sequence[str]) -> list[Any]:
    """Let one `tc` answer many questions; return the answers (JSON). Raises MirrorError unless there is one to each.

    A process for each would cost 25 times as much: with a hundred guests that is a good part of a processor.
    """
    text = run("tc", "-j", "-s", "-batch", "-", typed="\n".join(lines) + "\n") if lines else ""
    found, at, decoder = [], 0, json.JSONDecoder()
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        try:
            answer, at = decoder.raw_decode(text, at)
        except ValueError as e:
            raise MirrorError(f"tc -batch: printed no JSON: {text[at : at + 80]!r}") from e
        found.append(answer)
    if len(found) != len(lines):
        raise MirrorError(f"tc -batch: {len(found)} answers to {len(lines)} questions")
    return found


def interface(name: str) -> Path:
    """Return the kernel's folder about an interface."""
    return Path("/sys/class/net", name)


def exists(name: str) -> bool:
    """Tell whether there is such an interface."""
    return bool(name) and "/" not in name and interface(name).exists()


def figure(name: str, what: str) -> int:
    """Return a number about an interface (`mtu`, `carrier`, `statistics/tx_dropped`), 0: unknown."""
    try:
        return int((interface(name) / what).read_text())
    except (OSError, ValueError):
        return 0


def is_bridge(name: str) -> bool:
    """Tell whether it is a bridge of the kernel (one of Open vSwitch is not)."""
    return exists(name) and (interface(name) / "bridge").is_dir()


def bridge_ports(name: str) -> list[str]:
    """Return the ports of a bridge of the kernel."""
    try:
        return sorted(port.name for port in (interface(name) / "brif").iterdir())
    except OSError:
        return []


def set_sysctl(path: str, value: str) -> None:
    """Set a value below /proc/sys where there is one: a kernel without IPv6 has nothing to switch off."""
    target = Path("/proc/sys", path)
    if target.exists():
        target.write_text(value)
