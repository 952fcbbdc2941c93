"""Which flows of SMB read and write nothing but pipes, told from the shares that they connect to.

All is done in the order in which the parser sees it: a share is known once its connection is answered, to requests that
come behind. Whatever is not usual makes a flow unsound, and its reads and writes may be of files.
"""

import numba
import numpy as np

from sensor.model.jit import helper, kernel
from sensor.model.rows import FLOW
from sensor.proto.smb import limits, smb1, smb2
from sensor.proto.smb.kernels_frame import MESSAGE

KNOWN = 4
"""Shares of pipes of a flow; with more it is unsound."""
_ANSWERS = 32
"""Connections of a flow that are answered; the parser knows 128 at a time."""
_PATH = 512
"""Bytes of a path that is looked at."""

TREES = np.dtype(
    [
        ("owner", "<u8"),  # one more than the id of the flow that this is about
        ("unsound", "u1"),
        ("awaiting", "u1"),  # the last request was a connection: it must be answered before the next
        ("used", "u1"),  # `session` and `tree` are those of the last request that needs a share
        ("pending", "u1"),  # a pipe's share is being connected to, by `message`
        ("old", "u1"),  # and that in SMB 1
        ("count", "<i8"),
        ("answers", "<i8"),
        ("message", "<u8"),
        ("session", "<u8"),
        ("tree", "<u8"),
        ("sessions", "<u8", (KNOWN,)),
        ("trees", "<u8", (KNOWN,)),  # the shares of pipes
    ],
    align=True,
)
"""What is known of a flow's shares."""

EVENT = np.dtype(
    [
        ("key", "<i8"),  # when it happens
        ("message", "<u8"),
        ("session", "<u8"),
        ("tree", "<u8"),  # with `_OLD` in SMB 1
        ("slot", "<i4"),
        ("kind", "u1"),
    ],
    align=True,
)
"""Something about shares."""
UNSOUND, NEXT, PIPE, SHARE, KNOWS, ANSWERS, LEAVES, USES = range(8)
"""Kinds. A request follows a connection; a pipe's share is asked for; another; it is connected; something else is
answered; it is left; a request needs it."""

_TREES, _EVENTS, _MESSAGES = numba.from_dtype(TREES)[::1], numba.from_dtype(EVENT)[::1], numba.from_dtype(MESSAGE)[::1]
_FLOWS, _U1, _I8 = numba.from_dtype(FLOW)[::1], numba.uint8[::1], numba.int64[::1]

_HEADER, _NBSS = smb2.HEADER, 4
_CONNECT, _LEAVE = smb2.TREE_CONNECT, smb2.TREE_DISCONNECT
_PENDING, _ASYNC, _WARNING = smb2.PENDING, 2, 0x80000005
_NEED = tuple(sorted((smb2.CREATE, smb2.READ, smb2.WRITE, smb2.IOCTL, smb2.SET_INFO)))
"""Requests that open files, or name such as nobody saw opened."""
_LONGEST, _CHAIN = limits.MESSAGE, limits.CHAIN
_OLD = np.uint64(1) << np.uint64(32)
_HEADER1, _CONNECT1, _LEAVE1, _NO_ANDX = smb1.HEADER, smb1.TREE_CONNECT, smb1.TREE_DISCONNECT, smb1.NO_ANDX
_SHARELESS1 = (smb1.NEGOTIATE, smb1.SESSION_SETUP, smb1.LOGOFF, smb1.ECHO)
_ANDX1 = tuple(sorted(smb1.ANDX))
_MORE = 0xC0000016
_IPC = (0x5C, 0x49, 0x50, 0x43, 0x24)
_CASE = (0, 0x20, 0x20, 0x20, 0)
"""The last part of a path to pipes, and which bits of it do not matter."""


@helper
def _little(data, at, size):  # pragma: no cover
    found = np.uint64(0)
    for i in range(size):
        found |= np.uint64(data[at + i]) << np.uint64(8 * i)
    return found


@helper
def _names_pipes(data, first, stop, step):  # pragma: no cover
    """Tell whether a path that ends with these bytes leads to pipes. step: bytes of a character."""
    last = stop - step * len(_IPC)
    if last < first or stop - first > _PATH:
        return False
    for k in range(len(_IPC)):
        if data[last + step * k] & ~np.uint8(_CASE[k]) != _IPC[k] or (step == 2 and data[last + 2 * k + 1] != 0):
            return False
    return True


@helper
def _zero(data, first, stop, step):  # pragma: no cover
    """Return where the first character of a text is that is zero; `stop`: there is none."""
    for at in range(first, stop - step + 1, step):
        if data[at] == 0 and (step == 1 or data[at + 1] == 0):
            return at
    return stop


