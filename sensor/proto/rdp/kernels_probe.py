"""RDP by content: a TPKT with a connection request or confirmation, and what only RDP puts into it."""


from sensor.model.jit import helper
from sensor.proto.ids import RDP

_PENDING, _NO = 0, 1
_PORT = 3389


@helper
def stream(h, n, side, sport, dport):  # noqa: ARG001 - same form as of all protocols
    """Return the verdict on a side's first bytes; on RDP's port a TPKT is enough.

    Elsewhere, other users of X.224 go on with parameters from 0xC0 on; RDP with a cookie, a token or a negotiation.
    """
    if n > 0 and h[0] != 3:
        return _NO
    if n > 1 and h[1] != 0:
        return _NO
    if n > 2 and h[2] > 1:
        return _NO
    if n > 5 and h[5] not in (0xE0, 0xD0):
        return _NO
    if n < 6:
        return _PENDING
    if _PORT in (sport, dport):
        return RDP
    size = int(h[2]) << 8 | int(h[3])
    if size < 11 or int(h[4]) != size - 5:
        return _NO
    if size == 11:
        return RDP
    if n < 12:
        return _PENDING
    if h[5] == 0xE0:
        return RDP if h[11] in (1, 67, 116) else _NO
    return RDP if h[11] in (2, 3) else _NO
