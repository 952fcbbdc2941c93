"""Where the messages of protocols of questions and answers begin in their streams: the other side had spoken before."""

import numba
from numba.types import boolean, int64, uint8

from sensor.detect.headers.kernels_headers import BYTES
from sensor.model.jit import helper, kernel
from sensor.model.rows import APP_UNDECIDED, SEG, SEG_DATA
from sensor.proto.ids import DCERPC, DNS, HTTP

_SEGS, _I8, _U1, _BOOL = numba.from_dtype(SEG)[::1], int64[::1], uint8[::1], boolean[::1]
_CLASS = 9
"""Where a status line says of what class it is: behind `HTTP/1.1 `."""


@helper
def begins(app, side, data, at, size):  # pragma: no cover
    """Tell whether the bytes with which a side begins to speak begin a message.

    What a client sends behind an interim response (RFC 9110 section 15.2) does not, nor does what is no HTTP any more.
    """
    if app != HTTP:
        return app == DNS or (app == DCERPC and 4 <= data[at] <= 5)
    if side == 0:
        return 97 <= data[at] | 0x20 <= 122
    if data[at] != 72 or (size > 3 and (data[at + 1] != 84 or data[at + 2] != 84 or data[at + 3] != 80)):
        return False
    return size <= _CLASS or data[at + _CLASS] != 49


@kernel(int64(_SEGS, _I8, BYTES, _U1, _U1, _I8, _I8, _BOOL))
def turns(segs, seg_at, data, apps, spoke, latest, origins, new):  # pragma: no cover
    """Write where in its stream the message of each DATA segment begins; return how many messages begin.

    apps: uint8[n], the protocol of each segment's flow when it came. Kept from block to block: spoke: uint8[slots],
    1 + the side that spoke last (0: none); latest: int64[2 * slots], where the latest message of each side begins.
    origins: int64[n], 0 where messages are not told apart; new: bool[n], one begins here.
    """
    kinds, slots, sides, poss, sizes = segs["kind"], segs["flow"], segs["side"], segs["pos"], segs["len"]
    count = 0
    for i in range(segs.size):
        origins[i], new[i] = 0, False
        if kinds[i] != SEG_DATA or sizes[i] == 0:
            continue
        slot, side, app = slots[i], sides[i], apps[i]
        if spoke[slot] != side + 1:
            if app == APP_UNDECIDED or spoke[slot] == 0:
                spoke[slot] = side + 1
            elif begins(app, side, data, seg_at[i], sizes[i]):
                spoke[slot] = side + 1
                latest[2 * slot + side] = poss[i]
                new[i] = True
                count += 1
        if app in (HTTP, DNS, DCERPC):
            origins[i] = latest[2 * slot + side]
    return count
