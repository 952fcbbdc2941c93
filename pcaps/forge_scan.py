"""A guest looks around: sweeps, port scans of every kind, the scanners' own marks."""

from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.packet import Raw

from pcaps import apps
from pcaps.talk import APP02, ATTACKER, DB01, FILES01, GATEWAY, WEB03, WS21, Guest, Tcp, Wire, guest, refused

NMAP_SYN = {"window": 1024, "options": [("MSS", 1460)]}
NSE = "Mozilla/5.0 (compatible; Nmap Scripting Engine; https://nmap.org/book/nse.html)"


def neighbours(first: int, count: int) -> list[Guest]:
    """Addresses on the bridge, most of them nobody's."""
    return [guest(f"host-{n}", n) for n in range(first, first + count)]


def syn(
    wire: Wire, dst: Guest, port: int, flags: str = "S", ttl: int = 64, ident: int | None = None, **fields: object
) -> None:
    """One TCP packet of the attacker that nobody answers."""
    packet = wire.network(ATTACKER, dst, ttl=ttl, flags=0)
    if ident is not None:
        packet[IP].id = ident
    seq = wire.rng.randrange(1 << 32)
    wire.put(
        packet / TCP(sport=wire.port(ATTACKER), dport=port, seq=seq, flags=flags, **({"window": 1024} | fields)), 0.002
    )


def ping_sweep(wire: Wire) -> None:
    """40 empty echo requests; six guests answer."""
    for n, dst in enumerate(neighbours(1, 40)):
        wire.ping(ATTACKER, dst, n, b"", reply=n in {0, 1, 10, 11, 12, 13})
        wire.wait(0.01)


def syn_scan(wire: Wire, dst: Guest, open_ports: set[int], ports: range) -> None:
    """What `nmap -sS` sends: an open port answers and is reset, a closed one refuses."""
    for port in ports:
        if port not in open_ports:
            refused(wire, ATTACKER, dst, port, **NMAP_SYN)
            continue
        talk = Tcp(wire, ATTACKER, dst, port)
        talk.send(0, "S", **NMAP_SYN)
        talk.send(1, "SA", window=64240, options=[("MSS", 1460)])
        wire.put(talk.segment(0, "R", window=0))


def ack_scan(wire: Wire) -> None:
    """Segments of no connection: whatever lets them through answers with a reset."""
    for n in range(60):
        probe = Tcp(wire, ATTACKER, FILES01, 1000 + n)
        wire.put(probe.segment(0, "A", window=1024))
        answer = TCP(sport=probe.ports[1], dport=probe.ports[0], seq=probe.seq[1], flags="R", window=0)
        wire.put(wire.network(FILES01, ATTACKER) / answer)


def odd_flags(wire: Wire) -> None:
    for flags in ("F", "", "FPU"):
        for port in range(20, 30):
            syn(wire, DB01, port, flags)
    syn(wire, DB01, 22, "SFPU", options=[("WScale", 10), ("NOP", None), ("MSS", 265)])


def system_probes(wire: Wire) -> None:
    wire.put(wire.network(ATTACKER, DB01) / ICMP(type=8, code=9, id=0x77, seq=295) / Raw(bytes(120)))
    wire.put(wire.network(ATTACKER, DB01) / UDP(sport=50101, dport=41000) / Raw(b"C" * 300))


def udp_scan(wire: Wire) -> None:
    for n in range(30):
        probe = IP(src=ATTACKER.ip, dst=APP02.ip, id=wire.ident(ATTACKER.ip), ttl=48) / UDP(sport=50200, dport=1000 + n)
        wire.put(wire.network(ATTACKER, APP02) / probe[UDP])
        wire.put(wire.network(APP02, ATTACKER) / ICMP(type=3, code=3) / probe)
        wire.wait(0.05)


def fast_scanners(wire: Wire) -> None:
    for n, dst in enumerate(neighbours(100, 12)):
        syn(wire, dst, 8080, ttl=255, ident=1000 + 7 * n)
    for dst in neighbours(120, 6):
        syn(wire, dst, 9200, ttl=250, ident=54321, window=65535)


def sweeps(wire: Wire) -> None:
    """One service on host after host, with the options of an ordinary stack."""
    options = [("MSS", 1460), ("SAckOK", b""), ("NOP", None), ("WScale", 7)]
    for port, count in ((22, 16), (23, 11), (445, 26), (3389, 16)):
        for dst in neighbours(130, count):
            syn(wire, dst, port, window=64240, options=options)
        wire.wait(15)


def content_discovery(wire: Wire) -> None:
    words = ("admin", "backup", "test", "old", "dev", "api", "login", "upload", "config", "db")
    talk = Tcp(wire, ATTACKER, WEB03, 80).open()
    for n in range(45):
        ask = apps.request(f"/{words[n % 10]}{n}", "web-03", agent=NSE)
        talk.client(ask).server(apps.response(b"not found\n", "404 Not Found"))
        wire.wait(0.1)
    talk.close()


def communities(wire: Wire) -> None:
    for n in range(65):
        name = f"community{n:02d}".encode()
        pdu = bytes.fromhex("a019020101020100020100300e300c06082b060102010101000500")
        inner = b"\x02\x01\x01\x04" + bytes([len(name)]) + name + pdu
        wire.udp(ATTACKER, GATEWAY, 50300, 161, b"\x30" + bytes([len(inner)]) + inner)
        wire.wait(0.05)


def captures() -> dict[str, Wire]:
    wire = Wire(seed=2)
    ping_sweep(wire)
    wire.wait(15)
    syn_scan(wire, DB01, {1433}, range(1400, 1460))
    wire.wait(15)
    for part in (ack_scan, odd_flags, system_probes, udp_scan, fast_scanners, sweeps, content_discovery, communities):
        part(wire)
        wire.wait(15)
    apps.http(wire, WS21, FILES01, (apps.request("/", "files-01"), apps.response(apps.page("Files"))))
    return {"scan": wire}
