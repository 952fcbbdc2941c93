"""Cutting the gathered bytes of TLS streams into frames: hellos and certificates of handshakes that begin plainly."""

import numba
import numpy as np
from numba.types import int64

from sensor.model.frames import ABSENT, APART, CONTINUED, FRAME, PARTS, UNKNOWN
from sensor.model.jit import allocating_kernel, helper
from sensor.model.kernels_bytes import u16, u24
from sensor.model.rows import FLOW
from sensor.model.units import UNIT
from sensor.proto.kernels_digest import md5
from sensor.proto.kernels_parts import REFUSED, clear, decimal, own, put, refuse
from sensor.proto.tls import parts as p
from sensor.proto.tls.kernels_certificates import LABEL, LIST, chain_of

_FOREVER = np.int64(1) << 60
"""The next record of a side of which nothing else is read."""
_CHANGED, _DATA, _HELLO, _CHAIN, _SHUT = 1, 2, 4, 8, 16
"""What a side has sent (bits): change_cipher_spec, application data, a hello, certificates. SHUT: it encrypts, unless
the server has chosen TLS 1.3."""
_OLD, _NEW = 1, 2
"""What is known of the version that the server has chosen: up to TLS 1.2, TLS 1.3."""
_ENCRYPTED = 128
"""Records of application data of a side after which the parser has long given up the other one."""
_MAX_RECORD = 16384 + 1024
_TEXT = 8192
"""Bytes of text that one frame may take."""
_EXTENSIONS = 128
_CERTIFICATE = 11
_KNOWN = (0, 1, 2, 3, 4, 5, 6, 8, 11, 12, 13, 14, 15, 16, 20, 21, 22, 23, 24, 25, 67, 203, 254)
"""Handshake types, as the parser knows them."""
_WORDS = np.frombuffer(b"sslv2sslv31.01.11.21.3", np.uint8)

_UNITS, _FLOWS, _FRAMES = numba.from_dtype(UNIT)[::1], numba.from_dtype(FLOW)[::1], numba.from_dtype(FRAME)[::1]
_LABELS = numba.from_dtype(LABEL)[::1]
_U1, _I4, _I8, _U8 = numba.uint8[::1], numba.int32[::1], int64[::1], numba.uint64[::1]


@helper
def _is_grease(value):  # pragma: no cover
    return value & 0x0F0F == 0x0A0A and value >> 8 == value & 0xFF


@helper
def _is_new(version):  # pragma: no cover
    """Tell TLS 1.3 and its drafts."""
    return version == 0x0304 or version >> 8 in (0x7F, 0xFB)


@helper
def _listed(value, begin, text, at):  # pragma: no cover
    """Write a number behind those of a list that begins at `begin`, not GREASE; return where it ends, -1: no room."""
    if _is_grease(value):
        return at
    if at + 7 > begin + LIST:
        return np.int64(-1)
    if at > begin:
        text[at] = 45
        at += 1
    return decimal(value, text, at)


@helper
def _dashed(data, start, size, width, text, at):  # pragma: no cover
    """Write numbers of one or two bytes; return where they end, -1: there are too many."""
    begin = at
    for k in range(start, start + size - width + 1, width):
        at = _listed(u16(data, k) if width == 2 else np.int64(data[k]), begin, text, at)
        if at < 0:
            return at
    return at


@helper
def _hashed(text, start, end, f, asked, w, filled):  # pragma: no cover
    """Note a fingerprint's text and write its hash, if rules ask for it; return where the text ends now."""
    put(f, p.JA3, start, end)
    if asked[p.JA3_HASH]:
        md5(text, start, end, w, text, filled)
        put(f, p.JA3_HASH, filled, filled + 32)
        filled += 32
    return filled


@helper
def _spoken(version, f, text, filled):  # pragma: no cover
    """Write a version as rules name it, if it is one of the usual; return where the text ends now."""
    if version in (2, 0x0300):
        at, size = (0 if version == 2 else 5), 5
    elif 0x0301 <= version <= 0x0304:
        at, size = 10 + 3 * (version - 0x0301), 3
    else:
        if version >> 8 in (0x7F, 0xFB):  # drafts and experiments
            put(f, p.VERSION, UNKNOWN, UNKNOWN)
        return filled
    for x in range(size):
        text[filled + x] = _WORDS[at + x]
    put(f, p.VERSION, filled, filled + size)
    return filled + size


