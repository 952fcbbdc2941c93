"""Kernel = reference = dpkt, on forged and mutated frames and on every shared capture."""

import random
import struct
import sys
from pathlib import Path

import dpkt
import numpy as np
import pytest
from effort import effort
from hypothesis import given, settings
from hypothesis import strategies as st

from sensor.decode.dpkt_view import decode_block_dpkt
from sensor.decode.kernels import decode_block
from sensor.decode.limits import DecodeOptions
from sensor.decode.reference import decode_block_reference
from sensor.errors import CaptureError
from sensor.model.rows import FRAG_NONE

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT / "../shared"
sys.path.append(str(ROOT / "tests/unit/decode"))
import decode_frames as df  # noqa: E402 - lies beside the unit tests, which are no package

OPTIONS = DecodeOptions(vxlan_ports=(4789, 8472), geneve_ports=(6081,))
LINKTYPES = (0, 9, 50, 101, 104, 108, 113, 228, 229, 276, 147)
LINK_HEADS = {
    0: b"\2\0\0\0", 9: b"\xff\3\0\x21", 50: b"\x0f\0\x08\0", 104: b"\x0f\0\x08\0", 108: b"\0\0\0\2",
    113: bytes(14) + b"\x08\0", 276: b"\x08\0" + bytes(18),
}  # fmt: skip
EXTENSIONS = (0, 43, 44, 51, 60, 135, 139, 140)
PROTOCOLS = (6, 6, 6, 17, 17, 17, 1, 58, 132, 4, 41, 47, 47, 50, 59, 253, *EXTENSIONS)
PORTS = (53, 80, 4789, 8472, 6081, 6081)
TELLING = (
    0,
    1,
    2,
    4,
    6,
    8,
    15,
    17,
    41,
    43,
    44,
    47,
    50,
    51,
    58,
    60,
    0x45,
    0x46,
    0x60,
    0x81,
    0x86,
    0x88,
    0xAA,
    0xDD,
    0xFF,
)


