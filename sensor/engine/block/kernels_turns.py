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
_UNREAD = 4
"""Suricata reads no further in this connection."""
STRETCH = 2560
"""Bytes that Suricata waits for before it inspects a stream (stream.reassembly.toserver-chunk-size, …toclient…)."""


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


@helper
def ends_reading(data, at, size):  # pragma: no cover
    """Tell whether a message of DCE/RPC is of a type that ends Suricata's reading of the connection.

    It reads requests, responses, binds, changes of contexts and answers to these (C706 section 12.6.4), nothing else.
    """
    if size < 16 or data[at] != 5 or data[at + 1] > 1:
        return False
    kind = data[at + 2]
    return kind not in (0, 2, 11, 12, 14, 15)


@kernel(int64(_SEGS, _I8, BYTES, _U1, _U1, _I8, _I8, _I8, _I8, _BOOL))
def turns(segs, seg_at, data, apps, spoke, latest, fresh, origins, stretches, new):  # pragma: no cover
    """Write where in its stream the message of each DATA segment begins; return how many messages begin.

    A message is inspected a stretch at a time: a segment that makes one long enough is the last of it.

    apps: uint8[n], the protocol of each segment's flow when it came. Kept from block to block: spoke: uint8[slots],
    1 + the side that spoke last (0: none), or _UNREAD: nothing begins there any more; latest, fresh: int64[2 * slots],
    where the latest message of each side, and its latest stretch, begin.
    origins: int64[n], 0 where messages are not told apart; stretches: int64[n], where that of each segment begins;
    new: bool[n], a message begins here.
    """
    kinds, slots, sides, poss, sizes = segs["kind"], segs["flow"], segs["side"], segs["pos"], segs["len"]
    count = 0
    for i in range(segs.size):
        origins[i], stretches[i], new[i] = 0, 0, False
        if kinds[i] != SEG_DATA or sizes[i] == 0:
            continue
        slot, side, app = slots[i], sides[i], apps[i]
        whole = 2 * slot + side
        if spoke[slot] != side + 1 and spoke[slot] != _UNREAD:
            if app == APP_UNDECIDED or spoke[slot] == 0:
                spoke[slot] = side + 1
            elif begins(app, side, data, seg_at[i], sizes[i]):
                spoke[slot] = side + 1
                latest[whole] = fresh[whole] = poss[i]
                new[i] = True
                count += 1
        if app == DCERPC and ends_reading(data, seg_at[i], sizes[i]):
            spoke[slot] = _UNREAD
        if app in (HTTP, DNS, DCERPC):
            origins[i] = latest[whole]
        stretches[i] = fresh[whole]
        if poss[i] + sizes[i] - fresh[whole] >= STRETCH:
            fresh[whole] = poss[i] + sizes[i]
    return count
