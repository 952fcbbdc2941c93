"""What the forge scripts share: guests, a wire that collects frames, TCP and UDP conversations.

Everything is explicit (addresses, identifications, sequence numbers, times), so that the same script makes the same
bytes anywhere: no clock, no routing table, no randomness but a seeded one.
"""

from __future__ import annotations

import logging
import random
import struct
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

logging.getLogger("scapy").setLevel(logging.ERROR)  # before scapy looks at this machine's interfaces and says so

from scapy.layers.inet import ICMP, IP, TCP, UDP  # noqa: E402
from scapy.layers.inet6 import IPv6  # noqa: E402
from scapy.layers.l2 import Ether  # noqa: E402
from scapy.packet import NoPayload, Raw  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from scapy.packet import Packet

START = 1_750_000_000
"""2025-06-15 15:06:40 UTC: the first second of every capture."""


@dataclass(frozen=True)
class Guest:
    name: str
    mac: str
    ip: str
    ip6: str


def guest(name: str, number: int) -> Guest:
    """A guest on the bridge; MACs are of Xen's range 00:16:3e."""
    return Guest(name, f"00:16:3e:20:00:{number:02x}", f"10.20.0.{number}", f"fd00:20::{number:x}")


GATEWAY = guest("gateway", 1)
DNS01 = guest("dns-01", 2)
DB01 = guest("db-01", 11)
APP02 = guest("app-02", 12)
WEB03 = guest("web-03", 13)
FILES01 = guest("files-01", 14)
MAIL01 = guest("mail-01", 15)
DC01 = guest("dc-01", 16)
CI01 = guest("ci-01", 17)
WS21 = guest("ws-21", 21)
WS22 = guest("ws-22", 22)
ATTACKER = guest("kali-07", 66)
"""The guest that an attacker has taken over."""

BROADCAST = "ff:ff:ff:ff:ff:ff"


