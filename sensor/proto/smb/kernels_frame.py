"""Walking the messages in the gathered bytes of SMB streams: which ask for the contents of files."""

import numba
import numpy as np

from sensor.model.jit import helper, kernel
from sensor.model.rows import FLOW
from sensor.model.units import UNIT
from sensor.proto.smb import limits, smb1, smb2

STATE = np.dtype(
    [
        ("next", "<i8"),  # stream offset of the next message; lost: from which on it is looked for
        ("reached", "<i8"),  # offset up to which bytes were seen, -1: none were
        ("lost", "u1"),  # missing bytes hide where the next message begins
        ("refused", "u1"),  # something about the flow is not plain
    ],
    align=True,
)
"""How far the messages of one side were walked."""
MESSAGE = np.dtype(
    [
        ("at", "<i8"),  # of its header, in `data`
        ("size", "<i8"),
        ("here", "<i8"),  # bytes of it that are
        ("slot", "<i4"),
        ("does", "u1"),
    ],
    align=True,
)
"""A message that was walked."""
WRITES, READS, REFUSED = 1, 2, 4
"""Verdicts on a unit, as bits: something is written, something is read, it holds what is no plain message."""
LOOK = 128
"""Bytes of a message that are enough to tell. Where a block ends before, as many of them are seen again in the next."""

_WAIT, _ODD = -1, -2
_BEGINNING = 8
"""Bytes of a header and the mark behind it."""
_PIPE_SETUP = 14
"""Word of a transaction of SMB 1 that tells what it does."""
_NBSS = 4

_UNITS, _FLOWS, _STATES = numba.from_dtype(UNIT)[::1], numba.from_dtype(FLOW)[::1], numba.from_dtype(STATE)[::1]
_U1, _U8, _MESSAGES = numba.uint8[::1], numba.uint64[::1], numba.from_dtype(MESSAGE)[::1]

_NAME, _CHAIN = limits.NAME, limits.CHAIN
_HEADER1, _READ1, _WRITE1, _TRANS1 = smb1.HEADER, smb1.READ_ANDX, smb1.WRITE_ANDX, smb1.TRANS
_TRANSACT, _LAST1 = 0x26, smb1.NO_ANDX
_HEADER2, _READ2, _WRITE2, _IOCTL2, _TRANSCEIVE = smb2.HEADER, smb2.READ, smb2.WRITE, smb2.IOCTL, smb2.PIPE_TRANSCEIVE
_ANDX = tuple(sorted(smb1.ANDX))


@helper
def _u2(data, at):  # pragma: no cover
    return np.int64(data[at]) | np.int64(data[at + 1]) << 8


@helper
def _u4(data, at):  # pragma: no cover
    return _u2(data, at) | _u2(data, at + 2) << 16


@helper
def _lacks(wanted):  # pragma: no cover
    """Return what to do about a message that the block's end cuts before as many bytes as must be known."""
    return _WAIT if wanted <= LOOK else _ODD


@helper
def _of_command1(data, start, pos, count, command):  # pragma: no cover
    """Return what a request of SMB 1 does; its words are here. pos: of their number."""
    if command == _READ1:
        return READS
    if command == _WRITE1:
        return WRITES
    word = start + pos + 1 + 2 * _PIPE_SETUP
    return READS | WRITES if command == _TRANS1 and count > _PIPE_SETUP and _u2(data, word) == _TRANSACT else 0


@helper
def _message1(data, start, size, here):  # pragma: no cover
    """Return what the requests of a message of SMB 1 do, `_WAIT` or `_ODD`. here: bytes of it that are."""
    if size < _HEADER1:
        return 0
    if here < _HEADER1:
        return _lacks(_HEADER1)
    if data[start + 9] & 0x80:
        return 0
    found, pos, command = 0, np.int64(_HEADER1), np.int64(data[start + 4])
    for _ in range(_CHAIN):
        if pos >= here:
            return found if pos >= size else _lacks(pos + 1)
        count = np.int64(data[start + pos])
        after = pos + 1 + 2 * count
        if after > here:
            return found if after > size else _lacks(after)
        found |= _of_command1(data, start, pos, count, command)
        if command not in _ANDX or count < 2:
            return found
        command, following = np.int64(data[start + pos + 1]), _u2(data, start + pos + 3)
        if command == _LAST1 or not pos < following < size:
            return found
        pos = following
    return found


@helper
def _of_command2(data, start, size, here):  # pragma: no cover
    """Return what a request of SMB 2 does, `_WAIT` or `_ODD`."""
    command = _u2(data, start + 12)
    if command == _READ2:
        return READS
    if command == _WRITE2:
        return WRITES
    if command != _IOCTL2:
        return 0
    if here < _HEADER2 + 8:
        return 0 if size < _HEADER2 + 8 else _WAIT
    return READS | WRITES if _u4(data, start + _HEADER2 + 4) == _TRANSCEIVE else 0


