"""Cutting the gathered bytes of TLS streams into frames: hellos and certificates of handshakes that begin plainly."""

import numba
import numpy as np
from numba import njit
from numba.types import int64

from sensor.model.frames import ABSENT, APART, CONTINUED, FRAME, PARTS, UNKNOWN
from sensor.model.rows import FLOW
from sensor.model.units import UNIT
from sensor.proto.kernels_digest import md5, sha1
from sensor.proto.kernels_parts import clear, put
from sensor.proto.tls import parts as p

LABEL = np.dtype([("oid", "<i4"), ("oid_size", "<i4"), ("at", "<i4"), ("size", "<i4")])
"""An attribute of a distinguished name: its DER contents and its label, in one pool."""

REFUSED = 1
"""Verdict on a unit: it holds what is no plain handshake."""
_FOREVER = np.int64(1) << 60
"""The next record of a side of which nothing else is read."""
_CHANGED, _DATA, _HELLO, _CHAIN, _SHUT = 1, 2, 4, 8, 16
"""What a side has sent (bits): change_cipher_spec, application data, a hello, certificates. SHUT: it encrypts, unless
the server has chosen TLS 1.3."""
_OLD, _NEW = 1, 2
"""What is known of the version that the server has chosen: up to TLS 1.2, TLS 1.3."""
_ENCRYPTED = 128
"""Records of application data of a side after which the parser has long given up the other one."""
_MAX_RECORD = 16384 + 2048
_TEXT = 8192
"""Bytes of text that one frame may take."""
_LIST = 1024
"""Bytes of a list of numbers, and of a name, as text; what is longer is left to the parser."""
_EXTENSIONS = 128
_ATTRIBUTES = 48
_SERIAL = 40
_OID_BYTES, _ARC, _LABEL_BYTES = 12, 2**31, 80
"""Of an object identifier without a label; the last one is what either takes as text."""
_CERTIFICATE = 11
_KNOWN = (0, 1, 2, 3, 4, 5, 6, 8, 11, 12, 13, 14, 15, 16, 20, 21, 22, 23, 24, 25, 67, 203, 254)
"""Handshake types, as the parser knows them."""
_SEQUENCE, _SET, _OID, _INTEGER, _VERSION = 0x30, 0x31, 0x06, 0x02, 0xA0
_WORDS = np.frombuffer(b"sslv2sslv31.01.11.21.3", np.uint8)
_OPENING = np.frombuffer(b"OID(", np.uint8)
_DIGITS = np.frombuffer(b"0123456789ABCDEF", np.uint8)

_UNITS, _FLOWS, _FRAMES = numba.from_dtype(UNIT)[::1], numba.from_dtype(FLOW)[::1], numba.from_dtype(FRAME)[::1]
_LABELS = numba.from_dtype(LABEL)[::1]
_U1, _I4, _I8, _U8 = numba.uint8[::1], numba.int32[::1], int64[::1], numba.uint64[::1]


@njit
def _u16(data, at):  # pragma: no cover
    return np.int64(data[at]) << 8 | np.int64(data[at + 1])


@njit
def _u24(data, at):  # pragma: no cover
    return np.int64(data[at]) << 16 | np.int64(data[at + 1]) << 8 | np.int64(data[at + 2])


@njit
def _is_grease(value):  # pragma: no cover
    return value & 0x0F0F == 0x0A0A and value >> 8 == value & 0xFF


@njit
def _is_new(version):  # pragma: no cover
    """Tell TLS 1.3 and its drafts."""
    return version == 0x0304 or version >> 8 in (0x7F, 0xFB)


@njit
def _decimal(value, text, at):  # pragma: no cover
    """Write a number of 32 bits; return where it ends."""
    scale = 10000 if value < 100000 else 1000000000
    while scale > 1 and value < scale:
        scale //= 10
    while scale:
        text[at] = 48 + value // scale % 10
        at += 1
        scale //= 10
    return at


