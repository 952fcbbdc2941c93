"""Reading certificates where they stand: names, serial number and fingerprint as text (RFC 5280 section 4.1)."""

import numpy as np

from sensor.model.frames import UNKNOWN
from sensor.model.jit import helper
from sensor.model.kernels_bytes import u24
from sensor.proto.kernels_digest import sha1
from sensor.proto.kernels_parts import decimal, put
from sensor.proto.tls import parts as p

LABEL = np.dtype([("oid", "<i4"), ("oid_size", "<i4"), ("at", "<i4"), ("size", "<i4")])
"""An attribute of a distinguished name: its DER contents and its label, in one pool."""

LIST = 1024
"""Bytes of a list of numbers, and of a name, as text; what is longer is left to the parser."""
_ATTRIBUTES = 48
_SERIAL = 40
_OID_BYTES, _ARC, _LABEL_BYTES = 12, 2**31, 80
"""Of an object identifier without a label; the last one is what either takes as text."""
_SEQUENCE, _SET, _OID, _INTEGER, _VERSION = 0x30, 0x31, 0x06, 0x02, 0xA0
_OPENING = np.frombuffer(b"OID(", np.uint8)
_DIGITS = np.frombuffer(b"0123456789ABCDEF", np.uint8)


@helper
def _element(data, at, end):  # pragma: no cover
    """Read a DER element (X.690 section 8.1): its tag and where its contents begin and end; -1: it is none."""
    if at + 2 > end:
        return np.int64(-1), at, at
    tag, size = np.int64(data[at]), np.int64(data[at + 1])
    if tag & 0x1F == 0x1F or size == 0x80 or size > 0x84:
        return np.int64(-1), at, at
    at += 2
    if size > 0x80:
        wide = size & 0x7F
        if at + wide > end:
            return np.int64(-1), at, at
        size = np.int64(0)
        for x in range(wide):
            size = size << 8 | np.int64(data[at + x])
        at += wide
    if at + size > end:
        return np.int64(-1), at, at
    return tag, at, at + size


@helper
def _label(data, start, end, labels, pool):  # pragma: no cover
    """Return the number of an attribute's label; -1: it has none."""
    for k in range(labels.size):
        if labels[k]["oid_size"] != end - start:
            continue
        at = labels[k]["oid"]
        same = True
        for x in range(end - start):
            if data[start + x] != pool[at + x]:
                same = False
                break
        if same:
            return k
    return -1


@helper
def _dotted(data, start, end, text, to):  # pragma: no cover
    """Write an object identifier that has no label (X.690 section 8.19); return where it ends, -1: it is not plain."""
    if start == end or end - start > _OID_BYTES or data[end - 1] > 127:
        return np.int64(-1)
    for x in range(4):
        text[to + x] = _OPENING[x]
    to += 4
    value = np.int64(0)
    first = True
    for x in range(start, end):
        value = value << 7 | np.int64(data[x] & 127)
        if value > _ARC:
            return np.int64(-1)
        if data[x] > 127:
            continue
        if first:
            opening = value // 40 if value < 80 else np.int64(2)
            text[to] = 48 + opening
            to += 1
            value -= 40 * opening
        first = False
        text[to] = 46
        to = decimal(value, text, to + 1)
        value = np.int64(0)
    text[to] = 41
    return to + 1


@helper
def _attribute(data, at, end, labels, pool, text, to, limit):  # pragma: no cover
    """Write `CN=value`; return where it ends, -1: it is not plain."""
    tag, begin, behind = _element(data, at, end)
    if tag != _OID:
        return np.int64(-1)
    k = _label(data, begin, behind, labels, pool)
    tag, start, stop = _element(data, behind, end)
    text_type = tag == 0x0C or 0x12 <= tag <= 0x16 or tag in (0x19, 0x1A, 0x1B)
    if not text_type or to + _LABEL_BYTES + stop - start > limit:
        return np.int64(-1)
    if k < 0:
        to = _dotted(data, begin, behind, text, to)
        if to < 0:
            return to
    else:
        for x in range(labels[k]["size"]):
            text[to + x] = pool[labels[k]["at"] + x]
        to += np.int64(labels[k]["size"])
    text[to] = 61
    to += 1
    for x in range(start, stop):
        if data[x] > 127:
            return np.int64(-1)
        text[to] = data[x]
        to += 1
    return to


