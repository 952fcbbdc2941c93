"""Cutting the gathered bytes of SSH streams into frames: a banner, and the offer of a key exchange."""

import numba
import numpy as np
from numba.types import int64

from sensor.model.frames import ABSENT, APART, CONTINUED, FRAME, UNKNOWN
from sensor.model.jit import allocating_kernel, helper
from sensor.model.kernels_bytes import u32
from sensor.model.rows import FLOW
from sensor.model.units import UNIT
from sensor.proto.kernels_digest import md5
from sensor.proto.kernels_parts import REFUSED, clear, own, put, refuse
from sensor.proto.ssh import parts as p
from sensor.proto.ssh.limits import MAX_BANNER, MAX_PACKET

_FOREVER = np.int64(1) << 60
"""The next packet of a side of which nothing else is read."""
_OFFER = 20
"""SSH_MSG_KEXINIT (RFC 4253 section 7.1)."""
_LISTS = 17
"""Where the name-lists of an offer begin."""
_HASH = 32
_OPENING = b"SSH-"

_UNITS, _FLOWS, _FRAMES = numba.from_dtype(UNIT)[::1], numba.from_dtype(FLOW)[::1], numba.from_dtype(FRAME)[::1]
_U1, _I4, _I8, _U8 = numba.uint8[::1], numba.int32[::1], int64[::1], numba.uint64[::1]


@helper
def _find(data, at, end, char):  # pragma: no cover
    """Return where a byte stands first, `end` where it does not."""
    while at < end and data[at] != char:
        at += 1
    return at


@helper
def _opens(data, at, end):  # pragma: no cover
    """Tell whether an identification string begins here."""
    if at + len(_OPENING) > end:
        return False
    for i in range(len(_OPENING)):  # noqa: SIM110 - no generators in kernels
        if data[at + i] != _OPENING[i]:
            return False
    return True


@helper
def _is_one(data, start, end):  # pragma: no cover
    """Tell SSH 1, which has other packets, from 1.99, which speaks both (RFC 4253 section 5.1)."""
    if end - start < 2 or data[start] != 49 or data[start + 1] != 46:
        return False
    return end - start != 4 or data[start + 2] != 57 or data[start + 3] != 57


@helper
def _banner(data, at, end, f):  # pragma: no cover
    """Note what an identification string (RFC 4253 section 4.2) says; return where it ends, -1: it is not plain."""
    stop = _find(data, at, min(end, at + MAX_BANNER), 10)
    if stop in (end, at + MAX_BANNER) or not _opens(data, at, stop):
        return np.int64(-1)
    at += len(_OPENING)
    behind = stop + 1
    if data[stop - 1] == 13:
        stop -= 1
    dash = _find(data, at, stop, 45)
    if dash in (at, stop) or _is_one(data, at, dash):
        return np.int64(-1)
    put(f, p.PROTO, at, dash)
    space = _find(data, dash + 1, stop, 32)
    if space > dash + 1:
        put(f, p.SOFTWARE, dash + 1, space)
    return behind


@helper
def _copy(data, start, end, text, to):  # pragma: no cover
    """Write a name-list; return where it ends."""
    for i in range(start, end):
        text[to] = data[i]
        to += 1
    return to


@helper
def _offer(data, at, end, side, f, asked, w, text, filled):  # pragma: no cover
    """Note what an offer says, its message number included; return where the text ends now, -1: it is not plain."""
    at += _LISTS
    to = filled
    for k in range(8):
        if at + 4 > end:
            return np.int64(-1)
        stop = at + 4 + u32(data, at)
        if stop > end:
            return np.int64(-1)
        if k == 0 or k in (2 + side, 4 + side, 6 + side):
            if k:
                text[to] = 59
                to += 1
            to = _copy(data, at + 4, stop, text, to)
        at = stop
    put(f, p.STRING, filled, to)
    if asked[p.HASSH]:
        md5(text, filled, to, w, text, to)
        put(f, p.HASSH, to, to + _HASH)
        to += _HASH
    else:
        put(f, p.HASSH, UNKNOWN, UNKNOWN)
    return to


@helper
def _begin(f, unit, side, tile, at, first, last):  # pragma: no cover
    """Begin a frame. tile: behind the frame before it; first, last: its own parts."""
    clear(f, unit, side, tile, APART)
    f["head"] = at
    f["at"][first:last] = f["to"][first:last] = ABSENT


