"""Cutting the gathered bytes of HTTP/1 streams into frames, each byte looked at twice at most."""

import numba
import numpy as np
from numba.types import int64

from sensor.model.frames import ABSENT, ALTERED, BLURRED, CODED, CONTINUED, FRAME, ODD, OPEN, UNKNOWN
from sensor.model.jit import allocating_kernel, helper
from sensor.model.rows import FLOW
from sensor.model.units import UNIT
from sensor.proto.http1 import parts as p
from sensor.proto.kernels_parts import clear, put

NAMES_T = np.dtype([("at", "<i4"), ("size", "<i4"), ("side", "<i4"), ("part", "<i4")])
"""A header field's name: where it stands in the pool, and the part that its value is."""

REFUSED = 1
"""Verdict on a unit: it holds what is no plain message."""
HEAD_BYTES = 8 * 1024
"""A longer head is refused; far below the parser's limits, so that none of them matters here."""
_LINES = 128
_FOREVER = np.int64(1) << 60
"""The next message of a side whose body goes on until the connection is closed."""
_DIGITS = 15
_CONTINUE, _ANSWER = b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1."
_MANY, _HEAVY = 100, 512 * 1024
"""Requests waiting for a response, and their bytes: far below what the parser keeps (`limits.PIPELINED`,
`limits.PENDING_BYTES`), whatever the order in which the messages of a block came."""

_UNITS, _FLOWS, _FRAMES = numba.from_dtype(UNIT)[::1], numba.from_dtype(FLOW)[::1], numba.from_dtype(FRAME)[::1]
_TABLE = numba.from_dtype(NAMES_T)[::1]
_U1, _I4, _I8, _U8 = numba.uint8[::1], numba.int32[::1], int64[::1], numba.uint64[::1]


@helper
def _blank(c):  # pragma: no cover
    """Tell whether the parser strips a byte from the edges of names and values."""
    return c == 32 or 9 <= c <= 13 or c == 0


@helper
def _lower(c):  # pragma: no cover
    return c | 32 if 65 <= c <= 90 else c


@helper
def _line(data, start, end):  # pragma: no cover
    """Return where the CR LF of a line stands; -1: it is not here, or a lone CR, LF or NUL comes first."""
    for i in range(start, end):
        c = data[i]
        if c > 13:
            continue
        if c == 13:
            return i if i + 1 < end and data[i + 1] == 10 else -1
        if c in (10, 0):
            return -1
    return -1


@helper
def _is(data, start, end, word):  # pragma: no cover
    """Tell whether bytes are a word. word: bytes."""
    if end - start != len(word):
        return False
    for i in range(len(word)):  # noqa: SIM110 - no generators in kernels
        if data[start + i] != word[i]:
            return False
    return True


@helper
def _same_name(data, a, b, size):  # pragma: no cover
    for i in range(size):  # noqa: SIM110 - no generators in kernels
        if _lower(data[a + i]) != _lower(data[b + i]):
            return False
    return True


@helper
def _request_line(data, start, end, f):  # pragma: no cover
    """Note the parts of a request line; return whether it is plain."""
    a = start
    while a < end and 65 <= data[a] & 0xDF <= 90:
        a += 1
    if a == start or a - start > 32 or a >= end or data[a] != 32:
        return False
    if _is(data, start, a, b"HEAD") or _is(data, start, a, b"CONNECT") or _is(data, start, a, b"PRI"):
        return False
    b = a + 1
    altered = False
    last = np.uint8(0)
    while b < end and data[b] != 32:
        c = data[b]
        altered |= c in (37, 92, 35) or c > 127 or (last == 47 and c in (47, 46))
        if c == 37 and b + 2 < end and data[b + 1] == 50 and data[b + 2] == 53:
            f["flags"] |= ODD
        last = c
        b += 1
    if b >= end or data[a + 1] != 47 or not _is(data, b + 1, min(b + 6, end), b"HTTP/"):
        return False
    for i in range(b + 6, end):
        if data[i] == 32:
            return False
    put(f, p.METHOD, start, a)
    put(f, p.URI_RAW, a + 1, b)
    put(f, p.URI, UNKNOWN if altered else a + 1, b)
    put(f, p.PROTOCOL, b + 1, end)
    if altered:
        f["flags"] |= ALTERED
    return True


