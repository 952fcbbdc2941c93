"""Frames by hand, and their rows from all three decoders (which must agree)."""

import struct

import numpy as np

from sensor.decode.dpkt_view import decode_block_dpkt
from sensor.decode.kernels import decode_block
from sensor.decode.limits import DecodeOptions
from sensor.decode.reference import decode_block_reference
from sensor.model.anomaly import DecodeAnomaly
from sensor.model.block import LINKTYPE_ETHERNET, PacketBlock
from sensor.model.rows import ROW

MAC_A, MAC_B = bytes.fromhex("020000000001"), bytes.fromhex("020000000002")
A4, B4 = 0x0A000001, 0x0A000002
A6, B6 = bytes.fromhex("fd00" + "00" * 13 + "01"), bytes.fromhex("fd00" + "00" * 13 + "02")


def eth(ethertype, payload=b""):
    return MAC_B + MAC_A + struct.pack("!H", ethertype) + payload


def tag(ident, ethertype, payload=b""):
    """What follows a TPID."""
    return struct.pack("!HH", ident, ethertype) + payload


def csum(raw):
    raw += b"\0" * (len(raw) % 2)
    total = sum(struct.unpack(f"!{len(raw) // 2}H", raw))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def ip4(
    payload=b"",
    proto=6,
    *,
    src=A4,
    dst=B4,
    flags=0,
    ident=7,
    total=None,
    opts=b"",
    version=4,
    hlen=None,
    tos=0,
):
    hlen = 20 + len(opts) if hlen is None else hlen
    total = 20 + len(opts) + len(payload) if total is None else total
    head = (
        struct.pack("!BBHHHBBHII", version << 4 | hlen // 4, tos, total, ident, flags, 64, proto, 0, src, dst)
        + opts
    )
    return head[:10] + struct.pack("!H", csum(head)) + head[12:] + payload


def ip6(payload=b"", nh=6, *, src=A6, dst=B6, plen=None, version=6, tc=0):
    plen = len(payload) if plen is None else plen
    return struct.pack("!IHBB", version << 28 | tc << 20, plen, nh, 64) + src + dst + payload


def ext(nh, body=b"\0" * 6):
    """Hop-by-hop, destination and alike: body fills whole 8 bytes behind the two of the head."""
    return bytes([nh, (len(body) + 2) // 8 - 1]) + body


def frag6(nh, offset, more, ident=9):
    return struct.pack("!BBHI", nh, 0, offset << 3 | more, ident)


def tcp(payload=b"", sport=1000, dport=80, *, opts=b"", hlen=None, flags=0x18, seq=1, ack=2, check=0):
    hlen = 20 + len(opts) if hlen is None else hlen
    return (
        struct.pack("!HHIIBBHHH", sport, dport, seq, ack, hlen // 4 << 4, flags, 500, check, 3)
        + opts
        + payload
    )


def udp(payload=b"", sport=1000, dport=53, *, length=None, check=0):
    return struct.pack("!HHHH", sport, dport, 8 + len(payload) if length is None else length, check) + payload


def block_of(frames, linktype=LINKTYPE_ETHERNET, *, missing=0, tci=None, hints=None):
    sizes = [len(f) for f in frames]
    caplen = np.array(sizes, np.int32)
    off = np.cumsum([0, *sizes])[:-1].astype(np.int64)
    n = len(frames)
    buf = np.frombuffer(b"".join(frames), np.uint8)
    types = np.full(n, linktype, np.uint16) if isinstance(linktype, int) else np.array(linktype, np.uint16)
    return PacketBlock(
        buf, off, caplen, (caplen + missing).astype(np.int32), np.arange(n, dtype=np.int64) + 10**18, types,
        vlan_tci=None if tci is None else np.array(tci, np.int32),
        hints=None if hints is None else np.array(hints, np.uint8),
    )  # fmt: skip


def difference(left, right):
    """Return what differs first between two ROW arrays, empty: nothing."""
    if left.size != right.size:
        return f"{left.size} rows against {right.size}"
    for name in ROW.names:
        at = np.flatnonzero(left[name] != right[name])
        if at.size:
            row = at[0]
            values = f"{left[name][row]} against {right[name][row]}"
            return f"{name} of row {row}, packet {left['pkt'][row]}: {values}"
    return ""


def rows_of_block(block, *, verify=False, options=None):
    how = {"verify_checksums": verify, "options": options or DecodeOptions()}
    rows = decode_block(block, **how)
    for other in (decode_block_reference, decode_block_dpkt):
        assert not difference(rows, other(block, **how)), other.__name__
    return rows


def rows_of(frame, linktype=LINKTYPE_ETHERNET, *, verify=False, options=None, **more):
    """Return the rows of one frame; `more` as for `block_of`, with scalars."""
    more = {k: [v] if k in {"tci", "hints"} else v for k, v in more.items()}
    return rows_of_block(block_of([frame], linktype, **more), verify=verify, options=options)


def row_of(frame, linktype=LINKTYPE_ETHERNET, **how):
    (row,) = rows_of(frame, linktype, **how)
    return row


def anomalies(row):
    return {a.name for a in DecodeAnomaly if int(row["anomaly"]) >> a & 1}


def payload(frame, row):
    return frame[row["pay"] : row["pay"] + row["paylen"]]
