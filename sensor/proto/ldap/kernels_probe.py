"""LDAP by content: a sequence, a message number, an operation (RFC 4511 section 4.1.1)."""


from sensor.model.jit import helper
from sensor.proto.ids import LDAP
from sensor.proto.kernels_ber import behind_length, inside

_PENDING, _NO = 0, 1


@helper
def message(h, pos, end):
    """Return the verdict on a message that begins at pos."""
    pos = inside(h, pos, end, 0x30)
    if pos <= 0:
        return _PENDING if pos == 0 else _NO
    if h[pos] != 2:
        return _NO
    if pos + 1 >= end:
        return _PENDING
    size = int(h[pos + 1])
    if size < 1 or size > 4:
        return _NO
    at = pos + 2 + size
    if at >= end:
        return _PENDING
    tag = int(h[at])
    if tag in (0x42, 0x4A, 0x50):
        return LDAP
    if tag < 0x60 or tag > 0x79 or tag & 0x1F in (2, 10, 16, 17, 18, 20, 21, 22):
        return _NO
    # An operation with content: its length, then what it begins with.
    at = behind_length(h, at + 1, end)
    if at <= 0:
        return _PENDING if at == 0 else _NO
    if at >= end:
        return _PENDING
    return LDAP if h[at] in (2, 4, 0x0A, 0x80) else _NO


@helper
def stream(h, n, side, sport, dport):  # noqa: ARG001 - same form as of all protocols
    """Return the verdict on a side's first bytes."""
    return message(h, 0, n)


@helper
def datagram(buf, pos, size, sport, dport):  # noqa: ARG001 - same form as of all protocols
    """Return the verdict on a datagram."""
    return max(message(buf, pos, pos + size), _NO)