@helper
def _status_line(data, start, end, f):  # pragma: no cover
    """Note the parts of a status line; return the status, -1: it is not plain."""
    if not _is(data, start, min(start + 5, end), b"HTTP/"):
        return np.int64(-1)
    a = start
    while a < end and data[a] != 32:
        a += 1
    for i in range(start, end):
        if data[i] == 9:
            return np.int64(-1)
    b = a + 4
    if b > end or (b < end and data[b] != 32):
        return np.int64(-1)
    status = np.int64(0)
    for i in range(a + 1, b):
        if not 48 <= data[i] <= 57:
            return np.int64(-1)
        status = 10 * status + np.int64(data[i]) - 48
    put(f, p.PROTOCOL, start, a)
    put(f, p.STATUS, a + 1, b)
    if b + 1 < end:
        put(f, p.REASON, b + 1, end)
    return status


@helper
def _number(data, start, end):  # pragma: no cover
    """Return a number in decimal digits; -1: it is none."""
    if start == end or end - start > _DIGITS:
        return np.int64(-1)
    n = np.int64(0)
    for i in range(start, end):
        if not 48 <= data[i] <= 57:
            return np.int64(-1)
        n = 10 * n + np.int64(data[i]) - 48
    return n


@helper
def _host(data, start, end):  # pragma: no cover
    """Return where the host ends in front of its port; -1: a bracket is not closed."""
    if start < end and data[start] == 91:
        for i in range(start, end):
            if data[i] == 93:
                return i + 1
        return -1
    for i in range(start, end):
        if data[i] == 58:
            return i
    return end


@helper
def _starts(data, start, end, word):  # pragma: no cover
    """Tell whether bytes begin with a word, case ignored. word: bytes in lower case."""
    if end - start < len(word):
        return False
    for i in range(len(word)):  # noqa: SIM110 - no generators in kernels
        if _lower(data[start + i]) != word[i]:
            return False
    return True


@helper
def _usual(data, part, start, end):  # pragma: no cover
    """Tell whether a field that tells how the message reads says what the framer knows. end: behind its value."""
    while start < end and _blank(data[start]):
        start += 1
    while end > start and _blank(data[end - 1]):
        end -= 1
    if part == p.TRANSFER:
        return end - start == 7 and _starts(data, start, end, b"chunked")
    if part == p.CODING:
        for i in range(start, end):
            if data[i] == 44:
                return False
    return part != p.AUTHORIZATION or (
        _starts(data, start, end, b"basic") or _starts(data, start, end, b"digest")
        or _starts(data, start, end, b"bearer")
    )  # fmt: skip


@helper
def _is_form(data, start, end):  # pragma: no cover
    """Tell whether `multipart` stands in a media type."""
    for i in range(start, end):  # noqa: SIM110 - no generators in kernels
        if _starts(data, i, end, b"multipart"):
            return True
    return False


@helper
def _field(data, start, end, side, table, pool):  # pragma: no cover
    """Return (where the name ends, part that the value is or -1, ODD: not plain) of a header line."""
    if _blank(data[start]):
        return start, p.ODD
    colon = start
    while colon < end and data[colon] != 58:
        colon += 1
    if colon in (start, end) or _blank(data[colon - 1]):
        return start, p.ODD
    size = colon - start
    for k in range(table.size):
        if table[k]["side"] != side or table[k]["size"] != size:
            continue
        at = table[k]["at"]
        same = True
        for i in range(size):
            if _lower(data[start + i]) != pool[at + i]:
                same = False
                break
        if same:
            return colon, np.int64(table[k]["part"])
    return colon, np.int64(-1)


@helper
def _value(data, part, start, end, f):  # pragma: no cover
    """Note the part that a field's value is, of what stands behind its colon."""
    a, b = start, end
    while a < b and _blank(data[a]):
        a += 1
    while b > a and _blank(data[b - 1]):
        b -= 1
    if start == end or data[start] != 32 or (a != start + 1 if a < b else end != start + 1) or b != end:
        _blur(f)
    if part < 0:
        return
    if part in (p.CODING, p.TRANSFER):
        f["flags"] |= CODED
    if part >= p.CODING:
        return
    start, end = a, b
    put(f, part, start, end)
    if part == p.HOST_RAW:
        host = _host(data, start, end)
        if host != start:
            put(f, p.HOST, UNKNOWN if host < 0 else start, host)


@helper
def _blur(f):  # pragma: no cover
    """Note that header fields read otherwise than they stand: spaced otherwise, or joined."""
    f["at"][p.HEADER] = f["at"][p.START] = UNKNOWN
    f["flags"] |= BLURRED


@helper
def _repeated(data, names, count, start, colon):  # pragma: no cover
    """Tell whether a field has come before. names: int32[k, 2], where the names before it begin and end."""
    for k in range(count):
        if names[k, 1] - names[k, 0] == colon - start and _same_name(data, names[k, 0], start, colon - start):
            return True
    return False


