"""Automata of the places in a regular expression at which a byte may have matched: one bit each (Glushkov 1961)."""

import numba
import numpy as np

from sensor.model.jit import helper
from sensor.model.kernels_search import search_pair, zeros

AUTOMATON = np.dtype(
    [
        ("start", "<u8"),  # places at which a match may begin
        ("at", "<i4"),  # its first place in `follow` and `octets`
        ("opening", "<i4"),  # the set of bytes with which a match may begin
        ("flags", "u1"),  # bits below
        ("first", "u1"),  # LED: the bytes with which a match begins
        ("second", "u1"),
        ("blur", "u1"),  # bits that are set in these, and in bytes before they are compared
    ],
    align=True,
)
"""One automaton. `start` and `follow` hold ACCEPT and ENDS beside places."""

PLACES = 60
"""Most places of an automaton; what a pattern asks for behind them is not looked at."""
ACCEPT, ENDS = np.uint64(1 << 63), np.uint64(1 << 62)
"""ACCEPT: it has matched; ENDS: it has, if the bytes end here, or before a last line feed."""
_PLACES = np.uint64((1 << PLACES) - 1)
BEGINS, LINES, LED = 1, 2, 4
"""BEGINS: a match begins where the bytes do; LINES: or where a line does. LED: always with the same two bytes."""
FARTHEST = 8192
"""Places that are tried on bytes, and bytes, before it is taken that it may match: about 40 us."""
AUTOMATA_T = numba.from_dtype(AUTOMATON)[::1]


_LF, _CR = 10, 13


@helper
def _ends(data, at, end):  # pragma: no cover
    """Tell whether bytes end here, whatever of CR and LF ends a line."""
    while at < end and (data[at] == _LF or data[at] == _CR):
        at += 1
    return at == end


@helper
def _stands(sets, number, octet):  # pragma: no cover
    return sets[number, octet >> 6] >> np.uint64(octet & 63) & np.uint64(1) != 0


@helper
def _ahead(state, follow, at):  # pragma: no cover
    """Return the places that may match the next byte."""
    found = np.uint64(0)
    while state:
        found |= follow[at + zeros(state)]
        state &= state - np.uint64(1)
    return found


@helper
def _stepped(ahead, octet, octets, sets, at):  # pragma: no cover
    """Return the places that match a byte, and how many were tried."""
    found, tried = np.uint64(0), 0
    ahead &= _PLACES
    while ahead:
        tried += 1
        place = zeros(ahead)
        if _stands(sets, octets[at + place], octet):
            found |= np.uint64(1) << np.uint64(place)
        ahead &= ahead - np.uint64(1)
    return found, tried


@helper
def may_match(number, automata, follow, octets, sets, data, start, end, first, last):  # pragma: no cover
    """Tell whether an automaton accepts some bytes of data[start:end] that begin at first to last.

    follow: uint64[places], the places that may come behind each; octets: int32[places], its set of bytes; sets:
    uint64[n, 4].
    """
    a = automata[number]
    at, opening, lines = np.int64(a["at"]), np.int64(a["opening"]), a["flags"] & LINES != 0
    starts, led = a["start"], a["flags"] & LED != 0
    empty = starts & (ACCEPT | ENDS) != 0
    state, i, left = np.uint64(0), first, FARTHEST
    while i <= end:
        if state == 0 and led:
            i = search_pair(data, i, min(last, end - 2), a["first"], a["second"], a["blur"])
            if i < 0:
                return False
        elif state == 0:
            while not empty and i <= last and i < end and not _stands(sets, opening, np.int64(data[i])):
                i += 1
            if i > last:
                return False
        ahead = _ahead(state, follow, at)
        if i <= last and (not lines or i == start or data[i - 1] == _LF or data[i - 1] == _CR):
            ahead |= starts
        if ahead & ACCEPT or left <= 0 or (ahead & ENDS and _ends(data, i, end)):
            return True
        if i == end:
            return False
        state, tried = _stepped(ahead, np.int64(data[i]), octets, sets, at)
        left -= 1 + tried
        i += 1
    return False
