"""DNP3 by content: start bytes, a length, a control byte that its function fits (IEEE 1815 section 9.2)."""


from sensor.model.jit import helper
from sensor.proto.ids import DNP3

_PENDING, _NO = 0, 1


@helper
def stream(h, n, side, sport, dport):  # noqa: ARG001 - same form as of all protocols
    """Return the verdict on a side's first bytes."""
    if n > 0 and h[0] != 0x05:
        return _NO
    if n > 1 and h[1] != 0x64:
        return _NO
    if n > 2 and h[2] < 5:
        return _NO
    if n < 4:
        return _PENDING
    function = int(h[3]) & 15
    if int(h[3]) & 0x40:
        return DNP3 if function in (0, 1, 2, 3, 4, 9) else _NO
    return DNP3 if function in (0, 1, 11, 14, 15) else _NO
