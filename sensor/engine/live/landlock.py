"""Landlock: what the process may write, run and speak to from now on (linux/landlock.h, landlock(7)).

The kernel's interface is three calls; no library is needed for them. Whatever a parser could be made to do, it changes
nothing but the sensor's own files, starts no program and opens no connection that the configuration does not name.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import struct
from collections.abc import Iterable
from pathlib import Path
from types import MappingProxyType
from typing import Final

_CREATE_RULESET: Final = 444
_ADD_RULE: Final = 445
_RESTRICT_SELF: Final = 446
"""System calls, with the same numbers on all architectures."""
_VERSION: Final = 1
"""LANDLOCK_CREATE_RULESET_VERSION"""
_PATH_BENEATH: Final = 1
_NET_PORT: Final = 2

_EXECUTE: Final = 1 << 0
_WRITE_FILE: Final = 1 << 1
_REMOVE_AND_MAKE: Final = sum(1 << bit for bit in range(4, 13))
"""REMOVE_DIR, REMOVE_FILE, MAKE_CHAR … MAKE_SYM"""
_REFER: Final = 1 << 13
_TRUNCATE: Final = 1 << 14
_BIND_TCP: Final = 1 << 0
_CONNECT_TCP: Final = 1 << 1
_SCOPE_SIGNAL: Final = 1 << 1
_OF_A_FILE: Final = _EXECUTE | _WRITE_FILE | _TRUNCATE
_NO_SPECIAL: Final = ~(1 << 6 | 1 << 11)
"""Neither character nor block devices are made."""


_REASONS = MappingProxyType({
    errno.EOPNOTSUPP: "Landlock is switched off (lsm=landlock,… on the kernel's command line)",
    errno.EPERM: "a filter of system calls forbids Landlock (SystemCallFilter= of the unit)",
})


def abi() -> int:
    """Return the version of Landlock that this kernel has, 0: none, or it is switched off."""
    return max(0, _call(_CREATE_RULESET, None, 0, _VERSION))


def missing() -> str:
    """Tell why there is no Landlock here; nothing: there is."""
    if abi():
        return ""
    return _REASONS.get(ctypes.get_errno(), "this kernel has no Landlock (Linux 5.13 can have it)")


def confine(writable: Iterable[Path], listen: Iterable[int] = (), connect: Iterable[int] = ()) -> bool:
    """Let this thread, and those that it starts, write below some folders only, and run no program; False: it cannot.

    listen, connect: TCP ports that it may still listen on and connect to (Linux 6.7); reading is not limited. Signals
    reach no process but those that it has forked (Linux 6.12). `no_new_privileges` must have been called. Files that
    are open stay as they are.
    """
    version = abi()
    if version < 1:
        return False
    changes = _changes(version)
    attributes = struct.pack(
        "=QQQ",
        _EXECUTE | changes,
        _BIND_TCP | _CONNECT_TCP if version >= 4 else 0,
        _SCOPE_SIGNAL if version >= 6 else 0,
    )[: _size(version)]
    rules = _call(_CREATE_RULESET, attributes, len(attributes), 0)
    if rules < 0:
        return False
    try:
        for path in {_existing(path) for path in writable}:
            _allow(rules, path, changes & _NO_SPECIAL)
        for port, access in (*((p, _BIND_TCP) for p in listen), *((p, _CONNECT_TCP) for p in connect)):
            if version >= 4:
                _call(_ADD_RULE, rules, _NET_PORT, struct.pack("=QQ", access, port), 0)
        return _call(_RESTRICT_SELF, rules, 0) == 0
    finally:
        os.close(rules)


def _changes(version: int) -> int:
    """Return the rights to change files, as far as the kernel knows them."""
    return _WRITE_FILE | _REMOVE_AND_MAKE | (_REFER if version >= 2 else 0) | (_TRUNCATE if version >= 3 else 0)


def _size(version: int) -> int:
    """Return the bytes of `struct landlock_ruleset_attr` that the kernel knows."""
    return 8 if version < 4 else 16 if version < 6 else 24


def _existing(path: Path) -> Path:
    """Return a path, or where it is missing the nearest folder above it: what is to be made must be makeable."""
    at = path.absolute()
    while not os.path.lexists(at) and at != at.parent:  # so is what may not be looked at
        at = at.parent
    return at


def _allow(rules: int, path: Path, access: int) -> None:
    try:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:  # not ours to reach: then there is nothing to allow
        return
    try:
        if not stat.S_ISDIR(os.fstat(fd).st_mode):
            access &= _OF_A_FILE
        _call(_ADD_RULE, rules, _PATH_BENEATH, struct.pack("=Qi", access, fd), 0)
    finally:
        os.close(fd)


def _call(number: int, *words: int | bytes | None) -> int:
    """Make a system call; -1: it failed."""
    libc = ctypes.CDLL(None, use_errno=True)
    made = [ctypes.c_char_p(word) if isinstance(word, bytes) else ctypes.c_void_p(word) if word is None
            else ctypes.c_long(word) for word in words]  # fmt: skip
    libc.syscall.restype = ctypes.c_long
    return int(libc.syscall(ctypes.c_long(number), *made))
