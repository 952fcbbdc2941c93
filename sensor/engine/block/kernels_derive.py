"""Bytes as parsers show them, for the literal scan: the dotted names of DNS questions."""

import numpy as np
from numba.types import Array, boolean, int64, uint8

from sensor.detect.headers.kernels_headers import U1
from sensor.detect.scan.kernels_scan import UNITS_T
from sensor.model.jit import helper, kernel

I8 = int64[::1]
_BYTES = Array(uint8, 1, "C", readonly=True)

NAME = 256
"""Bytes of room for a name with its edges; a longer one is not written."""
_HEADER = 12
_QUESTIONS = 256
"""Questions read of a message, as the parser does."""
_POINTERS = 32
"""Compression pointers followed in a name."""
_NETBIOS = 32
"""Letters from A to P that are a NetBIOS name (RFC 1001 section 14.1)."""


@helper
def _label(buf, p, size, out, begin, at):  # pragma: no cover
    """Write a label behind the ones before it; return where the next one goes, -1: there is no room."""
    if at - begin + size + 2 > NAME:
        return np.int64(-1)
    if at > begin + 1:
        out[at] = 46
        at += 1
    for x in range(size):
        out[at + x] = buf[p + x]
    return at + size


@helper
def _dotted(buf, start, p, end, out, begin):  # pragma: no cover
    """Write the name at p, a zero byte before it; return (where it ends in the text, behind it in the message).

    start: of the message. The first is -1 where the name is damaged or long.
    """
    out[begin] = 0
    at = begin + 1
    lowest, behind = p, np.int64(-1)
    jumps = 0
    while p < end:
        size = np.int64(buf[p])
        if size == 0:
            return at, p + 1 if behind < 0 else behind
        if size < 64:
            if p + 1 + size > end:
                break
            at = _label(buf, p + 1, size, out, begin, at)
            if at < 0:
                break
            p += 1 + size
            continue
        if size < 192 or p + 2 > end or jumps == _POINTERS:
            break
        target = start + ((size & 63) << 8 | np.int64(buf[p + 1]))
        if target >= lowest:
            break
        if behind < 0:
            behind = p + 2
        jumps += 1
        p = lowest = target
    return np.int64(-1), p


@helper
def _decoded(out, begin, at):  # pragma: no cover
    """Write a NetBIOS name as it is shown, in its place; return where the text ends."""
    if at - begin < _NETBIOS or (at - begin > _NETBIOS and out[begin + _NETBIOS] != 46):
        return at
    for x in range(begin, begin + _NETBIOS):
        if not 65 <= out[x] <= 80:
            return at
    for x in range(_NETBIOS // 2):
        out[begin + x] = (out[begin + 2 * x] - 65) << 4 | (out[begin + 2 * x + 1] - 65)
    last = out[begin + 15]
    size = 15
    while size and out[begin + size - 1] in (0, 32):
        size -= 1
    to = begin + size
    out[to] = 60
    for x in range(2):
        digit = last >> 4 if x == 0 else last & 15
        out[to + 1 + x] = digit + (48 if digit < 10 else 87)
    out[to + 3] = 62
    to += 4
    for x in range(begin + _NETBIOS, at):
        out[to] = out[x]
        to += 1
    return to


@kernel(int64(UNITS_T, _BYTES, boolean[::1], U1, UNITS_T, I8))
def question_names(messages, buf, responses, out, made, odd):  # pragma: no cover
    """Write the names of each DNS message's questions, dotted, a zero byte before and behind; return (made, odd).

    messages: UNIT[n], places in buf; responses[0]: those with QR set, too. out: uint8[k]. odd: int64[n], numbers of
    those of which a name is damaged, or finds no room: they must be parsed. The two counts are packed as
    made | odd << 32.
    """
    n = at = strange = np.int64(0)
    for i in range(messages.size):
        start, end = messages["start"][i], messages["end"][i]
        if end - start < _HEADER or (buf[start + 2] & 0x80 and not responses[0]):
            continue
        count = np.int64(buf[start + 4]) << 8 | np.int64(buf[start + 5])
        if count > _QUESTIONS:
            count = np.int64(_QUESTIONS)
        p, first, begin = start + _HEADER, n, at
        while count and p >= 0:
            stop = np.int64(-1)
            if n < made.size and at + NAME + 4 <= out.size:
                stop, p = _dotted(buf, start, p, end, out, at)
            if stop < 0 or p + 4 > end:
                p = np.int64(-1)
                break
            stop = _decoded(out, at + 1, stop)
            out[stop] = 0
            made["start"][n], made["fresh"][n], made["end"][n] = at, at, stop + 1
            made["pos"][n], made["flow"][n], made["row"][n] = 0, messages["flow"][i], messages["row"][i]
            made["side"][n], made["kind"][n] = messages["side"][i], messages["kind"][i]
            n += 1
            at = stop + 1
            p += 4
            count -= 1
        if p < 0:
            n, at = first, begin
            odd[strange] = i
            strange += 1
    return n | strange << 32
