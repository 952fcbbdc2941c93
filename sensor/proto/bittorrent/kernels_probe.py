"""BitTorrent's hash table by content: how a request, an answer or an error begins (keys are sorted: BEP 3, BEP 5)."""

import numpy as np

from sensor.model.jit import helper
from sensor.proto.ids import BITTORRENT_DHT

_NO = 1
_REQUEST = np.frombuffer(b"d1:ad2:id20:", np.uint8)
_ANSWER = np.frombuffer(b"d1:rd2:id20:", np.uint8)
_ADDRESSED = np.frombuffer(b"d2:ip6:", np.uint8)
_ERROR = np.frombuffer(b"d1:eli", np.uint8)


@helper
def _begins(buf, pos, size, word):
    same = size > word.size
    for i in range(word.size if same else 0):
        same &= bool(buf[pos + i] == word[i])
    return same


@helper
def datagram(buf, pos, size, sport, dport):  # noqa: ARG001 - same form as of all protocols
    """Return the verdict on a datagram."""
    if buf[pos] != 100:
        return _NO
    known = _begins(buf, pos, size, _REQUEST) or _begins(buf, pos, size, _ANSWER)
    return BITTORRENT_DHT if known or _begins(buf, pos, size, _ADDRESSED) or _begins(buf, pos, size, _ERROR) else _NO
