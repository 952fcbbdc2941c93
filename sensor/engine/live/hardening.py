"""What the sensor denies itself once it is running."""

from __future__ import annotations

import ctypes
import os
import pwd
from typing import Final

from sensor.errors import UsageError

# linux/prctl.h
_PR_SET_NO_NEW_PRIVS: Final = 38
_PR_CAP_AMBIENT: Final = 47
_PR_CAP_AMBIENT_CLEAR_ALL: Final = 4
_PR_SET_MDWE: Final = 65
_PR_GET_MDWE: Final = 66
_PR_MDWE_REFUSE_EXEC_GAIN: Final = 1
# linux/capability.h
_CAPABILITY_VERSION_3: Final = 0x20080522


def drop_privileges(name: str) -> None:
    """Become a user for good. Raises UsageError where there is no such user, or it may not be become.

    No capability is kept: an open ring needs none, neither to be read nor to be bound again (`sensor.capture.ring`).
    """
    try:
        user = pwd.getpwnam(name)
    except KeyError as e:
        raise UsageError(f"--user {name}: there is no such user") from e
    try:
        os.initgroups(name, user.pw_gid)
        os.setresgid(user.pw_gid, user.pw_gid, user.pw_gid)
        os.setresuid(user.pw_uid, user.pw_uid, user.pw_uid)
    except OSError as e:
        raise UsageError(f"--user {name}: {e.strerror}") from e


def drop_capabilities() -> bool:
    """Give up all capabilities, ambient ones included; tell whether that worked. An open ring needs none."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    nothing = (ctypes.c_uint32 * 6)()
    ambient = _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL) == 0
    return int(ctypes.CDLL(None, use_errno=True).capset(header, nothing)) == 0 and ambient


def no_new_privileges() -> bool:
    """Let no program that is started from here gain privileges (set-user-id bits, file capabilities)."""
    return _prctl(_PR_SET_NO_NEW_PRIVS, 1) == 0


def deny_new_code() -> bool:
    """Let no memory of this process become executable any more (Linux 6.3); False: this kernel cannot.

    To be called when all kernels are loaded and all regexes compiled. Whatever would compile later fails then: each
    kernel has explicit signatures, so nothing does. Regexes of reloaded rules still become machine code where PCRE2
    maps it twice, once to be written and once to be run (Debian's does); elsewhere they are interpreted.
    """
    return _prctl(_PR_SET_MDWE, _PR_MDWE_REFUSE_EXEC_GAIN) == 0 and _prctl(_PR_GET_MDWE, 0) != 0


def _prctl(option: int, value: int) -> int:
    zero = ctypes.c_ulong(0)
    return int(ctypes.CDLL(None, use_errno=True).prctl(option, ctypes.c_ulong(value), zero, zero, zero))