@helper
def _leads_to_pipes(data, at, end):  # pragma: no cover
    """Tell whether a whole request of SMB 2 for a share names that of pipes, by a path in which nothing is unusual."""
    if end - at < _HEADER + 8:
        return False
    start, size = np.int64(_little(data, at + _HEADER + 4, 2)), np.int64(_little(data, at + _HEADER + 6, 2))
    if start < _HEADER + 8 or size % 2 or start + size > end - at:
        return False
    first, stop = at + start, at + start + size
    return _names_pipes(data, first, stop, 2) and _zero(data, first, stop, 2) == stop


@helper
def _leads_to_pipes1(data, at, end):  # pragma: no cover
    """Tell the same of a whole request of SMB 1, in which nothing else is asked."""
    words = at + _HEADER1 + 1
    count = np.int64(data[at + _HEADER1])
    begin = words + 2 * count + 2
    if count < 4 or begin > end or data[words] != _NO_ANDX:
        return False
    stop = min(end, begin + np.int64(_little(data, begin - 2, 2)))
    first = begin + np.int64(_little(data, words + 6, 2))
    step = 2 if data[at + 11] & 0x80 else 1
    if step == 2:
        first += (first - at) % 2
    last = _zero(data, first, stop, step)
    return last < stop and _names_pipes(data, first, last, step)


@helper
def _emit(events, n, key, kind, slot, message, session, tree):  # pragma: no cover
    """Write an event; return how many there are."""
    e = events[n]
    e["key"], e["kind"], e["slot"] = key, kind, slot
    e["message"], e["session"], e["tree"] = message, session, tree
    return n + 1


@helper
def _of_request(data, at, end, alone, key, slot, t, events, n):  # pragma: no cover
    """Write what a request means; return how many events there are. alone: it is whole, and all of its message."""
    command, flags = _little(data, at + 12, 2), data[at + 16]
    message, session = _little(data, at + 24, 8), _little(data, at + 40, 8)
    tree = np.uint64(0) if flags & _ASYNC else _little(data, at + 36, 4)
    if t["awaiting"]:
        n = _emit(events, n, key, NEXT, slot, message, session, tree)
        t["awaiting"] = 0
    if command == _CONNECT:
        pipe = alone and _leads_to_pipes(data, at, end)
        t["awaiting"] = 1
        return _emit(events, n, key, PIPE if pipe else SHARE, slot, message, session, tree)
    if command == _LEAVE:
        t["used"] = 0
        return _emit(events, n, key, LEAVES, slot, message, session, tree)
    if command in _NEED and not (t["used"] and t["session"] == session and t["tree"] == tree):
        t["used"], t["session"], t["tree"] = 1, session, tree
        return _emit(events, n, key, USES, slot, message, session, tree)
    return n


@helper
def _of_answer(data, at, end, alone, key, slot, events, n):  # pragma: no cover
    """Write what an answer means; return how many events there are."""
    status = _little(data, at + 8, 4)
    if status == _PENDING:
        return n
    kind = ANSWERS
    if _little(data, at + 12, 2) == _CONNECT and status in (0, _WARNING):
        kind = KNOWS if alone and end - at >= _HEADER + 3 else UNSOUND
    tree = np.uint64(0) if data[at + 16] & _ASYNC else _little(data, at + 36, 4)
    return _emit(events, n, key, kind, slot, _little(data, at + 24, 8), _little(data, at + 40, 8), tree)


@helper
def _of_message1(data, m, key, t, events, n):  # pragma: no cover
    """Write what a message of SMB 1 means; return how many events there are."""
    slot, at, end = m["slot"], m["at"], m["at"] + m["here"]
    if m["here"] < _HEADER1 + 1:
        return _emit(events, n, key, UNSOUND, slot, np.uint64(0), np.uint64(0), _OLD) if m["does"] else n
    command, alone = data[at + 4], m["here"] == m["size"] and m["size"] <= _LONGEST
    message = _little(data, at + 12, 2) << np.uint64(32) | _little(data, at + 26, 2) << np.uint64(16)
    message |= _little(data, at + 30, 2)
    tree, none = _little(data, at + 24, 2) | _OLD, np.uint64(0)
    count = np.int64(data[at + _HEADER1])
    chained = command in _ANDX1 and count >= 2 and (
        m["here"] <= _HEADER1 + 1 or data[at + _HEADER1 + 1] != _NO_ANDX
    )  # fmt: skip
    if data[at + 9] & 0x80:
        kind = ANSWERS
        if command == _CONNECT1 and count and _little(data, at + 5, 4) in (0, _WARNING, _MORE):
            kind = KNOWS if alone and not chained and _HEADER1 + 3 + 2 * count <= m["size"] else UNSOUND
        return _emit(events, n, key, UNSOUND if chained else kind, slot, message, none, tree)
    if t["awaiting"]:
        n = _emit(events, n, key, NEXT, slot, message, none, tree)
        t["awaiting"] = 0
    if chained:
        return _emit(events, n, key, UNSOUND, slot, message, none, tree)
    if command == _CONNECT1:
        t["awaiting"] = 1
        return _emit(
            events, n, key, PIPE if alone and _leads_to_pipes1(data, at, end) else SHARE, slot, message, none, tree
        )
    if command == _LEAVE1:
        t["used"] = 0
        return _emit(events, n, key, LEAVES, slot, message, none, tree)
    if command not in _SHARELESS1 and not (t["used"] and t["session"] == none and t["tree"] == tree):
        t["used"], t["session"], t["tree"] = 1, none, tree
        return _emit(events, n, key, USES, slot, message, none, tree)
    return n