@njit
def _dashed(data, start, size, width, text, at):  # pragma: no cover
    """Write numbers of one or two bytes, GREASE of two left out; return where they end, -1: there are too many."""
    limit = at + _LIST
    first = True
    for k in range(start, start + size - width + 1, width):
        value = _u16(data, k) if width == 2 else np.int64(data[k])
        if width == 2 and _is_grease(value):
            continue
        if at + 7 > limit:
            return np.int64(-1)
        if not first:
            text[at] = 45
            at += 1
        first = False
        at = _decimal(value, text, at)
    return at


@njit
def _hashed(text, start, end, f, asked, w, filled):  # pragma: no cover
    """Note a fingerprint's text and write its hash, if rules ask for it; return where the text ends now."""
    put(f, p.JA3, start, end)
    if asked[p.JA3_HASH]:
        md5(text, start, end, w, text, filled)
        put(f, p.JA3_HASH, filled, filled + 32)
        filled += 32
    return filled


@njit
def _spoken(version, f, text, filled):  # pragma: no cover
    """Write a version as rules name it, if it is one of the usual; return where the text ends now."""
    if version in (2, 0x0300):
        at, size = (0 if version == 2 else 5), 5
    elif 0x0301 <= version <= 0x0304:
        at, size = 10 + 3 * (version - 0x0301), 3
    else:
        return filled
    for x in range(size):
        text[filled + x] = _WORDS[at + x]
    put(f, p.VERSION, filled, filled + size)
    return filled + size


@njit
def _extensions(data, at, end, found):  # pragma: no cover
    """Note where extensions stand; return how many there are, -1: they are damaged, or too many.

    found: int32[k, 3], type, begin and end of the contents of each.
    """
    n = 0
    if at == end:
        return n
    if at + 2 > end or at + 2 + _u16(data, at) > end:
        return -1
    end = at + 2 + _u16(data, at)
    at += 2
    while at < end:
        if at + 4 > end or at + 4 + _u16(data, at + 2) > end or n == found.shape[0]:
            return -1
        found[n, 0], found[n, 1] = _u16(data, at), at + 4
        at += 4 + _u16(data, at + 2)
        found[n, 2] = at
        n += 1
    return n


@njit
def _sole(found, n, kind):  # pragma: no cover
    """Return the number of the one extension of a type; -1: there is none, -2: there are several."""
    at = -1
    for k in range(n):
        if found[k, 0] == kind:
            if at >= 0:
                return -2
            at = k
    return at


@njit
def _inner(data, found, k, width):  # pragma: no cover
    """Return where a list in an extension begins and how many bytes it has; -1: it does not fit.

    width: bytes of its length.
    """
    start, end = np.int64(found[k, 1]), np.int64(found[k, 2])
    if start + width > end:
        return start, np.int64(-1)
    size = _u16(data, start) if width == 2 else np.int64(data[start])
    start += width
    return start, size if start + size <= end else np.int64(-1)


@njit
def _server_name(data, found, n, f):  # pragma: no cover
    """Note the server name of a hello; return whether it is plain."""
    k = _sole(found, n, 0)
    if k < 0:
        return k == -1
    start, end = np.int64(found[k, 1]), np.int64(found[k, 2])
    if start == end:
        return True
    if start + 5 > end or data[start + 2] != 0:
        return False
    size = _u16(data, start + 3)
    if size == 0 or start + 5 + size > end:
        return False
    put(f, p.SNI, start + 5, start + 5 + size)
    return True


@njit
def _types(found, n, text, at):  # pragma: no cover
    """Write the types of extensions; return where they end, -1: there are too many."""
    limit = at + _LIST
    first = True
    for k in range(n):
        kind = np.int64(found[k, 0])
        if _is_grease(kind):
            continue
        if at + 7 > limit:
            return np.int64(-1)
        if not first:
            text[at] = 45
            at += 1
        first = False
        at = _decimal(kind, text, at)
    return at


@njit
def _listed(data, found, n, kind, width, text, at):  # pragma: no cover
    """Write a comma and the numbers in the one extension of a type; return where they end, -1: it is not plain.

    width: bytes of a number, and of the list's length.
    """
    text[at] = 44
    at += 1
    k = _sole(found, n, kind)
    if k < 0:
        return np.int64(at if k == -1 else -1)
    start, size = _inner(data, found, k, width)
    return _dashed(data, start, size, width, text, at) if size >= 0 else np.int64(-1)


