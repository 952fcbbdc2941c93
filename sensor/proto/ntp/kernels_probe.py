"""NTP by content: version, mode and size; on other ports than its own also what such a packet's fields hold."""


from sensor.model.jit import helper
from sensor.proto.ids import NTP

_NO = 1
_PORT = 123
_MAX_STRATUM = 16
"""RFC 5905 figure 11: unsynchronized."""
_MAX_POLL = 17
"""Log2 seconds (RFC 5905 section 7.2, MAXPOLL)."""


@helper
def _is_clock(buf, pos, size):
    """Tell whether stratum, poll, precision and time stamps are those of a client's or a server's packet."""
    mode, stratum, poll, precision = int(buf[pos]) & 7, int(buf[pos + 1]), int(buf[pos + 2]), int(buf[pos + 3])
    # Behind the header: nothing, or a key and a digest of 16 or 20 bytes.
    if size not in (48, 68, 72) or mode not in (3, 4) or int(buf[pos]) >> 3 & 7 not in (3, 4):
        return False
    if stratum > _MAX_STRATUM or (poll > _MAX_POLL and poll < 250) or 0 < precision < 224:
        return False
    sent = 0
    for i in range(40, 44):
        sent |= int(buf[pos + i])
    if sent == 0:
        return False
    return mode == 3 or 1 <= stratum <= 15


@helper
def datagram(buf, pos, size, sport, dport):
    """Return the verdict on a datagram."""
    first = int(buf[pos])
    version, mode = first >> 3 & 7, first & 7
    if _PORT not in (sport, dport):
        return NTP if size >= 48 and _is_clock(buf, pos, size) else _NO
    if version in (3, 4) and size >= 48:  # whatever the mode
        return NTP
    if mode == 0 or not 1 <= version <= 4:
        return _NO
    if mode == 7:
        return NTP if size >= 8 and int(buf[pos + 2]) in (0, 2, 3) else _NO
    if mode == 6:
        return NTP if size >= 12 and int(buf[pos + 1]) & 31 in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 31) else _NO
    return NTP if size >= 48 and int(buf[pos + 1]) <= _MAX_STRATUM else _NO
