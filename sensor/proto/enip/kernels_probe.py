"""EtherNet/IP by content: a command, a small status, no options (ODVA, CIP volume 2, section 2-3.1)."""


from sensor.model.jit import helper
from sensor.proto.ids import ENIP

_PENDING, _NO = 0, 1


@helper
def _fits(i, c, usual_port):
    """Tell whether byte i of a header may be c."""
    if i == 0:
        return c in (0x63, 0x64, 0x65, 0x66, 0x6F, 0x70) or (usual_port and c in (0, 4, 0x72, 0x73))
    if i == 1 or 9 <= i <= 11 or 20 <= i <= 23:
        return c == 0
    return i != 8 or c <= 0x69


@helper
def _header(h, pos, end, usual_port):
    """Return the verdict on a header that begins at pos."""
    for i in range(24):
        if pos + i >= end:
            return _PENDING
        if not _fits(i, int(h[pos + i]), usual_port):
            return _NO
    return ENIP


@helper
def stream(h, n, side, sport, dport):  # noqa: ARG001 - same form as of all protocols
    """Return the verdict on a side's first bytes."""
    return _header(h, 0, n, 44818 in (sport, dport))


@helper
def datagram(buf, pos, size, sport, dport):
    """Return the verdict on a datagram, which a message fills."""
    if size < 24 or 24 + (int(buf[pos + 2]) | int(buf[pos + 3]) << 8) != size:
        return _NO
    return max(_header(buf, pos, pos + size, 44818 in (sport, dport)), _NO)
