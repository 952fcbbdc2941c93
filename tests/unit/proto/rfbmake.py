"""RFB handshakes for tests."""

import struct

TO_SERVER, TO_CLIENT = 0, 1
CHALLENGE, RESPONSE = bytes(range(16)), bytes(range(16, 32))
PIXELS = struct.pack("!BBBBHHHBBB3x", 32, 24, 0, 1, 255, 254, 253, 16, 8, 0)


def init(name=b"alice's desktop"):
    return struct.pack("!HH", 1280, 800) + PIXELS + struct.pack("!I", len(name)) + name


def text(value):
    return struct.pack("!I", len(value)) + value


def rfb(version=b"003.008", security=2, result=0, name=b"alice's desktop"):
    """Return a whole handshake as (side, bytes)."""
    banner = b"RFB " + version + b"\n"
    talk = [(TO_CLIENT, banner), (TO_SERVER, banner)]
    if version == b"003.003":
        talk.append((TO_CLIENT, struct.pack("!I", security)))
    else:
        talk += [(TO_CLIENT, bytes([2, 18, security])), (TO_SERVER, bytes([security]))]
    if security == 2:
        talk += [(TO_CLIENT, CHALLENGE), (TO_SERVER, RESPONSE)]
    if security == 2 or version == b"003.008":
        talk.append((TO_CLIENT, struct.pack("!I", result)))
    if result:
        return [*talk, (TO_CLIENT, text(b"go away"))]
    return [*talk, (TO_SERVER, b"\1"), (TO_CLIENT, init(name))]