class Forge:
    """Frames from a seed: mostly sound, of all kinds, some damaged."""

    def __init__(self, seed):
        self.rng = random.Random(seed)

    def pick(self, *choices):
        return self.rng.choice(choices)

    def rarely(self, odd, usual):
        return odd if self.rng.random() < 0.08 else usual

    def frame(self):
        """Return frame and link type."""
        linktype = self.rarely(self.rng.choice(LINKTYPES), 1)
        if linktype == 1:
            frame = self.ethernet(0)
        else:
            frame = LINK_HEADS.get(linktype, b"") + (self.ip4(0) if linktype in LINK_HEADS else self.ip(0)[1])
        return self.damage(bytearray(frame)), linktype

    def damage(self, frame):
        for _ in range(self.pick(0, 0, 1, 1, 2, 4)):
            if frame:
                frame[self.rng.randrange(min(len(frame), 120))] = self.pick(*TELLING)
        if self.rng.random() < 0.25:
            del frame[self.rng.randrange(len(frame) + 1) :]
        return bytes(frame)

    def ethernet(self, depth):
        ethertype, inside = self.typed(depth)
        for _ in range(self.pick(0, 0, 0, 1, 2, self.rarely(16, 4))):
            ethertype, inside = (
                self.pick(0x8100, 0x88A8, 0x9100),
                df.tag(self.rng.randrange(1 << 16), ethertype, inside),
            )
        return df.eth(ethertype, inside) + bytes(self.pick(0, 0, 6))

    def typed(self, depth):
        """Return an ethertype and what it announces."""
        kind = self.rng.random()
        if kind < 0.75 or depth > 6:
            return self.ip(depth)
        inner, packet = self.ip(depth + 1)
        if kind < 0.80:
            arp = struct.pack("!HHBBH", 1, 0x0800, 6, 4, self.pick(1, 2)) + bytes(self.rarely(5, 20))
            return 0x0806, arp
        if kind < 0.86:
            label = bytes([0, 0, self.pick(0x00, 0x10, 0x20) | self.rarely(0, 1), 64])
            wire = self.pick(packet, packet, bytes(4) + self.ethernet(depth + 1), self.ethernet(depth + 1))
            return self.pick(0x8847, 0x8848), b"\0\1\0\x40" * self.pick(
                0, 1, self.rarely(20, 2)
            ) + label + wire
        if kind < 0.90:
            ppp = self.pick(b"\0\x21", b"\0\x57", b"\x21", b"\xc0\x21", b"\0\x2d") + packet
            return 0x8864, b"\x11\0\0\1" + struct.pack("!H", len(ppp)) + ppp
        if kind < 0.94:
            nsh = bytes([0, self.pick(2, 2, 6), 1, self.pick(1, 2, 3, 4, 5, 6)]) + bytes(self.pick(4, 20))
            return 0x894F, nsh + self.pick(packet, self.ethernet(depth + 1))
        if kind < 0.97:
            snap = b"\xaa\xaa\3\0\0" + bytes([self.pick(0, 0xF8, 0x0C)]) + struct.pack("!H", inner) + packet
            return min(len(snap), 1500), snap
        return self.pick(0x88CC, 0x8863, 1501, 0x880B), packet

    def ip(self, depth):
        return (0x0800, self.ip4(depth)) if self.rng.random() < 0.6 else (0x86DD, self.ip6(depth))

    def ip4(self, depth):
        proto = self.pick(*PROTOCOLS)
        opts = self.rarely(self.pick(b"\x94\4\0\0", b"\x94\xff\0\0", b"\1\1\1\0"), b"")
        flags = self.rarely(self.pick(0x2000, 0x0003), self.pick(0, 0x4000))
        total = self.rarely(self.pick(0, 19, 60, 4000), None)
        return df.ip4(
            self.message(proto, depth), proto, opts=opts, flags=flags, total=total,
            dst=self.rarely(df.A4, df.B4), hlen=self.rarely(16, None),
        )  # fmt: skip

    def ip6(self, depth):
        proto = self.pick(*PROTOCOLS)
        plen = self.rarely(self.pick(0, 19, 4000), None)
        return df.ip6(self.message(proto, depth), proto, plen=plen, dst=self.rarely(df.A6, df.B6))

    def message(self, proto, depth):
        """Return what an IP protocol number announces."""
        data = self.rng.randbytes(self.pick(0, 1, 8, 31))
        if proto == 6:
            opts = self.pick(
                b"", b"\1\1\1\0", bytes.fromhex("0101080a") + bytes(8), self.rarely(b"\2\5\0\0", b"")
            )
            sport = self.pick(*PORTS)
            return df.tcp(
                data, sport, self.rarely(sport, self.pick(*PORTS)), opts=opts, hlen=self.rarely(16, None)
            )
        if proto == 17:
            return self.datagram(data, depth)
        if proto in (4, 41):
            return data if depth > 6 else self.ip4(depth + 1) if proto == 4 else self.ip6(depth + 1)
        if proto == 47:
            return self.gre(depth)
        if proto in EXTENSIONS:
            following = self.rarely(proto, self.pick(*PROTOCOLS))
            size = self.pick(0, 0, 0, 1, 4) if proto != 44 else 0
            body = self.pick(bytes(6), b"\0\1" + bytes(4), b"\0\x09" + bytes(4), b"\xc2\4\0\1\0\0") + bytes(
                8 * size
            )
            length = size * 2 if proto == 51 else size
            return (
                bytes([following, length])
                + body
                + (self.message(following, depth + 1) if depth < 30 else data)
            )
        return data

    def datagram(self, data, depth):
        port = self.pick(*PORTS)
        if port in (4789, 8472) and depth <= 6:
            data = bytes([self.rarely(0, 8)]) + bytes(5) + b"\x4d\0" + self.ethernet(depth + 1)
        elif port == 6081 and depth <= 6:
            ethertype, inside = self.pick((0x6558, self.ethernet(depth + 1)), self.typed(depth + 1))
            options = self.pick(0, 0, 3)
            data = struct.pack("!BBHI", options, 0, ethertype, 77 << 8) + bytes(4 * options) + inside
        length = self.rarely(self.pick(0, 7, 9, 5000), None)
        return df.udp(data, 7, port, check=self.pick(0, 5), length=length)

    def gre(self, depth):
        if depth > 6:
            return b"\0\0\0\0"
        flags = self.pick(
            0, 0x1000, 0x2000, 0x3000, 0x8000, 0xB000, self.rarely(0x4000, 0), self.rarely(2, 0)
        )
        fields = bytes(4 * (flags >> 12).bit_count())
        kind = self.pick("erspan", "erspan3", "pptp", "typed", "typed", "ethernet")
        if kind == "erspan":
            ethertype, head = 0x88BE, self.rarely(b"\x30", b"\x10") + b"\7\x12\x34" + bytes(4)
            inside = (head if flags & 0x1000 else b"") + self.ethernet(depth + 1)
        elif kind == "erspan3":
            form, more = self.pick(0, 0, 2, 1), self.pick(0, 1)
            inside = (
                self.rarely(b"\x10", b"\x20") + b"\0\0\5" + bytes(6) + struct.pack("!H", form << 10 | more)
            )
            inside += bytes(8 * more) + self.pick(self.ethernet(depth + 1), self.ip(depth + 1)[1])
            ethertype = 0x22EB
        elif kind == "pptp":
            ethertype, flags, ppp = 0x880B, self.pick(0x3081, 0x2001), b"\xff\3\0\x21" + self.ip4(depth + 1)
            fields = struct.pack("!HH", self.rarely(3, len(ppp)), 9) + bytes(8 if flags == 0x3081 else 0)
            inside = ppp
        elif kind == "ethernet":
            ethertype, inside = 0x6558, self.ethernet(depth + 1)
        else:
            ethertype, inside = self.typed(depth + 1)
        return struct.pack("!HH", flags, self.rarely(0x1234, ethertype)) + fields + inside


