"""Walking DHCP messages: where their fields and options stand (RFC 2131 section 2, RFC 2132)."""

import numba
import numpy as np
from numba.types import int64

from sensor.model.frames import ABSENT, FRAME
from sensor.model.jit import helper, kernel
from sensor.model.units import UNIT
from sensor.proto.dhcp import parts as p
from sensor.proto.kernels_parts import REFUSED, clear, decimal, put

_HEADER = 240
"""Bytes in front of the options, magic cookie included."""
_MAGIC = b"\x63\x82\x53\x63"
_MOST = 255
"""Options that are walked; the parser reads one more."""
_PAD, _OVERLOAD, _END = 0, 52, 255
TEXT = 256
"""Bytes of text that one message may take."""
_DIGITS = np.frombuffer(b"0123456789abcdef", np.uint8)
_WORDS = np.frombuffer(b"discoverofferrequestdeclineacknakreleaseinformunknown", np.uint8)
_WORD_AT = np.array([0, 8, 13, 20, 27, 30, 33, 40, 46, 53], np.int64)
"""Types 1 to 8 (RFC 2132 section 9.6), then what is none of them."""
_ADDRESSES = np.array([12, p.CLIENT_IP, 16, p.ASSIGNED_IP, 20, p.NEXT_SERVER_IP, 24, p.RELAY_IP], np.int64)
"""Where an address stands, and the part that it is."""
_CHADDR = 28


def _options() -> np.ndarray:
    known = {
        50: p.REQUESTED_IP, 53: p.TYPE, 54: p.SERVER_ID, 12: p.HOSTNAME, 15: p.DOMAIN, 60: p.VENDOR_CLASS,
        61: p.CLIENT_ID, 55: p.PARAMS, 51: p.LEASE_TIME, 58: p.RENEWAL_TIME, 59: p.REBINDING_TIME,
    }  # fmt: skip
    table = np.full(256, -1, np.int64)
    table[list(known)] = list(known.values())
    return table


_PART_OF = _options()
"""int64[256]: the part that an option is, -1: none."""

_UNITS, _FRAMES = numba.from_dtype(UNIT)[::1], numba.from_dtype(FRAME)[::1]
_U1 = numba.uint8[::1]


@helper
def _address(data, at, part, f, text, filled):  # pragma: no cover
    """Write an IPv4 address; return where the text ends now."""
    to = filled
    for k in range(4):
        if k:
            text[to] = 46
            to += 1
        to = decimal(np.int64(data[at + k]), text, to)
    put(f, part, filled, to)
    return to


@helper
def _hardware(data, at, size, f, text, filled):  # pragma: no cover
    """Write the first bytes of `chaddr`; return where the text ends now."""
    to = filled
    for k in range(size):
        if k:
            text[to] = 58
            to += 1
        text[to], text[to + 1] = _DIGITS[data[at + k] >> 4], _DIGITS[data[at + k] & 15]
        to += 2
    if size:
        put(f, p.CLIENT_MAC, filled, to)
    return to


@helper
def _kind(value, f, text, filled):  # pragma: no cover
    """Write the word for a message type; return where the text ends now."""
    k = value - 1 if 1 <= value <= 8 else 8
    to = filled
    for x in range(_WORD_AT[k], _WORD_AT[k + 1]):
        text[to] = _WORDS[x]
        to += 1
    put(f, p.TYPE, filled, to)
    return to


@helper
def _option(data, part, at, size, f, text, filled):  # pragma: no cover
    """Note what an option says; return where the text ends now, -1: it is not plain."""
    if f["at"][part] != ABSENT or not size:
        return np.int64(-1)  # parts of one option are joined (RFC 3396)
    if part == p.TYPE:
        return _kind(np.int64(data[at]), f, text, filled)
    if part in (p.REQUESTED_IP, p.SERVER_ID):
        return _address(data, at, part, f, text, filled) if size == 4 else np.int64(-1)
    put(f, part, at, at + size)
    return filled


@helper
def _walk(data, at, end, f, text, filled):  # pragma: no cover
    """Note what options say; return where the text ends now, -1: something is not plain."""
    count = 0
    while at < end:
        code = np.int64(data[at])
        if code == _END:
            break
        at += 1
        if code == _PAD:
            continue
        if at == end or at + 1 + np.int64(data[at]) > end or count == _MOST or code == _OVERLOAD:
            return np.int64(-1)
        size = np.int64(data[at])
        if _PART_OF[code] >= 0:
            filled = _option(data, _PART_OF[code], at + 1, size, f, text, filled)
            if filled < 0:
                return filled
        at += 1 + size
        count += 1
    return filled


@helper
def _is_message(data, start, end):  # pragma: no cover
    if end - start < _HEADER or data[start] not in (1, 2):
        return False
    for k in range(len(_MAGIC)):  # noqa: SIM110 - no generators in kernels
        if data[start + _HEADER - len(_MAGIC) + k] != _MAGIC[k]:
            return False
    return True


@kernel(int64(_U1, _UNITS, _FRAMES, _U1, _U1))
def frame(data, units, frames, text, verdict):  # pragma: no cover
    """Write the frames of datagrams, none of one that is no DHCP message; return how many.

    frames: FRAME[n] (out), as many as units; all are of side 0: rules have one set of buffers for both. text: uint8
    (out). verdict: uint8[units] (out): `REFUSED`, or 0.
    """
    n = filled = np.int64(0)
    for u in range(units.size):
        start, end = np.int64(units[u]["start"]), np.int64(units[u]["end"])
        if not _is_message(data, start, end):
            continue
        f = frames[n]
        clear(f, u, 0, start, ABSENT)
        f["head"] = f["last"] = end
        to = np.int64(-1)
        if filled + TEXT <= text.size and units[u]["flow"] >= 0:
            to = _hardware(data, start + _CHADDR, min(np.int64(data[start + 2]), 16), f, text, filled)
            for k in range(0, _ADDRESSES.size, 2):
                to = _address(data, start + _ADDRESSES[k], _ADDRESSES[k + 1], f, text, to)
            to = _walk(data, start + _HEADER, end, f, text, to)
        if to < 0:
            verdict[u] = REFUSED
            continue
        filled = to
        n += 1
    return n
