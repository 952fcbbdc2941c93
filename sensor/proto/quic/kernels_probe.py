"""QUIC by content: a long header of a known version (RFC 9000 section 17.2), or a public header of gQUIC."""


from sensor.model.jit import helper
from sensor.proto.ids import QUIC

_NO = 1


@helper
def _is_version(version):
    """Tell whether a version is one that is in use."""
    if version in (1, 0x6B3343CF, 0x709A50C4, 0xFACEB002):
        return True
    if 0xFF000016 < version < 0xFF000023:
        return True
    return _is_google(version)


@helper
def _is_google(version):
    """Tell Q024 to Q050, T050 and T051."""
    if version >> 24 not in (0x51, 0x54) or version >> 16 & 255 != 0x30:
        return False
    return 0x32 <= version >> 8 & 255 <= 0x35 and 0x30 <= version & 255 <= 0x39


@helper
def _u32(buf, pos):
    value = 0
    for i in range(4):
        value = value << 8 | int(buf[pos + i])
    return value


@helper
def datagram(buf, pos, size, sport, dport):
    """Return the verdict on a datagram."""
    if size < 21:
        return _NO
    first = int(buf[pos])
    if first & 0x80:
        version = _u32(buf, pos + 1)
        if _is_google(version):
            return QUIC
        if int(buf[pos + 5]) > 20:
            return _NO
        usual = 443 in (sport, dport) or 80 in (sport, dport)
        if version == 0:
            # Versions that the server knows, four bytes each; all other bits may be anything (RFC 8999 section 6).
            return QUIC if usual else _NO
        return QUIC if first & 0x40 and (usual or _is_version(version)) else _NO
    if first & 0xC3 == 1:
        at = 9 if first & 8 else 1
        version = _u32(buf, pos + at)
        return QUIC if version >> 24 == 0x51 and _is_google(version) else _NO
    return _NO
