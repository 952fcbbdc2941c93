"""IKE by content: version, exchange type and length of the header (RFC 2408 section 3.1, RFC 7296 section 3.1)."""


from sensor.model.jit import helper
from sensor.proto.ids import IKE

_NO = 1


@helper
def _is_message(buf, pos, end, usual_port):
    """Tell whether the datagram that ends at end holds a message that begins at pos."""
    if end - pos < 28:
        return False
    spi = 0
    for i in range(8):
        spi |= int(buf[pos + i])
    length = 0
    for i in range(24, 28):
        length = length << 8 | int(buf[pos + i])
    version, exchange = int(buf[pos + 17]), int(buf[pos + 18])
    if version == 0x10 and usual_port:  # whatever its fields are like
        return True
    if length < 28 or (spi == 0 and not usual_port):  # an initiator must choose one; what does not may be an attack
        return False
    if version == 0x20:
        return 34 <= exchange <= 43 and length == end - pos
    known = 1 <= exchange <= 6 or exchange in (32, 33)
    if version != 0x10 or not known or int(buf[pos + 19]) > 7 or int(buf[pos + 16]) > 21:
        return False
    return length == end - pos


@helper
def datagram(buf, pos, size, sport, dport):
    """Return the verdict on a datagram; on the port of NAT traversal four zeros stand before the message."""
    usual = 500 in (sport, dport)
    if _is_message(buf, pos, pos + size, usual):
        return IKE
    if size > 4 and int(buf[pos]) | int(buf[pos + 1]) | int(buf[pos + 2]) | int(buf[pos + 3]) == 0:
        return IKE if _is_message(buf, pos + 4, pos + size, False) else _NO
    return _NO