@helper
def _message2(data, start, size, here):  # pragma: no cover
    """Return what the requests of a compound do, `_WAIT` or `_ODD`. here: bytes of it that are."""
    found, pos = 0, np.int64(0)
    for _ in range(_CHAIN):
        if size - pos < _HEADER2:
            return found
        if here - pos < _HEADER2:
            return _lacks(pos + _HEADER2)
        at = start + pos
        if _u4(data, at) != 0x424D53FE or _u2(data, at + 4) != _HEADER2:
            return found
        if not data[at + 16] & 1:
            does = _of_command2(data, at, size - pos, here - pos)
            if does < 0:
                return _lacks(pos + _HEADER2 + 8)
            found |= does
        following = _u4(data, at + 20)
        if not _HEADER2 <= following < size - pos:
            return found
        pos += following
    return found


@helper
def _message(data, start, end):  # pragma: no cover
    """Return (bytes of the message that begins at start, what it does, `_WAIT` or `_ODD`).

    The parser reads a message up to where it is malformed, and of an encrypted or unknown one nothing.
    """
    if end - start < _NBSS:
        return np.int64(0), _WAIT
    kind = data[start]
    size = np.int64(data[start + 1]) << 16 | np.int64(data[start + 2]) << 8 | np.int64(data[start + 3])
    if kind != 0:
        return size + _NBSS, 0 if 0x81 <= kind <= 0x85 and size <= _NAME else _ODD
    if size == 0:
        return np.int64(_NBSS), 0
    at = start + _NBSS
    here = min(size, end - at)
    if here < 4:
        return size + _NBSS, 0 if size < 4 else _WAIT
    mark = _u4(data, at)
    if mark == 0x424D53FF:
        return size + _NBSS, _message1(data, at, size, here)
    if mark == 0x424D53FE:
        return size + _NBSS, _message2(data, at, size, here)
    return size + _NBSS, 0


@helper
def _begins(data, start, end):  # pragma: no cover
    """Return (where the mark of a message stands as its header has it, True), or (how far there is none, False)."""
    for i in range(start, end - _BEGINNING + 1):
        if data[i] == 0 and data[i + 4] >= 0xFC and data[i + 5] == 83 and data[i + 6] == 77 and data[i + 7] == 66:
            return i, True
    return max(start, end - _BEGINNING + 1), False


@helper
def _resume(unit, lost_before, side, states):  # pragma: no cover
    """Make ready to go on with a unit, missing bytes in front of it or not; return 0 or `_ODD`.

    lost_before: bytes of the side that are missing, up to the end of the block.
    """
    s, pos = states[side], unit["pos"]
    if s["reached"] < 0:  # the first that is seen of it
        if lost_before and pos:
            return _ODD
        s["reached"] = pos
    if pos > s["reached"]:
        if s["next"] < s["reached"]:  # of the message that the gap cuts not enough is known
            return _ODD
        if s["next"] < pos or s["lost"]:
            s["lost"], s["next"] = 1, pos
    return 0 if unit["fresh"] + s["next"] - pos >= unit["start"] else _ODD


@helper
def _keep(messages, n, at, size, end, slot, does):  # pragma: no cover
    """Write down a message, if there is room; return how many there are, those without room included."""
    if n < messages.size:
        m = messages[n]
        m["at"], m["size"], m["here"] = at + _NBSS, size - _NBSS, min(size, end - at) - _NBSS
        m["slot"], m["does"] = slot, does
    return n + 1


@helper
def _messages(data, at, end, s, slot, messages, n):  # pragma: no cover
    """Walk the messages of a side from a place on.

    Return (where the next begins, what they do, `_ODD` or not, how many were written down).
    """
    found = 0
    while at < end:
        if s["lost"]:
            at, seen = _begins(data, at, end)
            if not seen:
                break
            s["lost"] = 0
        size, does = _message(data, at, end)
        if does < 0:
            return at, found, does == _ODD, n
        if data[at] == 0:
            n = _keep(messages, n, at, size, end, slot, does)
        found |= does
        at += size
    return at, found, False, n


@kernel(numba.int64(_U1, _UNITS, _U1, _FLOWS, _U8, _STATES, _U1, _MESSAGES))
def walk(data, units, picked, flows, owner, states, verdict, messages):  # pragma: no cover
    """Walk the messages of the picked units; return how many there are.

    owner: uint64[slots], one more than the id of the flow that `states` (STATE[2 * slots]) is about.
    verdict: uint8[units], messages: as many as find room (out).
    """
    n = 0
    for u in range(units.size):
        verdict[u] = 0
        if not picked[u]:
            continue
        unit = units[u]
        slot, pos, fresh = np.int64(unit["flow"]), unit["pos"], unit["fresh"]
        side = 2 * slot + np.int64(unit["side"])
        if owner[slot] != flows[slot]["id"] + np.uint64(1):
            owner[slot] = flows[slot]["id"] + np.uint64(1)
            for k in (2 * slot, 2 * slot + 1):
                states[k]["next"], states[k]["reached"], states[k]["lost"], states[k]["refused"] = 0, -1, 0, 0
        odd = states[side]["refused"] != 0 or _resume(unit, flows[slot]["gaps"][unit["side"]], side, states) < 0
        if not odd:
            begin = fresh + (states[side]["next"] - pos)
            at, does, odd, n = _messages(data, begin, unit["end"], states[side], slot, messages, n)
            states[side]["next"], states[side]["reached"] = pos + (at - fresh), pos + (unit["end"] - fresh)
            verdict[u] = does
        if odd:
            verdict[u] = REFUSED
            states[2 * slot]["refused"] = states[2 * slot + 1]["refused"] = 1
    return n