def compare(block, *, verify):
    how = {"verify_checksums": verify, "options": OPTIONS}
    rows = decode_block(block, **how)
    for other in (decode_block_reference, decode_block_dpkt):
        difference = df.difference(rows, other(block, **how))
        assert not difference, f"{other.__name__}: {difference}"
    ends = block.off + block.caplen
    assert (rows["pay"] >= rows["l2"]).all()
    assert (rows["paylen"] >= 0).all()
    assert (rows["pay"] + rows["paylen"] <= ends[rows["pkt"]]).all()
    assert (np.diff(rows["pkt"]) >= 0).all()
    return rows


@settings(max_examples=effort(60, 20), deadline=None)
@given(st.integers(0, 1 << 32), st.booleans())
def test_forged_and_damaged_frames(seed, verify):
    forge = Forge(seed)
    frames, linktypes = zip(*(forge.frame() for _ in range(60)), strict=True)
    tci = [forge.rarely(5, -1) for _ in frames]
    hints = [forge.rarely(forge.pick(1, 2), 0) for _ in frames]
    block = df.block_of(frames, linktypes, missing=forge.rarely(7, 0), tci=tci, hints=hints)
    rows = compare(block, verify=verify)
    assert (np.unique(rows["pkt"]) == np.arange(block.n)).all()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(max_size=80), min_size=1, max_size=20), st.sampled_from((1, *LINKTYPES)))
def test_random_bytes(frames, linktype):
    compare(df.block_of(frames, linktype), verify=True)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1 << 32))
def test_every_prefix_of_a_frame(seed):
    frame = Forge(seed).ethernet(0)
    prefixes = [frame[:i] for i in range(min(len(frame), 200))]
    compare(df.block_of(prefixes), verify=True)
    compare(df.block_of(prefixes, missing=3), verify=True)


def captures():
    found = [p for p in SHARED.glob("captures/*/**/*") if p.is_file()] + list(
        SHARED.glob("conformance/*/input.pcap")
    )
    return sorted(found)


def blocks_of(path):
    """Yield a capture's blocks up to its end or damage; nothing for what capture refuses."""
    from sensor.capture.files import open_source  # noqa: PLC0415 - only the corpus needs it

    try:
        source = open_source([str(path)])
    except CaptureError:
        return
    try:
        yield from source.blocks()
    except CaptureError:
        return
    finally:
        source.close()


def plain(block, rows):
    """Yield (row, frame) of packets that dpkt decodes rightly as a whole."""
    simple = (rows["ipv"] == 4) & (rows["anomaly"] == 0) & (rows["parent"] < 0) & (rows["nvlan"] == 0)
    simple &= (rows["frag"] == FRAG_NONE) & (rows["l4"] >= 0) & ((rows["proto"] == 6) | (rows["proto"] == 17))
    simple &= (block.linktype[rows["pkt"]] == 1) & (rows["l3"] - rows["l2"] == 14)
    for row in rows[simple]:
        yield row, block.buf[row["l2"] : row["l2"] + row["caplen"]].tobytes()


@pytest.mark.corpus
@pytest.mark.slow
@pytest.mark.skipif(not SHARED.is_dir(), reason="the shared captures lie beside the project, not in it")
def test_all_shared_captures():
    """Also: dpkt's own walk over a whole plain frame finds the same ports and payload."""
    decoded = agreed = 0
    for path in captures():
        for block in blocks_of(path):
            rows = compare(block, verify=True)
            decoded += rows.size
            for row, frame in plain(block, rows):
                segment = dpkt.ethernet.Ethernet(frame).data.data
                start = row["pay"] - row["l2"]
                assert (segment.sport, segment.dport) == (row["sport"], row["dport"]), path
                assert segment.data[: row["paylen"]] == frame[start : start + row["paylen"]], path
                assert row["proto"] == 17 or len(segment.data) == row["paylen"], path
                agreed += 1
    assert decoded > 100_000
    assert agreed > 80_000