@njit
def _offered(data, found, n, version):  # pragma: no cover
    """Return the version that a client prefers; -1: what it says of it is not plain."""
    k = _sole(found, n, 43)
    if k < 0:
        return version if k == -1 else np.int64(-1)
    start, size = _inner(data, found, k, 1)
    if size < 0:
        return np.int64(-1)
    for x in range(start, start + size - 1, 2):
        one = _u16(data, x)
        if one == 2 or 0x0300 <= one <= 0x0304:
            return one
    return version


@njit
def _client(data, at, end, f, asked, found, w, text, filled):  # pragma: no cover
    """Note what a client's hello says; return where the text ends now, -1: it is not plain."""
    if at + 35 > end or at + 35 + np.int64(data[at + 34]) + 2 > end:
        return np.int64(-1)
    version = _u16(data, at)
    ciphers = at + 35 + np.int64(data[at + 34])
    size = _u16(data, ciphers)
    ciphers += 2
    after = ciphers + size
    if after + 1 > end or after + 1 + np.int64(data[after]) > end:
        return np.int64(-1)
    n = _extensions(data, after + 1 + np.int64(data[after]), end, found)
    if n < 0 or not _server_name(data, found, n, f):
        return np.int64(-1)
    if asked[p.VERSION]:
        preferred = _offered(data, found, n, version)
        if preferred < 0:
            return preferred
        filled = _spoken(preferred, f, text, filled)
    if not (asked[p.JA3] or asked[p.JA3_HASH]):
        return filled
    start = filled
    to = _decimal(version, text, start)
    text[to] = 44
    to = _dashed(data, ciphers, size, 2, text, to + 1)
    if to >= 0:
        text[to] = 44
        to = _types(found, n, text, to + 1)
    if to >= 0:
        to = _listed(data, found, n, 10, 2, text, to)
    if to >= 0:
        to = _listed(data, found, n, 11, 1, text, to)
    return to if to < 0 else _hashed(text, start, to, f, asked, w, to)


@njit
def _server(data, at, end, f, asked, found, w, text, filled):  # pragma: no cover
    """Note what a server's hello says; return (where the text ends now, the version chosen), -1: it is not plain."""
    if at + 35 > end or data[at] == 0x7F or at + 35 + np.int64(data[at + 34]) + 3 > end:
        return np.int64(-1), np.int64(-1)
    version = _u16(data, at)
    cipher = at + 35 + np.int64(data[at + 34])
    n = _extensions(data, cipher + 3, end, found)
    if n < 0:
        return np.int64(-1), np.int64(-1)
    chosen = version
    k = _sole(found, n, 43)
    if k == -2 or (k >= 0 and found[k, 1] + 2 > found[k, 2]):
        return np.int64(-1), np.int64(-1)
    if k >= 0 and _u16(data, found[k, 1]):
        chosen = _u16(data, found[k, 1])
    if asked[p.VERSION]:
        filled = _spoken(chosen, f, text, filled)
    if asked[p.JA3] or asked[p.JA3_HASH]:
        start = filled
        to = _decimal(version, text, start)
        text[to] = 44
        to = _decimal(_u16(data, cipher), text, to + 1)
        text[to] = 44
        to = _types(found, n, text, to + 1)
        if to < 0:
            return to, np.int64(-1)
        filled = _hashed(text, start, to, f, asked, w, to)
    return filled, chosen


@njit
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


@njit
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


@njit
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
        to = _decimal(value, text, to + 1)
        value = np.int64(0)
    text[to] = 41
    return to + 1


@njit
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


@njit
def _joint(char, text, to):  # pragma: no cover
    """Write what stands between two attributes; return where it ends."""
    if char == 43:
        text[to] = 32
        to += 1
    text[to], text[to + 1] = char, 32
    return to + 2


@njit
def _name(data, at, end, labels, pool, text, to):  # pragma: no cover
    """Write a distinguished name; return where it ends, -1: it is not plain."""
    limit = to + _LIST
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


