"""What is wrong with the machine that a sensor is to run on, and the command that mends it."""

from __future__ import annotations

import ctypes
import os
import shutil
import socket
from pathlib import Path
from typing import Final

from sensor.capture import ifcheck
from sensor.capture.uapi import ETH_P_ALL
from sensor.engine.live import landlock
from sensor.model.finding import ERROR, GOOD, WARNING, Finding
from sensor.outputs.limits import DiskOptions, KeepOptions

_MEMORY_MIN: Final = 480 << 20
"""Bytes: a guest of 512 MiB has a little less."""
_SPARE: Final = 256 << 20
"""Bytes that the sensor itself takes, beside the rings."""
_MDWE: Final = (6, 3)
"""Linux that can refuse new executable memory (PR_SET_MDWE)."""
_STA_UNSYNC: Final = 0x40
"""linux/timex.h"""
_TIMEX_SIZE: Final = 208
_TIMEX_STATUS: Final = 40
"""struct timex on 64-bit machines: offset of `status`."""


def interface(name: str, *, capturing: bool = False) -> list[Finding]:
    """Look at how an interface is set up. capturing: a ring is open on it, so it must be promiscuous."""
    return ifcheck.check(name, capturing=capturing) or [
        Finding(name, GOOD, "it is up and silent, without offloads that join segments")
    ]


def erspan(name: str) -> list[Finding]:
    """Look at the interface to which a mirror is sent."""
    return ifcheck.check_erspan(name) or [Finding(name, GOOD, "it is up and has an address to send a mirror to")]


def permission() -> Finding:
    """Find out whether packets may be captured."""
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL)).close()
    except PermissionError:
        return Finding("permission", ERROR, "packets may not be captured: CAP_NET_RAW is missing",
                       "run as root, or as the service does")  # fmt: skip
    except OSError as e:
        return Finding("permission", ERROR, f"packets cannot be captured: {e.strerror}")
    return Finding("permission", GOOD, "packets may be captured")


def disk(folder: Path, options: DiskOptions, keep: KeepOptions) -> list[Finding]:
    """Look at the file system of the log folder, and at what is to be kept there."""
    at = _existing(folder)
    if not at.is_dir():
        return [Finding("disk", ERROR, f"{folder}: {at} is not a folder")]
    if not os.access(at, os.W_OK | os.X_OK):
        return [Finding("disk", ERROR, f"{folder}: no permission to write in {at}")]
    found = []
    stat = os.statvfs(at)
    free, size = stat.f_bavail * stat.f_frsize, stat.f_blocks * stat.f_frsize
    if stat.f_flag & os.ST_RDONLY:
        found.append(Finding("disk", ERROR, f"{folder}: the file system is read-only"))
    if free < options.min_free:
        found.append(Finding("disk", WARNING, f"{folder}: {_mib(free)} are free, less than outputs.disk.min-free: "
                             "events are left out"))  # fmt: skip
    wanted = keep.max_bytes + keep.alert_bytes + options.min_free
    if wanted > size:
        found.append(Finding("disk", WARNING, f"{folder}: its {_mib(size)} are less than what is to be kept "
                             f"({_mib(wanted)}: outputs.retention, outputs.disk.min-free)"))  # fmt: skip
    if stat.f_files and stat.f_favail < stat.f_files // 100:
        found.append(Finding("disk", WARNING, f"{folder}: hardly a file can be made: inodes are used up"))
    return found or [Finding("disk", GOOD, f"{folder}: {_mib(free)} are free")]


def _existing(path: Path) -> Path:
    """Return a folder, or the nearest one above it that is there."""
    at = path.absolute()
    while not at.exists() and at != at.parent:
        at = at.parent
    return at


def clock() -> Finding:
    """Find out whether the clock is kept by a time server: alerts of several hosts are compared by their time."""
    timex = ctypes.create_string_buffer(_TIMEX_SIZE)
    if ctypes.CDLL(None, use_errno=True).adjtimex(timex) < 0:
        return Finding("clock", WARNING, "the kernel does not say whether the clock is kept")
    status = int.from_bytes(timex.raw[_TIMEX_STATUS : _TIMEX_STATUS + 4], "little")
    return clock_of(status)


def clock_of(status: int) -> Finding:
    """Judge the status word of the kernel's clock (adjtimex(2))."""
    if status & _STA_UNSYNC:
        return Finding("clock", WARNING, "nothing keeps the clock: alerts of several hosts cannot be put in order",
                       "timedatectl set-ntp true")  # fmt: skip
    return Finding("clock", GOOD, "it is kept by a time server")


def memory(ring_bytes: int, meminfo: str | None = None) -> list[Finding]:
    """Look at the memory. ring_bytes: of all rings; meminfo: text of /proc/meminfo."""
    text = Path("/proc/meminfo").read_text(encoding="ascii") if meminfo is None else meminfo
    values = {line.split(":")[0]: int(line.split()[1]) << 10 for line in text.splitlines() if ":" in line}
    total, available = values.get("MemTotal", 0), values.get("MemAvailable", 0)
    found = []
    if total < _MEMORY_MIN:
        found.append(Finding("memory", WARNING, f"{_mib(total)} in all: the sensor is made for 512 MiB"))
    if available < ring_bytes + _SPARE:
        found.append(Finding("memory", WARNING, f"{_mib(available)} are left for rings of {_mib(ring_bytes)} and "
                             f"about {_mib(_SPARE)} of the sensor's own", "fewer --ring-blocks"))  # fmt: skip
    return found or [Finding("memory", GOOD, f"{_mib(available)} are available, the rings take {_mib(ring_bytes)}")]


def kernel(release: str | None = None) -> Finding:
    """Look at the version of the kernel."""
    text = os.uname().release if release is None else release
    numbers = tuple(int(word) for word in text.split("-", maxsplit=1)[0].split(".")[:2] if word.isdigit())
    if numbers < _MDWE:
        return Finding("kernel", WARNING, f"Linux {text} cannot refuse new executable memory (6.3 can): the sensor "
                       "goes on without")  # fmt: skip
    return Finding("kernel", GOOD, f"Linux {text}")


def confinement() -> Finding:
    """Find out whether the kernel can keep the sensor from what is not its own."""
    if landlock.abi():
        return Finding("landlock", GOOD, "the running sensor is kept from all files that are not its own")
    return Finding("landlock", WARNING, f"{landlock.missing()}: the sensor goes on without")


def programs(path: str | None = None) -> list[Finding]:
    """Look for programs that help an analyst. path: where to look, as in PATH."""
    if shutil.which("tshark", path=path):
        return [Finding("tshark", GOOD, "it is installed")]
    return [Finding("tshark", WARNING, "it is not installed: `xensor dissect` cannot show the packets behind an alert",
                    "apt-get install tshark")]  # fmt: skip


def _mib(octets: int) -> str:
    return f"{octets >> 20} MiB"
