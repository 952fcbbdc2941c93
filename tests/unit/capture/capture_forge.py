"""Capture files as bytes, written field by field (not with the code under test, not with its constants)."""

import struct
from dataclasses import dataclass

US_MAGIC, NS_MAGIC, PATCHED_MAGIC = 0xA1B2C3D4, 0xA1B23C4D, 0xA1B2CD34


@dataclass(frozen=True)
class Packet:
    sec: int
    frac: int
    data: bytes
    wirelen: int | None = None

    @property
    def wire(self):
        return len(self.data) if self.wirelen is None else self.wirelen


def frames(n, size=60, start=1_700_000_000):
    """`n` different packets of growing length, one second apart."""
    return [Packet(start + i, 17 * i, bytes([i % 251]) * (size + i % 40)) for i in range(n)]


def pcap(packets, order="<", magic=US_MAGIC, linktype=1, version=(2, 4), snaplen=262144):
    out = [struct.pack(f"{order}IHHiIII", magic, *version, 0, 0, snaplen, linktype)]
    for p in packets:
        out.append(struct.pack(f"{order}IIII", p.sec, p.frac, len(p.data), p.wire))
        if magic == PATCHED_MAGIC:
            out.append(struct.pack(f"{order}IHBB", 7, 0x800, 4, 0))
        out.append(p.data)
    return b"".join(out)


class Pcapng:
    """Blocks of a pcapng file, appended one by one; `order` may change with each section."""

    def __init__(self, order="<"):
        self.order = order
        self.out = b""

    def block(self, kind, body, length=None, trailer=None):
        body += bytes(-len(body) % 4)
        total = len(body) + 12 if length is None else length
        last = total if trailer is None else trailer
        self.out += struct.pack(f"{self.order}II", kind, total) + body + struct.pack(f"{self.order}I", last)
        return self

    def section(self, version=(1, 0), options=b""):
        head = struct.pack(f"{self.order}IHHq", 0x1A2B3C4D, *version, -1)
        return self.block(0x0A0D0D0A, head + options)

    def option(self, code, value):
        return struct.pack(f"{self.order}HH", code, len(value)) + value + bytes(-len(value) % 4)

    def interface(self, linktype=1, snaplen=0, tsresol=None, tsoffset=None, more=b""):
        options = more
        if tsresol is not None:
            options += self.option(9, bytes([tsresol]))
        if tsoffset is not None:
            options += self.option(14, struct.pack(f"{self.order}q", tsoffset))
        if options:
            options += self.option(0, b"")
        return self.block(1, struct.pack(f"{self.order}HHI", linktype, 0, snaplen) + options)

    def enhanced(self, data, ticks, interface=0, wirelen=None, options=b"", caplen=None):
        head = struct.pack(
            f"{self.order}5I", interface, ticks >> 32, ticks & 0xFFFFFFFF,
            len(data) if caplen is None else caplen, len(data) if wirelen is None else wirelen,
        )  # fmt: skip
        return self.block(6, head + data + bytes(-len(data) % 4) + options)

    def old_packet(self, data, ticks, interface=0, wirelen=None):
        wire = len(data) if wirelen is None else wirelen
        head = struct.pack(
            f"{self.order}HHIIII", interface, 3, ticks >> 32, ticks & 0xFFFFFFFF, len(data), wire
        )
        return self.block(2, head + data)

    def simple(self, data, wirelen=None):
        return self.block(3, struct.pack(f"{self.order}I", len(data) if wirelen is None else wirelen) + data)


def collect(source):
    """All packets of a source, copied: (source, number, ts, wirelen, linktype, bytes)."""
    found = []
    for block in source.blocks():
        data = block.buf.tobytes()
        for i in range(block.n):
            at, length = int(block.off[i]), int(block.caplen[i])
            assert 0 <= at <= at + length <= len(data)
            found.append(
                (
                    block.source,
                    block.number(i),
                    int(block.ts[i]),
                    int(block.wirelen[i]),
                    int(block.linktype[i]),
                    data[at : at + length],
                )
            )
    return found


def expected(packets, name, frac_ns=1000, linktype=1):
    """What `collect` must give for a classic file."""
    return [
        (name, i, p.sec * 10**9 + p.frac * frac_ns, max(p.wire, len(p.data)), linktype, p.data)
        for i, p in enumerate(packets, 1)
    ]