@njit
def _named(part, start, end, f):  # pragma: no cover
    """Note a text; an empty one is none."""
    if end > start:
        put(f, part, start, end)
    return end


@njit
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


@njit
def _chain(data, at, end, f, asked, labels, pool, w, text, filled):  # pragma: no cover
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
        size = _u24(data, at)
        at += 3 + size
        if at > end:
            return np.int64(-1)
        if leaf_end < 0:
            leaf_end = at
    put(f, p.CERTS, first, end)
    return _leaf(data, first, leaf_end, f, asked, labels, pool, w, text, filled)


@njit
def _begin(f, unit, side, tile, at, stop, chain):  # pragma: no cover
    """Begin a frame: of certificates (chain) or a hello. tile: behind the frame before it."""
    clear(f, unit, side, tile, APART)
    f["head"], f["last"] = at, stop
    first, end = (p.OF_CERTIFICATE, PARTS) if chain else (p.OF_HELLO, p.OF_CERTIFICATE)
    f["at"][first:end] = f["to"][first:end] = ABSENT
    if not chain:
        f["at"][p.HELLO] = f["at"][p.VERSION] = f["at"][p.JA3] = f["at"][p.JA3_HASH] = UNKNOWN


@njit
def _messages(data, at, end, unit, side, sent, tile, asked, labels, pool, found, w, text, filled, frames,
              n):  # pragma: no cover  # fmt: skip
    """Write the frames of a record of handshake messages; return (frames, bytes of text, what the side has sent, tile).

    Then the version that the server chose, -1: unknown. The first is -1 where something is not plain.
    """
    chosen = np.int64(-1)
    while at < end:
        if at + 4 > end:
            return np.int64(-1), filled, sent, tile, chosen
        kind, stop = np.int64(data[at]), at + 4 + _u24(data, at + 1)
        if stop > end or kind not in _KNOWN:
            return np.int64(-1), filled, sent, tile, chosen
        hello = kind == side + 1 and sent & _HELLO == 0
        if hello or kind == _CERTIFICATE:
            if n + 2 > frames.size or filled + _TEXT > text.size or (not hello and sent & _CHAIN):
                return np.int64(-1), filled, sent, tile, chosen
            f = frames[n]
            _begin(f, unit, side, tile, at, stop, not hello)
            if not hello:
                filled = _chain(data, at + 4, stop, f, asked, labels, pool, w, text, filled)
            elif side == 0:
                filled = _client(data, at + 4, stop, f, asked, found, w, text, filled)
            else:
                filled, chosen = _server(data, at + 4, stop, f, asked, found, w, text, filled)
            if filled < 0:
                return np.int64(-1), filled, sent, tile, chosen
            sent |= _HELLO if hello else _CHAIN
            tile = stop
            n += 1
        at = stop
    return n, filled, sent, tile, chosen


@njit
def _is_hello_again(data, at, stop, end, side):  # pragma: no cover
    """Tell whether a record is one hello of its side: it says nothing new, whether it is read or not."""
    return stop <= end and at + 4 <= stop and data[at] == side + 1 and at + 4 + _u24(data, at + 1) == stop


@njit
def _encrypts(sent, version):  # pragma: no cover
    """Tell whether a side has begun to encrypt, as the parser sees it at the latest."""
    return sent & _DATA != 0 or (version & _OLD != 0 and sent & (_CHANGED | _SHUT) != 0)