@helper
def _fields(data, start, end, side, table, pool, names, text, filled, f):  # pragma: no cover
    """Note the header fields; return (where the head ends, bytes of text written so far, whether the body is chunked).

    The end is -1 where the head is not plain.
    """
    at = start
    chunked = False
    count = 0
    while True:
        stop = _line(data, at, end)
        if stop < 0:
            return np.int64(-1), filled, False
        if stop == at:
            break
        colon, part = _field(data, at, stop, side, table, pool)
        if part == p.ODD or count == _LINES or filled + (colon - at) + 6 > text.size:
            return np.int64(-1), filled, False
        if _repeated(data, names, count, at, colon):
            _blur(f)
            if part >= p.CODING or part == p.HOST_RAW:
                return np.int64(-1), filled, False
            if part >= 0:
                f["at"][part] = UNKNOWN
        else:
            if count == 0:
                f["at"][p.NAMES] = filled
                text[filled] = 13
                text[filled + 1] = 10
                filled += 2
            for i in range(at, colon):
                text[filled] = data[i]
                filled += 1
            text[filled] = 13
            text[filled + 1] = 10
            filled += 2
            if not _usual(data, part, colon + 1, stop):
                if part != p.AUTHORIZATION:
                    return np.int64(-1), filled, False
                f["flags"] |= ODD
            chunked |= part == p.TRANSFER
            _value(data, part, colon + 1, stop, f)
        names[count, 0] = at
        names[count, 1] = colon
        count += 1
        at = stop + 2
    if count:
        text[filled] = 13
        text[filled + 1] = 10
        filled += 2
        f["to"][p.NAMES] = filled
        if f["at"][p.HEADER] != UNKNOWN:
            put(f, p.HEADER, start, at)
    if f["at"][p.START] != UNKNOWN:
        put(f, p.START, f["first"], at + 2 if count else at)
    put(f, p.HEADER_RAW, start, at + 2)
    return np.int64(at + 2), filled, chunked


@helper
def _chunks(data, start, end):  # pragma: no cover
    """Return the bytes of a chunked body without trailer (RFC 9112 section 7.1); -1: it is odd, or not all here."""
    at = start
    while True:
        size = np.int64(0)
        digits = 0
        while at < end and digits < 8:
            c = _lower(data[at])
            if 48 <= c <= 57:
                size = 16 * size + c - 48
            elif 97 <= c <= 102:
                size = 16 * size + c - 87
            else:
                break
            digits += 1
            at += 1
        if digits == 0 or at + 4 + size > end or data[at] != 13 or data[at + 1] != 10:
            return np.int64(-1)
        at += 2 + size
        if data[at] != 13 or data[at + 1] != 10:
            return np.int64(-1)
        at += 2
        if size == 0:
            return np.int64(at - start)


@helper
def _length(data, side, status, f):  # pragma: no cover
    """Return the bytes of a message's body (RFC 9112 section 6.3); -1: the message is not plain."""
    at = f["at"][p.CONTENT_LEN]
    size = np.int64(0)
    if at == UNKNOWN:
        return np.int64(-1)
    if at >= 0:
        size = _number(data, at, f["to"][p.CONTENT_LEN])
    elif side == 1 and status not in (204, 304):
        size = _FOREVER
    return np.int64(-1) if size > 0 and status in (204, 304) else size


@helper
def _sends_file(data, f):  # pragma: no cover
    """Tell whether the body of a request is a file to rules (`transaction.HttpTransaction.sends_file`)."""
    start, end = f["at"][p.METHOD], f["to"][p.METHOD]
    return _is(data, start, end, b"POST") or _is(data, start, end, b"PUT")


@helper
def _body(data, end, start, size, f):  # pragma: no cover
    """Note the body of a message: size bytes from start on, of which end may cut off some."""
    f["last"] = min(start + size, end)
    if size == 0:
        return
    if start + size > end:
        f["flags"] |= OPEN
    coded = f["flags"] & CODED != 0
    put(f, p.BODY, UNKNOWN if coded else start, f["last"])
    at = f["at"][p.CONTENT_TYPE]
    form = f["side"] == 0 and (at == UNKNOWN or (at >= 0 and _is_form(data, at, f["to"][p.CONTENT_TYPE])))
    if f["side"] == 1 or _sends_file(data, f):
        put(f, p.FILE, UNKNOWN if form or coded else start, f["last"])


@helper
def _interim(data, start, end):  # pragma: no cover
    """Return the bytes of the usual response `100 Continue` in front of another one (RFC 9110 section 15.2.1)."""
    size = len(_CONTINUE)
    here = start + size + len(_ANSWER) <= end and _is(data, start, start + size, _CONTINUE)
    return size if here and _is(data, start + size, start + size + len(_ANSWER), _ANSWER) else 0


