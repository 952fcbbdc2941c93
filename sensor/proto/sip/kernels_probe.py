"""SIP by content: a status line, or a request line with a SIP target (RFC 3261 section 7)."""

import numpy as np

from sensor.model.jit import helper
from sensor.proto.ids import SIP

_STATUS = np.frombuffer(b"SIP/", np.uint8)
_SCHEMES = np.zeros((3, 5), np.uint8)
_SCHEMES[0, :4] = np.frombuffer(b"sip:", np.uint8)
_SCHEMES[1, :5] = np.frombuffer(b"sips:", np.uint8)
_SCHEMES[2, :4] = np.frombuffer(b"tel:", np.uint8)
_LONGEST_TARGET = 256
_SCHEMES.flags.writeable = False


@helper
def _stands(buf, pos, end, word):
    """Tell whether a word stands at pos; zeros at its end do not count."""
    for i in range(word.size):
        if word[i] == 0:
            break
        if pos + i >= end or buf[pos + i] != word[i]:
            return False
    return True


@helper
def _is_message(buf, pos, end):
    """Tell whether a message begins at pos."""
    if _stands(buf, pos, end, _STATUS):
        return bool(end - pos > 7 and buf[pos + 7] == 32)
    at = pos
    while at < end and at - pos <= 32 and (65 <= buf[at] <= 90 or 97 <= buf[at] <= 122):
        at += 1
    if at - pos < 3 or at >= end or buf[at] != 32:
        return False
    for i in range(_SCHEMES.shape[0]):
        if _stands(buf, at + 1, end, _SCHEMES[i]):
            return True
    # Another target: the line ends with the protocol.
    for i in range(at + 1, min(end, at + _LONGEST_TARGET)):
        if buf[i] < 32:
            break
        if buf[i] == 32 and _stands(buf, i + 1, end, _STATUS):
            return True
    return False


@helper
def datagram(buf, pos, size, sport, dport):  # noqa: ARG001 - same form as of all protocols
    """Return the verdict on a datagram."""
    return SIP if _is_message(buf, pos, pos + size) else 1
