"""SNMP by content: a sequence, a version, a community or a header, a PDU (RFC 1157 section 4, RFC 3412 section 6)."""


from sensor.model.jit import helper
from sensor.proto.ids import SNMP
from sensor.proto.kernels_ber import inside

_PENDING, _NO = 0, 1


@helper
def message(h, pos, end):
    """Return the verdict on a message that begins at pos."""
    pos = inside(h, pos, end, 0x30)
    if pos <= 0:
        return _PENDING if pos == 0 else _NO
    wanted = (2, 1)
    for i in range(2):
        if pos + i >= end:
            return _PENDING
        if h[pos + i] != wanted[i]:
            return _NO
    if pos + 3 >= end:
        return _PENDING if pos + 2 >= end or h[pos + 2] in (0, 1, 3) else _NO
    version, tag = int(h[pos + 2]), int(h[pos + 3])
    if version not in (0, 1, 3) or tag != (0x30 if version == 3 else 4):
        return _NO
    if pos + 4 >= end:
        return _PENDING
    size = int(h[pos + 4])
    if version == 3:
        # The header: message id first, four integers and a byte in all.
        if size < 12 or size > 32:
            return _NO
        if pos + 5 >= end:
            return _PENDING
        return SNMP if h[pos + 5] == 2 else _NO
    if size > 127:
        return _NO
    behind = pos + 5 + size
    if behind >= end:
        # A community longer than what is looked at: nothing else begins like this.
        return SNMP if end - pos >= 24 else _PENDING
    return SNMP if 0xA0 <= h[behind] <= 0xA8 else _NO


@helper
def stream(h, n, side, sport, dport):  # noqa: ARG001 - same form as of all
    """Return the verdict on a side's first bytes."""
    return message(h, 0, n)


@helper
def _is_usual(buf, pos, end):
    """Tell whether a datagram on a usual port is SNMP: a sequence and a version, whatever community and PDU are."""
    pos = inside(buf, pos, end, 0x30)
    if pos <= 0 or pos + 2 >= end:
        return False
    return bool(buf[pos] == 2 and buf[pos + 1] == 1 and buf[pos + 2] in (0, 1, 3))


@helper
def datagram(buf, pos, size, sport, dport):
    """Return the verdict on a datagram."""
    if (161 in (sport, dport) or 162 in (sport, dport)) and _is_usual(buf, pos, pos + size):
        return SNMP
    return max(message(buf, pos, pos + size), _NO)