@helper
def _extensions(data, at, end, found):  # pragma: no cover
    """Note where extensions stand; return how many there are, -1: they are damaged, or too many.

    found: int32[k, 3], type, begin and end of the contents of each.
    """
    n = 0
    if at == end:
        return n
    if at + 2 > end or at + 2 + u16(data, at) > end:
        return -1
    end = at + 2 + u16(data, at)
    at += 2
    while at < end:
        if at + 4 > end or at + 4 + u16(data, at + 2) > end or n == found.shape[0]:
            return -1
        found[n, 0], found[n, 1] = u16(data, at), at + 4
        at += 4 + u16(data, at + 2)
        found[n, 2] = at
        n += 1
    return n


@helper
def _sole(found, n, kind):  # pragma: no cover
    """Return the number of the one extension of a type; -1: there is none, -2: there are several."""
    at = -1
    for k in range(n):
        if found[k, 0] == kind:
            if at >= 0:
                return -2
            at = k
    return at


@helper
def _inner(data, found, k, width):  # pragma: no cover
    """Return where a list in an extension begins and how many bytes it has; -1: it does not fit.

    width: bytes of its length.
    """
    start, end = np.int64(found[k, 1]), np.int64(found[k, 2])
    if start + width > end:
        return start, np.int64(-1)
    size = u16(data, start) if width == 2 else np.int64(data[start])
    start += width
    return start, size if start + size <= end else np.int64(-1)


@helper
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
    size = u16(data, start + 3)
    if size == 0 or start + 5 + size > end:
        return False
    put(f, p.SNI, start + 5, start + 5 + size)
    return True


@helper
def _types(found, n, text, at):  # pragma: no cover
    """Write the types of extensions; return where they end, -1: there are too many."""
    begin = at
    for k in range(n):
        at = _listed(np.int64(found[k, 0]), begin, text, at)
        if at < 0:
            return at
    return at


@helper
def _extension(data, found, n, kind, width, text, at):  # pragma: no cover
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


@helper
def _offered(data, found, n, version):  # pragma: no cover
    """Return the version that a client prefers; -1: what it says of it is not plain."""
    k = _sole(found, n, 43)
    if k < 0:
        return version if k == -1 else np.int64(-1)
    start, size = _inner(data, found, k, 1)
    if size < 0:
        return np.int64(-1)
    for x in range(start, start + size - 1, 2):
        one = u16(data, x)
        if one == 2 or 0x0300 <= one <= 0x0304 or one >> 8 in (0x7F, 0xFB):
            return one
    return version


@helper
def _client(data, at, end, f, asked, found, w, text, filled):  # pragma: no cover
    """Note what a client's hello says; return where the text ends now, -1: it is not plain."""
    if at + 35 > end or at + 35 + np.int64(data[at + 34]) + 2 > end:
        return np.int64(-1)
    version = u16(data, at)
    ciphers = at + 35 + np.int64(data[at + 34])
    size = u16(data, ciphers)
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
    to = decimal(version, text, start)
    text[to] = 44
    to = _dashed(data, ciphers, size, 2, text, to + 1)
    if to >= 0:
        text[to] = 44
        to = _types(found, n, text, to + 1)
    if to >= 0:
        to = _extension(data, found, n, 10, 2, text, to)
    if to >= 0:
        to = _extension(data, found, n, 11, 1, text, to)
    return to if to < 0 else _hashed(text, start, to, f, asked, w, to)


@helper
def _server(data, at, end, f, asked, found, w, text, filled):  # pragma: no cover
    """Note what a server's hello says; return (where the text ends now, the version chosen), -1: it is not plain."""
    if at + 35 > end or data[at] == 0x7F or at + 35 + np.int64(data[at + 34]) + 3 > end:
        return np.int64(-1), np.int64(-1)
    version = u16(data, at)
    cipher = at + 35 + np.int64(data[at + 34])
    n = _extensions(data, cipher + 3, end, found)
    if n < 0:
        return np.int64(-1), np.int64(-1)
    chosen = version
    k = _sole(found, n, 43)
    if k == -2 or (k >= 0 and found[k, 1] + 2 > found[k, 2]):
        return np.int64(-1), np.int64(-1)
    if k >= 0 and u16(data, found[k, 1]):
        chosen = u16(data, found[k, 1])
    if asked[p.VERSION]:
        filled = _spoken(chosen, f, text, filled)
    if asked[p.JA3] or asked[p.JA3_HASH]:
        start = filled
        to = decimal(version, text, start)
        text[to] = 44
        to = decimal(u16(data, cipher), text, to + 1)
        text[to] = 44
        to = _types(found, n, text, to + 1)
        if to < 0:
            return to, np.int64(-1)
        filled = _hashed(text, start, to, f, asked, w, to)
    return filled, chosen