@helper
def _message(data, start, end, table, pool, names, text, filled, f):  # pragma: no cover
    """Note the message that begins at start; return (bytes of its body, -1: it is not plain, bytes of text written)."""
    if f["side"] == 1:
        start += _interim(data, start, end)
        f["first"] = f["head"] = f["last"] = start
    limit = min(end, start + HEAD_BYTES)
    stop = _line(data, start, limit)
    if stop < 0:
        return np.int64(-1), filled
    side = np.int64(f["side"])
    status = np.int64(200)
    if side == 1:
        status = _status_line(data, start, stop, f)
    elif not _request_line(data, start, stop, f):
        status = np.int64(-1)
    if status < 200:
        return np.int64(-1), filled
    put(f, p.LINE, start, stop)
    head, filled, chunked = _fields(data, stop + 2, limit, side, table, pool, names, text, filled, f)
    if head < 0:
        return np.int64(-1), filled
    if side == 0 and f["at"][p.HOST_RAW] == ABSENT:
        f["flags"] |= ODD
    f["head"] = head
    if chunked:
        whole = f["at"][p.CONTENT_LEN] == ABSENT and status not in (204, 304)
        size = _chunks(data, head, end) if whole else np.int64(-1)
    else:
        size = _length(data, side, status, f)
    if size >= 0:
        _body(data, end, head, size, f)
    if f["flags"] & CODED and f["flags"] & OPEN:
        size = np.int64(-1)
    return size, filled


@helper
def _keeps(waiting, slot, side, size):  # pragma: no cover
    """Count a message; return whether the parser keeps all requests that wait. size: bytes of the message."""
    if side:
        waiting[2 * slot] = max(waiting[2 * slot] - 1, 0)
        if waiting[2 * slot] == 0:
            waiting[2 * slot + 1] = 0
        return True
    waiting[2 * slot] += 1
    waiting[2 * slot + 1] = min(waiting[2 * slot + 1] + size, 2 * _HEAVY)
    return waiting[2 * slot] <= _MANY and waiting[2 * slot + 1] <= _HEAVY


@allocating_kernel(int64(_U1, _UNITS, _U1, _FLOWS, _U8, _I8, _I4, _TABLE, _U1, _FRAMES, _U1, _I4, _U1))
def frame(data, units, picked, flows, owner, following, waiting, table, pool, frames, text, first,
          verdict):  # pragma: no cover  # fmt: skip
    """Write the frames of the picked units; return how many.

    owner: uint64[slots], one more than the id of the flow that `following` (int64[2 * slots], stream offset of each
    side's next message) is about, and `waiting` (int32[2 * slots], requests without a response, and bytes of requests
    since there were none). table, pool: names of header fields.
    first: int32[units + 1] (out), where each unit's frames begin.
    verdict: uint8[units] (out): `REFUSED`, or 0.
    """
    names = np.empty((_LINES, 2), np.int32)
    n = np.int64(0)
    filled = np.int64(0)
    for u in range(units.size):
        first[u] = n
        if not picked[u]:
            continue
        slot, side = units[u]["flow"], np.int64(units[u]["side"])
        fresh, end, pos = units[u]["fresh"], units[u]["end"], units[u]["pos"]
        if owner[slot] != flows[slot]["id"] + np.uint64(1):
            owner[slot] = flows[slot]["id"] + np.uint64(1)
            following[2 * slot] = following[2 * slot + 1] = waiting[2 * slot] = waiting[2 * slot + 1] = 0
        at = fresh + (following[2 * slot + side] - pos)
        lost = following[2 * slot] < 0 or following[2 * slot + 1] < 0
        # What was lost of a body whose end is known leaves the next message where it is.
        if lost or at < fresh or n == frames.size:
            verdict[u] = REFUSED
            following[2 * slot] = following[2 * slot + 1] = -1
            continue
        if at > fresh:
            f = frames[n]
            clear(f, u, side, units[u]["start"], UNKNOWN)
            f["last"] = min(at, end)
            f["flags"] = CONTINUED | (OPEN if at > end else 0)
            put(f, p.BODY, f["first"], f["last"])
            put(f, p.FILE, f["first"], f["last"])
            n += 1
        while at < end:
            size = np.int64(-1)
            if n < frames.size:
                clear(frames[n], u, side, at, ABSENT)
                size, filled = _message(data, at, end, table, pool, names, text, filled, frames[n])
            if size < 0:
                break
            if not _keeps(waiting, slot, side, np.int64(frames[n]["head"]) - at + size):
                break
            at = np.int64(frames[n]["head"]) + size
            n += 1
        if at < end:
            verdict[u] = REFUSED
            following[2 * slot] = following[2 * slot + 1] = -1
            n = np.int64(first[u])
        else:
            following[2 * slot + side] = pos + (at - fresh)
    first[units.size] = n
    return n