@helper
def _packet(data, at, end, f, asked, w, text, filled):  # pragma: no cover
    """Note what the first packet of a side says; return (where it ends, where the text ends), -1: it is not plain."""
    if at + 6 > end:
        return np.int64(-1), filled
    size, padding = u32(data, at), np.int64(data[at + 4])
    stop = at + 4 + size
    if data[at + 5] != _OFFER or size < padding + 2 or size > MAX_PACKET or stop > end:
        return np.int64(-1), filled
    if filled + size + _HASH > text.size:
        return np.int64(-1), filled
    filled = _offer(data, at + 5, stop - padding, np.int64(f["side"]), f, asked, w, text, filled)
    return stop if filled >= 0 else np.int64(-1), filled


@helper
def _rest(unit, side, tile, end, frames, n):  # pragma: no cover
    """Write the frame of bytes in which nothing is read, if there are any; return how many frames there are now."""
    if tile == end:
        return n
    clear(frames[n], unit, side, tile, APART)
    frames[n]["last"] = end
    frames[n]["flags"] = CONTINUED
    return n + 1


@helper
def _unit(data, units, u, at, banner, asked, w, text, filled, frames, n):  # pragma: no cover
    """Write the frames of a unit from `at` on; return (frames, bytes of text, where the next packet begins).

    banner: a banner comes first. The first is -1 where something is not plain.
    """
    side, end, tile = np.int64(units[u]["side"]), np.int64(units[u]["end"]), np.int64(units[u]["start"])
    if banner:
        _begin(frames[n], u, side, tile, at, p.OF_BANNER, p.OF_OFFER)
        at = _banner(data, at, end, frames[n])
        if at < 0:
            return np.int64(-1), filled, at
        frames[n]["last"] = tile = at
        n += 1
    if at < end:
        _begin(frames[n], u, side, tile, at, p.OF_OFFER, p.HASSH + 1)
        at, filled = _packet(data, at, end, frames[n], asked, w, text, filled)
        if at < 0:
            return np.int64(-1), filled, at
        frames[n]["last"] = tile = at
        n += 1
        at = _FOREVER
    return _rest(u, side, tile, end, frames, n), filled, at


@allocating_kernel(int64(_U1, _UNITS, _U1, _FLOWS, _U8, _I8, _U1, _FRAMES, _U1, _I4, _U1, _I4))
def frame(data, units, picked, flows, owner, following, asked, frames, text, first, verdict,
          over):  # pragma: no cover  # fmt: skip
    """Write the frames of the picked units; return how many.

    owner, following: see `sensor.proto.framer.Following`. asked: uint8[parts], 1: some rule tests it. text: uint8
    (out). first: int32[units + 1] (out), where each unit's frames begin. verdict: uint8[units] (out): `REFUSED`, or 0.
    over: int32[units + 1] (out), slots of flows of which nothing that comes can matter; behind the last one -1.
    """
    w = np.empty(80, np.int64)
    n = filled = ended = np.int64(0)
    for u in range(units.size):
        first[u] = n
        if not picked[u]:
            continue
        slot = np.int64(units[u]["flow"])
        key = 2 * slot + np.int64(units[u]["side"])
        fresh, pos = np.int64(units[u]["fresh"]), np.int64(units[u]["pos"])
        own(flows, slot, owner, following)
        at = fresh + (following[key] - pos)
        plain = following[2 * slot] >= 0 and following[2 * slot + 1] >= 0 and at >= fresh and n + 3 < frames.size
        if plain and not flows[slot]["gaps"][0] and not flows[slot]["gaps"][1]:
            made, written, at = _unit(data, units, u, at, following[key] == 0, asked, w, text, filled, frames, n)
            if made >= 0:
                n, filled = made, written
                following[key] = _FOREVER if at >= _FOREVER else pos + (at - fresh)
                if following[2 * slot] >= _FOREVER and following[2 * slot + 1] >= _FOREVER:
                    over[ended] = slot
                    ended += 1
                continue
        verdict[u] = REFUSED
        refuse(slot, following)
    first[units.size] = n
    if ended < over.size:
        over[ended] = -1
    return n