@helper
def _of_message(data, m, key, t, events, n):  # pragma: no cover
    """Write what a message means; return how many events there are."""
    slot, start, size = m["slot"], m["at"], m["size"]
    if key < 0:
        return _emit(events, n, key, UNSOUND, slot, np.uint64(0), np.uint64(0), np.uint64(0))
    if size < 4 or m["here"] < 4:
        return n
    mark = _little(data, start, 4)
    if mark == 0x424D53FF:
        return _of_message1(data, m, key, t, events, n)
    if mark != 0x424D53FE:
        return n
    pos = np.int64(0)
    for _ in range(_CHAIN):
        at = start + pos
        if m["here"] - pos < _HEADER or _little(data, at, 4) != 0x424D53FE or _little(data, at + 4, 2) != _HEADER:
            return n
        following = np.int64(_little(data, at + 20, 4))
        alone = pos == 0 and following == 0 and m["here"] == size and size <= _LONGEST
        if data[at + 16] & 1:
            n = _of_answer(data, at, start + m["here"], alone, key, slot, events, n)
        else:
            n = _of_request(data, at, start + m["here"], alone, key, slot, t, events, n)
        if not _HEADER <= following < size - pos:
            return n
        pos += following
    return n


@helper
def _forget(t, owner):  # pragma: no cover
    t["owner"] = owner
    t["unsound"], t["awaiting"], t["used"], t["pending"], t["count"], t["answers"] = 0, 0, 0, 0, 0, 0


@kernel(numba.int64(_U1, _MESSAGES, numba.int64, _I8, _I8, _FLOWS, _TREES, _EVENTS))
def note(data, messages, count, starts, keys, flows, trees, events):  # pragma: no cover
    """Write what messages mean for shares, by sides; return how many events there are, -1: too many.

    messages: those of this block, `count`; starts, keys: int64, where segments begin in data, and when they came.
    """
    n = 0
    for k in range(count):
        m = messages[k]
        t = trees[m["slot"]]
        owner = flows[m["slot"]]["id"] + np.uint64(1)
        if t["owner"] != owner:
            _forget(t, owner)
        if t["unsound"]:
            continue
        if n + 2 * _CHAIN > events.size:
            return -1
        segment = np.searchsorted(starts, m["at"] + m["here"] - 1, "right") - 1
        n = _of_message(data, m, keys[segment] if segment >= 0 else np.int64(-1), t, events, n)
    return n


@helper
def _place_of(t, e):  # pragma: no cover
    """Return which of a flow's shares an event is about, `count` where it is another."""
    for i in range(t["count"]):
        if t["sessions"][i] == e["session"] and t["trees"][i] == e["tree"]:
            return i
    return t["count"]


@helper
def _is_of(t, e):  # pragma: no cover
    """Tell whether an answer is that to the request for a share."""
    return t["message"] == e["message"] and (t["old"] != 0) == (e["tree"] & _OLD != 0)


@helper
def _drop(t, at):  # pragma: no cover
    if at < t["count"]:
        t["count"] -= 1
        t["sessions"][at], t["trees"][at] = t["sessions"][t["count"]], t["trees"][t["count"]]


@helper
def _connected(t, e):  # pragma: no cover
    """Take note of a share that a server grants."""
    at = _place_of(t, e)
    pipe = t["pending"] and _is_of(t, e)
    t["pending"] = 0
    t["answers"] += 1
    if t["answers"] > _ANSWERS:
        t["unsound"] = 1
    elif not pipe:
        _drop(t, at)
    elif at == KNOWN:
        t["unsound"] = 1
    elif at == t["count"]:
        t["sessions"][at], t["trees"][at] = e["session"], e["tree"]
        t["count"] += 1


@kernel(numba.void(_EVENTS, _I8, _TREES))
def follow(events, order, trees):  # pragma: no cover
    """Go through events in their order: flows that use what is no share of pipes are unsound from then on."""
    for k in range(order.size):
        e = events[order[k]]
        t, kind = trees[e["slot"]], e["kind"]
        if kind == UNSOUND:
            t["unsound"] = 1
        elif kind == NEXT:
            t["pending"] = 0
        elif kind in (PIPE, SHARE):
            t["pending"], t["message"] = np.uint8(kind == PIPE), e["message"]
            t["old"] = np.uint8(e["tree"] & _OLD != 0)
        elif kind == KNOWS:
            _connected(t, e)
        elif kind == ANSWERS:
            t["pending"] &= np.uint8(not _is_of(t, e))
        elif kind == LEAVES:
            _drop(t, _place_of(t, e))
        elif _place_of(t, e) == t["count"]:
            t["unsound"] = 1