class Wire:
    """Frames with their times; written in order of time."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.now = 0.0
        """Seconds since START."""
        self.shape: Callable[[Packet], Iterable[Packet]] = lambda frame: (frame,)
        """What becomes of each frame: VLAN tags, tunnels, fragments."""
        self.frames: list[tuple[int, bytes, int]] = []
        """(microseconds since START, bytes, order of making)"""
        self._idents: dict[str, int] = defaultdict(lambda: self.rng.randrange(1, 60000))
        self._ports: dict[str, int] = defaultdict(lambda: self.rng.randrange(32768, 50000))

    def at(self, seconds: float) -> Wire:
        self.now = seconds
        return self

    def wait(self, seconds: float) -> Wire:
        self.now += seconds
        return self

    def port(self, who: Guest) -> int:
        """The next client port of a guest."""
        self._ports[who.ip] += self.rng.choice((2, 4, 6))
        return self._ports[who.ip]

    def ident(self, ip: str) -> int:
        """The next IP identification of an address."""
        self._idents[ip] = (self._idents[ip] + 1) & 0xFFFF
        return self._idents[ip]

    def put(self, frame: Packet, gap: float = 0.0) -> None:
        """Add a frame now; the next one comes `gap` seconds (and a little) later."""
        for part in self.shape(frame):
            self.raw(octets(part))
        self.now += gap or self.rng.uniform(0.00005, 0.0004)

    def raw(self, data: bytes) -> None:
        self.frames.append((round(self.now * 1e6), data, len(self.frames)))

    def network(self, src: Guest, dst: Guest, *, v6: bool = False, **fields: object) -> Packet:
        """Ethernet and IP headers of a packet from one guest to another."""
        link = Ether(src=src.mac, dst=dst.mac)
        if v6:
            return link / IPv6(src=src.ip6, dst=dst.ip6, hlim=64, **fields)
        return link / IP(src=src.ip, dst=dst.ip, **{"id": self.ident(src.ip), "flags": "DF", "ttl": 64} | fields)

    def udp(self, src: Guest, dst: Guest, sport: int, dport: int, data: bytes, **fields: object) -> None:
        self.put(self.network(src, dst, **fields) / UDP(sport=sport, dport=dport) / Raw(data))

    def ping(self, src: Guest, dst: Guest, number: int, data: bytes | None = None, *, reply: bool = True) -> None:
        """One echo request; data as iputils fills it unless given."""
        data = bytes(range(0x10, 0x48)) if data is None else data
        self.put(self.network(src, dst) / ICMP(type=8, id=0x1C2D, seq=number) / Raw(data))
        if reply:
            self.put(self.network(dst, src, flags=0) / ICMP(type=0, id=0x1C2D, seq=number) / Raw(data))

    def save(self, path: Path) -> None:
        path.write_bytes(self.pcap())

    def pcap(self) -> bytes:
        """The capture as pcap file, version 2.4, microseconds, Ethernet."""
        out = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1)]
        for when, data, _ in sorted(self.frames, key=lambda f: (f[0], f[2])):
            seconds, micros = divmod(when, 1_000_000)
            out += struct.pack("<IIII", START + seconds, micros, len(data), len(data)), data
        return b"".join(out)


def octets(packet: Packet) -> bytes:
    """The bytes of a packet that stands for one, not for many: scapy need not copy each layer to find that out."""
    layer = packet
    while not isinstance(layer, NoPayload):
        layer.explicit = 1
        layer = layer.payload
    return bytes(packet)


SYN_OPTIONS = [("MSS", 1460), ("SAckOK", b""), ("NOP", None), ("WScale", 7)]


class Tcp:
    """A TCP conversation. Sides: 0 client, 1 server."""

    def __init__(self, wire: Wire, client: Guest, server: Guest, port: int, *, sport: int = 0, v6: bool = False,
                 mss: int = 1460) -> None:  # fmt: skip
        self.wire, self.v6, self.mss = wire, v6, mss
        self.ends = (client, server)
        self.ports = (sport or wire.port(client), port)
        self.seq = [wire.rng.randrange(1 << 20, 1 << 31), wire.rng.randrange(1 << 20, 1 << 31)]

    def segment(self, side: int, flags: str, data: bytes = b"", *, seq: int | None = None, **fields: object) -> Packet:
        """Build a segment; nothing is sent and no state changes."""
        src, dst = self.ends[side], self.ends[1 - side]
        tcp = TCP(
            sport=self.ports[side], dport=self.ports[1 - side], seq=self.seq[side] if seq is None else seq & 0xFFFFFFFF,
            ack=self.seq[1 - side] if "A" in flags else 0, flags=flags, **{"window": 502} | fields,
        )  # fmt: skip
        packet = self.wire.network(src, dst, v6=self.v6) / tcp
        return packet / Raw(data) if data else packet

    def send(self, side: int, flags: str, data: bytes = b"", **fields: object) -> None:
        self.wire.put(self.segment(side, flags, data, **fields))
        self.seq[side] = (self.seq[side] + len(data) + sum(f in flags for f in "SF")) & 0xFFFFFFFF

    def open(self) -> Tcp:
        self.send(0, "S", window=64240, options=SYN_OPTIONS)
        self.send(1, "SA", window=65160, options=SYN_OPTIONS)
        self.send(0, "A")
        return self

    def say(self, side: int, data: bytes | str) -> Tcp:
        """Send bytes in segments; the other side acknowledges every second one and the last."""
        data = data.encode() if isinstance(data, str) else data
        starts = range(0, len(data), self.mss)
        for n, at in enumerate(starts):
            last = at + self.mss >= len(data)
            self.send(side, "PA" if last else "A", data[at : at + self.mss])
            if n % 2 or last:
                self.send(1 - side, "A")
        return self

    def client(self, data: bytes | str) -> Tcp:
        return self.say(0, data)

    def server(self, data: bytes | str) -> Tcp:
        return self.say(1, data)

    def wait(self, seconds: float) -> Tcp:
        self.wire.wait(seconds)
        return self

    def close(self, first: int = 0) -> None:
        self.send(first, "FA")
        self.send(1 - first, "FA")
        self.send(first, "A")

    def reset(self, side: int = 1) -> None:
        self.send(side, "RA")


def refused(wire: Wire, client: Guest, server: Guest, port: int, **fields: object) -> None:
    """A connection to a closed port."""
    talk = Tcp(wire, client, server, port)
    talk.send(0, "S", **{"window": 64240, "options": SYN_OPTIONS} | fields)
    talk.seq[1] = 0
    talk.send(1, "RA", window=0)