@helper
def _joint(char, text, to):  # pragma: no cover
    """Write what stands between two attributes; return where it ends."""
    if char == 43:
        text[to] = 32
        to += 1
    text[to], text[to + 1] = char, 32
    return to + 2


@helper
def _name(data, at, end, labels, pool, text, to):  # pragma: no cover
    """Write a distinguished name; return where it ends, -1: it is not plain."""
    limit = to + LIST
    count = 0
    begun = False
    while at < end:
        tag, start, at = _element(data, at, end)
        if tag != _SET or start == at or to + 2 > limit:
            return np.int64(-1)
        if begun:
            to = _joint(44, text, to)
        begun = True
        first = True
        while start < at:
            tag, inner, start = _element(data, start, at)
            if tag != _SEQUENCE or count == _ATTRIBUTES or to + 3 > limit:
                return np.int64(-1)
            if not first:
                to = _joint(43, text, to)
            first = False
            to = _attribute(data, inner, start, labels, pool, text, to, limit)
            if to < 0:
                return to
            count += 1
    return to


@helper
def _named(part, start, end, f):  # pragma: no cover
    """Note a text; an empty one is none."""
    if end > start:
        put(f, part, start, end)
    return end


@helper
def _leaf(data, start, end, f, asked, labels, pool, w, text, filled):  # pragma: no cover
    """Note what a certificate says (RFC 5280 section 4.1); return where the text ends now, -1: it is not plain."""
    tag, at, stop = _element(data, start, end)
    if tag != _SEQUENCE:
        return np.int64(-1)
    tag, at, stop = _element(data, at, stop)
    if tag != _SEQUENCE:
        return np.int64(-1)
    tag, begin, at = _element(data, at, stop)
    if tag == _VERSION:
        tag, begin, at = _element(data, at, stop)
    if tag != _INTEGER or at - begin > _SERIAL:
        return np.int64(-1)
    to = filled
    for x in range(begin, at):
        if x > begin:
            text[to] = 58
            to += 1
        text[to], text[to + 1] = _DIGITS[data[x] >> 4], _DIGITS[data[x] & 15]
        to += 2
    filled = _named(p.SERIAL, filled, to, f)
    for step in range(4):
        tag, begin, at = _element(data, at, stop)
        if tag != _SEQUENCE:
            return np.int64(-1)
        if step in (1, 3):
            part = p.ISSUER if step == 1 else p.SUBJECT
            to = _name(data, begin, at, labels, pool, text, filled)
            if to < 0:
                return to
            filled = _named(part, filled, to, f)
    if asked[p.FINGERPRINT]:
        sha1(data, start, end, w, text, filled)
        put(f, p.FINGERPRINT, filled, filled + 59)
        filled += 59
    else:
        put(f, p.FINGERPRINT, UNKNOWN, UNKNOWN)
    put(f, p.NAMES, UNKNOWN, UNKNOWN)
    return filled


@helper
def chain_of(data, at, end, f, asked, labels, pool, w, text, filled):  # pragma: no cover
    """Note what a list of certificates says; return where the text ends now, -1: it is not plain."""
    if at + 3 > end:
        return np.int64(-1)
    at += 3
    if at == end:
        return filled
    first, size = at + 3, np.int64(0)
    leaf_end = np.int64(-1)
    while at < end:
        if at + 3 > end:
            return np.int64(-1)
        size = u24(data, at)
        at += 3 + size
        if at > end:
            return np.int64(-1)
        if leaf_end < 0:
            leaf_end = at
    put(f, p.CERTS, first, end)
    return _leaf(data, first, leaf_end, f, asked, labels, pool, w, text, filled)