@helper
def _begin(f, unit, side, tile, at, stop, chain):  # pragma: no cover
    """Begin a frame: of certificates (chain) or a hello. tile: behind the frame before it."""
    clear(f, unit, side, tile, APART)
    f["head"], f["last"] = at, stop
    first, end = (p.OF_CERTIFICATE, PARTS) if chain else (p.OF_HELLO, p.OF_CERTIFICATE)
    f["at"][first:end] = f["to"][first:end] = ABSENT
    if not chain:
        f["at"][p.HELLO] = f["at"][p.VERSION] = f["at"][p.JA3] = f["at"][p.JA3_HASH] = UNKNOWN


@helper
def _messages(data, at, end, unit, side, sent, tile, asked, labels, pool, found, w, text, filled, frames,
              n):  # pragma: no cover  # fmt: skip
    """Write the frames of a record of handshake messages; return (frames, bytes of text, what the side has sent, tile).

    Then the version that the server chose, -1: unknown. The first is -1 where something is not plain.
    """
    chosen = np.int64(-1)
    while at < end:
        if at + 4 > end:
            return np.int64(-1), filled, sent, tile, chosen
        kind, stop = np.int64(data[at]), at + 4 + u24(data, at + 1)
        if stop > end or kind not in _KNOWN:
            return np.int64(-1), filled, sent, tile, chosen
        hello = kind == side + 1 and sent & _HELLO == 0
        if hello or kind == _CERTIFICATE:
            if n + 2 > frames.size or filled + _TEXT > text.size or (not hello and sent & _CHAIN):
                return np.int64(-1), filled, sent, tile, chosen
            f = frames[n]
            _begin(f, unit, side, tile, at, stop, not hello)
            if not hello:
                filled = chain_of(data, at + 4, stop, f, asked, labels, pool, w, text, filled)
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


@helper
def _is_hello_again(data, at, stop, end, side):  # pragma: no cover
    """Tell whether a record is one hello of its side: it says nothing new, whether it is read or not."""
    return stop <= end and at + 4 <= stop and data[at] == side + 1 and at + 4 + u24(data, at + 1) == stop


@helper
def _encrypts(sent, version):  # pragma: no cover
    """Tell whether a side has begun to encrypt, as the parser sees it at the latest."""
    return sent & _DATA != 0 or (version & _OLD != 0 and sent & (_CHANGED | _SHUT) != 0)


@helper
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
        kind, stop = np.int64(data[at]), at + 5 + u16(data, at + 3)
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


@allocating_kernel(
    int64(_U1, _UNITS, _U1, _FLOWS, _U8, _I8, _I8, _I8, _I8, _U1, _LABELS, _U1, _FRAMES, _U1, _I4, _U1, _I4)
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
        if own(flows, slot, owner, following):
            version[slot] = 0
            for k in range(2 * slot, 2 * slot + 2):
                sent[k] = counts[k] = 0
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
                if both:
                    following[2 * slot] = following[2 * slot + 1] = _FOREVER
                    over[ended] = slot
                    ended += 1
                continue
        verdict[u] = REFUSED
        refuse(slot, following)
    first[units.size] = n
    # The other side's hello may stand in this block, behind a unit that has told enough.
    for u in range(units.size):
        slot = np.int64(units[u]["flow"])
        if not picked[u] or following[2 * slot] < 0 or following[2 * slot + 1] < 0:
            continue
        known = following[2 * slot] == _FOREVER and following[2 * slot + 1] == _FOREVER
        if not known and (counts[2 * slot] > _ENCRYPTED or counts[2 * slot + 1] > _ENCRYPTED):
            following[2 * slot] = following[2 * slot + 1] = _FOREVER
            over[ended] = slot
            ended += 1
    if ended < over.size:
        over[ended] = -1
    return n