@njit
def _unit(data, units, u, at, sent, version, counts, asked, labels, pool, found, w, text, filled, frames,
          n):  # pragma: no cover  # fmt: skip
    """Write the frames of a unit from the record at `at` on.

    Returns (frames, bytes of text, where the next record begins, what the side has sent, what is known of the version);
    the first is -1 where something is not plain.
    """
    side, end, tile = np.int64(units[u]["side"]), np.int64(units[u]["end"]), np.int64(units[u]["start"])
    key = 2 * np.int64(units[u]["flow"]) + side
    while at < end:
        if at + 5 > end or not 20 <= data[at] <= 24 or data[at + 1] != 3:
            return np.int64(-1), filled, at, sent, version
        kind, stop = np.int64(data[at]), at + 5 + _u16(data, at + 3)
        if stop - at - 5 > _MAX_RECORD:
            return np.int64(-1), filled, at, sent, version
        if kind == 20:
            sent |= _CHANGED
        elif kind == 23:
            sent |= _DATA
            counts[key] += 1
            if counts[key] > _ENCRYPTED:
                stop = _FOREVER
        elif kind == 22 and sent & _CHANGED:
            if sent & _HELLO == 0 or not _is_hello_again(data, at + 5, stop, end, side):
                sent |= _SHUT
                stop = _FOREVER
        elif kind == 22:
            if sent & _DATA or stop > end:
                return np.int64(-1), filled, at, sent, version
            n, filled, sent, tile, chosen = _messages(
                data, at + 5, stop, u, side, sent, tile, asked, labels, pool, found, w, text, filled, frames, n
            )
            if n < 0:
                return n, filled, at, sent, version
            if chosen >= 0:
                version |= _NEW if _is_new(chosen) else _OLD
        at = stop
    if tile < end:
        clear(frames[n], u, side, tile, APART)
        frames[n]["last"] = end
        frames[n]["flags"] = CONTINUED
        n += 1
    return n, filled, at, sent, version


@njit(
    int64(_U1, _UNITS, _U1, _FLOWS, _U8, _I8, _I8, _I8, _I8, _U1, _LABELS, _U1, _FRAMES, _U1, _I4, _U1, _I4), cache=True
)
def frame(data, units, picked, flows, owner, following, sent, version, counts, asked, labels, pool, frames, text, first,
          verdict, over):  # pragma: no cover  # fmt: skip
    """Write the frames of the picked units; return how many.

    owner: uint64[slots], one more than the id of the flow that `following` (int64[2 * slots], stream offset of each
    side's next record), `sent`, `counts` (int64[2 * slots]) and `version` (int64[slots]) are about.
    asked: uint8[parts], 1: some rule tests it. labels, pool: attributes of names. first: int32[units + 1] (out), where
    each unit's frames begin. verdict: uint8[units] (out): `REFUSED`, or 0. over: int32[units + 1] (out), slots of flows
    of which nothing that comes can matter any more; behind the last one -1.
    """
    found = np.empty((_EXTENSIONS, 3), np.int32)
    w = np.empty(80, np.int64)
    n = filled = ended = np.int64(0)
    for u in range(units.size):
        first[u] = n
        if not picked[u]:
            continue
        slot, side = np.int64(units[u]["flow"]), np.int64(units[u]["side"])
        key = 2 * slot + side
        fresh, pos = np.int64(units[u]["fresh"]), np.int64(units[u]["pos"])
        if owner[slot] != flows[slot]["id"] + np.uint64(1):
            owner[slot] = flows[slot]["id"] + np.uint64(1)
            version[slot] = 0
            for k in range(2 * slot, 2 * slot + 2):
                following[k] = sent[k] = counts[k] = 0
        at = fresh + (following[key] - pos)
        lost = following[2 * slot] < 0 or following[2 * slot + 1] < 0
        plain = not lost and at >= fresh and n + 2 < frames.size
        if plain and not flows[slot]["gaps"][0] and not flows[slot]["gaps"][1]:
            made, written, at, sent[key], version[slot] = _unit(
                data, units, u, at, sent[key], version[slot], counts, asked, labels, pool, found, w, text, filled,
                frames, n,
            )  # fmt: skip
            shut = (sent[2 * slot] | sent[2 * slot + 1]) & _SHUT
            if made >= 0 and not (version[slot] & _NEW and shut):
                n, filled = made, written
                following[key] = _FOREVER if at >= _FOREVER else pos + (at - fresh)
                both = _encrypts(sent[2 * slot], version[slot]) and _encrypts(sent[2 * slot + 1], version[slot])
                if both or counts[key] > _ENCRYPTED:
                    following[2 * slot] = following[2 * slot + 1] = _FOREVER
                    over[ended] = slot
                    ended += 1
                continue
        verdict[u] = REFUSED
        following[2 * slot] = following[2 * slot + 1] = -1
    first[units.size] = n
    if ended < over.size:
        over[ended] = -1
    return n
