"""DNS by content (RFC 1035): how messages begin, over TCP and in datagrams."""

import numpy as np
import numpy.typing as npt

from sensor.model.jit import helper
from sensor.proto.ids import DNS

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]

_PENDING, _NO = 0, 1
_HEAD = 32
"""Bytes of a side that are looked at (`kernels_probe.HEAD`)."""
_HEADER = 12
"""Bytes in front of the questions."""
_LABELS = 255
"""Labels of a name, and places that it goes on at."""
_BAD, _CUT = -1, -2


@helper
def _u16(buf: Bytes, pos: int) -> int:
    return int(np.int64(buf[pos]) << 8 | np.int64(buf[pos + 1]))


@helper
def _is_label_char(c: int) -> bool:
    return 48 <= c <= 57 or 65 <= c <= 90 or 97 <= c <= 122 or c in (42, 45, 95)


@helper
def stream(h: Ints, n: int, usual_port: bool) -> int:
    """DNS over TCP (RFC 1035 section 4.2.2)."""
    if usual_port:
        return int(_usual_stream(h, n))
    return int(_unusual_stream(h, n))


@helper
def _usual_stream(h: Ints, n: int) -> int:
    """Return what begins so on a port of DNS: as Suricata, whatever kind of message the header tells."""
    if n >= 2 and h[0] << 8 | h[1] < _HEADER:
        return _NO
    if n < 2 + _HEADER:
        return _PENDING
    size, questions = h[0] << 8 | h[1], h[6] << 8 | h[7]
    records = questions + (h[8] << 8 | h[9]) + (h[10] << 8 | h[11]) + (h[12] << 8 | h[13])
    if 2 * records > size:
        return _NO
    named = questions > 0 and n > 2 + _HEADER and size > _HEADER
    return _NO if named and 63 < h[2 + _HEADER] < 192 else DNS


@helper
def _unusual_stream(h: Ints, n: int) -> int:
    """Return what begins so elsewhere: one question, nothing else in a query, a first label as host names have it."""
    if n < 2:
        return _PENDING if h[0] <= 16 else _NO
    size = h[0] << 8 | h[1]
    if size < 17 or size > 4351:
        return _NO
    reply = n > 4 and h[4] >= 128
    if n > 4 and h[4] >> 3 & 15 != 0:
        return _NO
    if n > 5 and (h[5] & 64 != 0 or h[5] & 15 > 10):
        return _NO
    if n > 7 and h[6] << 8 | h[7] != 1:
        return _NO
    if n > 11 and not reply and h[8] | h[9] | h[10] | h[11] != 0:
        return _NO
    if n < 14:
        return _PENDING
    additional = h[12] << 8 | h[13]
    if (h[8] << 8 | h[9]) * 11 + (h[10] << 8 | h[11]) * 11 + additional * 11 + 5 > size - 12:
        return _NO
    if not reply and additional > 2:
        return _NO
    if n < 15:
        return _PENDING
    label = h[14]
    if label == 0 or label > 63 or label + 17 > size:
        return _NO
    for j in range(15, min(n, 15 + label)):
        if not _is_label_char(h[j]):
            return _NO
    return DNS if n >= min(15 + label, _HEAD) else _PENDING


@helper
def _question_end(buf: Bytes, pos: int, end: int) -> int:
    """Return the offset behind the first question's name, -1 where it leaves the datagram or its limits."""
    start = pos
    while pos < end:
        label = np.int64(buf[pos])
        if label == 0:
            return pos + 1
        if label > 63:
            return -1
        pos += int(label) + 1
        if pos - start > 255:
            return -1
    return -1


@helper
def _name_end(buf: Bytes, pos: int, start: int, end: int) -> int:
    """Return the offset behind a name that may go on elsewhere in the message, _BAD, or _CUT where it breaks off."""
    behind = _BAD
    labels = 0
    while pos < end:
        kind = np.int64(buf[pos])
        if kind == 0:
            return int(behind) if behind >= 0 else pos + 1
        labels += 1
        if labels > _LABELS:
            return _BAD
        if kind < 64:
            pos += int(kind) + 1
        elif kind < 192:
            return _BAD
        elif pos + 2 > end:
            return _CUT
        else:
            if behind < 0:
                behind = pos + 2
            pos = start + (_u16(buf, pos) & 0x3FFF)
            if pos >= end:
                return _BAD
    return _CUT


@helper
def _is_readable(buf: Bytes, pos: int, size: int) -> bool:
    """Look at the header alone, and whether a name is none: a datagram may break off."""
    questions = _u16(buf, pos + 4)
    records = questions + _u16(buf, pos + 6) + _u16(buf, pos + 8) + _u16(buf, pos + 10)
    end = pos + size
    if 12 + 2 * records > size:
        return False
    at = pos + 12
    for i in range(records):
        at = _name_end(buf, at, pos, end)
        if at < 0:
            return bool(at == _CUT)
        at += 4 if i < questions else 10
        if at > end:
            return True
        if i >= questions:
            at += _u16(buf, at - 2)
    return True


@helper
def datagram(buf: Bytes, pos: int, size: int, usual_port: bool) -> bool:
    """DNS message (RFC 1035 section 4.1): what can be read on a usual port, one whole sane question on others."""
    if size < 12:
        return False
    if usual_port:
        return bool(_is_readable(buf, pos, size))
    flags = _u16(buf, pos + 2)
    opcode = flags >> 11 & 15
    questions = _u16(buf, pos + 4)
    answers = _u16(buf, pos + 6)
    authority = _u16(buf, pos + 8)
    additional = _u16(buf, pos + 10)
    if questions != 1 or opcode != 0 or flags & 0x40 != 0 or size < 17:
        return False
    if 17 + 11 * (answers + authority + additional) > size:
        return False
    if flags < 0x8000 and (answers + authority != 0 or additional > 2):
        return False
    end = pos + size
    name_end = _question_end(buf, pos + 12, end)
    if name_end < 0 or name_end + 4 > end:
        return False
    qtype = _u16(buf, name_end)
    qclass = _u16(buf, name_end + 2) & 0x7FFF
    known_type = 1 <= qtype <= 65 or qtype == 99 or 249 <= qtype <= 260 or qtype in (32768, 32769)
    if not known_type or qclass not in (1, 3, 4, 254, 255):
        return False
    return bool(name_end + 4 == end or answers + authority + additional > 0)
