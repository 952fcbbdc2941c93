"""Modbus by content: protocol 0, a small length, a function that the length fits (Modbus on TCP/IP, section 3.1.3)."""


from sensor.model.jit import helper
from sensor.proto.ids import MODBUS

_PENDING, _NO = 0, 1


@helper
def stream(h, n, side, sport, dport):
    """Return the verdict on a side's first bytes. On other ports than 502 only the common requests are taken for it."""
    usual = 502 in (sport, dport)
    for i in range(2, min(n, 5)):
        if h[i] != 0:
            return _NO
    if n > 5 and (h[5] < 2 or h[5] > 254):
        return _NO
    if n < 8:
        return _PENDING
    function = int(h[7])
    if usual:
        return MODBUS if function != 0 else _NO
    return MODBUS if side == 0 and 1 <= function <= 6 and h[5] == 6 else _NO
