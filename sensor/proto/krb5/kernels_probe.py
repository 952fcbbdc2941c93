"""Kerberos by content: an application tag, a sequence, the protocol version 5 (RFC 4120 section 5.4.1)."""


from sensor.model.jit import helper
from sensor.proto.ids import KRB5
from sensor.proto.kernels_ber import behind_length, inside

_PENDING, _NO = 0, 1


@helper
def message(h, pos, end):
    """Return the verdict on a message that begins at pos."""
    if pos >= end:
        return _PENDING
    tag = int(h[pos])
    if tag not in (0x6A, 0x6B, 0x6C, 0x6D, 0x7E):
        return _NO
    pos = behind_length(h, pos + 1, end)
    if pos > 0:
        pos = inside(h, pos, end, 0x30)
    if pos <= 0:
        return _PENDING if pos == 0 else _NO
    # pvno is field 1 of requests, field 0 of all else; its content is INTEGER 5.
    wanted = (0xA1 if tag in (0x6A, 0x6C) else 0xA0, 3, 2, 1, 5)
    for i in range(5):
        if pos + i >= end:
            return _PENDING
        if h[pos + i] != wanted[i]:
            return _NO
    return KRB5


@helper
def stream(h, n, side, sport, dport):  # noqa: ARG001 - same form as of all protocols
    """Return the verdict on a side's first bytes: a record mark, then a message."""
    if n > 0 and h[0] != 0:
        return _NO
    if n > 1 and h[1] > 1:
        return _NO
    return message(h, 4, n) if n > 4 else _PENDING


@helper
def datagram(buf, pos, size, sport, dport):  # noqa: ARG001 - same form as of all protocols
    """Return the protocol of a datagram; 1: another."""
    return max(message(buf, pos, pos + size), _NO)
