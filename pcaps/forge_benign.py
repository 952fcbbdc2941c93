"""Two ordinary minutes on a host: nothing here may alert."""

from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Raw

from pcaps import apps, hello
from pcaps.talk import (
    APP02,
    BROADCAST,
    DB01,
    DNS01,
    FILES01,
    GATEWAY,
    MAIL01,
    WEB03,
    WS21,
    WS22,
    Guest,
    Tcp,
    Wire,
    refused,
)


def arp(wire: Wire, asker: Guest, owner: Guest) -> None:
    wire.put(
        Ether(src=asker.mac, dst=BROADCAST)
        / ARP(op=1, hwsrc=asker.mac, psrc=asker.ip, hwdst="00:00:00:00:00:00", pdst=owner.ip)
    )
    wire.put(
        Ether(src=owner.mac, dst=asker.mac) / ARP(op=2, hwsrc=owner.mac, psrc=owner.ip, hwdst=asker.mac, pdst=asker.ip)
    )


def names(wire: Wire) -> None:
    for client, name, address in (
        (WS21, "www.corp.example", WEB03.ip), (WS22, "app.corp.example", APP02.ip),
        (APP02, "db-01.corp.example", DB01.ip),
        (WEB03, "app-02.corp.example", APP02.ip), (MAIL01, "mx.partner.example", "192.0.2.25"),
    ):  # fmt: skip
        apps.lookup(wire, client, name, "A", address)
        wire.wait(0.8)
    apps.lookup(wire, MAIL01, "partner.example", "TXT", [b"v=spf1 mx -all"])
    apps.lookup(wire, WS21, "nowhere.corp.example", rcode=3)
    # An answer that comes when the client has given up.
    late = IP(src=DNS01.ip, dst=WS22.ip, id=77, ttl=64) / UDP(sport=53, dport=40404) / Raw(bytes(28))
    wire.put(wire.network(WS22, DNS01) / ICMP(type=3, code=3) / late)


def web(wire: Wire) -> None:
    for n in range(6):
        wire.wait(1.5)
        first = apps.request("/", "www.corp.example"), apps.response(apps.page("Welcome", 1800))
        news = apps.request(f"/news?page={n}&sort=union+of+all", "www.corp.example")
        apps.http(wire, WS21 if n % 2 else WS22, WEB03, first, (news, apps.response(apps.page(f"News {n}", 3000))))
    apps.http(
        wire,
        WS21,
        WEB03,
        (apps.request("/favicon.ico", "www.corp.example"), apps.response(b"not found\n", "404 Not Found")),
    )
    body = b'{"order": 4711, "items": [1, 2, 3], "text": "select a union member"}'
    apps.http(wire, WEB03, APP02, (
        apps.request("/api/v1/orders", "app-02:8080", method="POST", agent="orders/2.1", body=body),
        apps.response(b'{"id": 4711}', "201 Created", kind="application/json", server="uvicorn"),
    ), port=8080)  # fmt: skip
    apps.http(wire, APP02, FILES01, (
        apps.request("/releases/tool-1.2.tar.gz", "files-01", agent=apps.CURL),
        apps.response(b"\x1f\x8b\x08\0" + wire.rng.randbytes(2000), kind="application/gzip"),
    ))  # fmt: skip


def services(wire: Wire) -> None:
    hello.tls(wire, WS21, APP02)
    hello.tls(wire, WS22, APP02)
    apps.ssh(wire, WS21, WEB03)
    apps.ssh(wire, WS21, DB01)
    smb = Tcp(wire, WS22, FILES01, 445).open()
    smb.client(apps.smb2_negotiate()).server(apps.smb2_ok(0, 64))
    smb.client(apps.smb2_tree_connect(r"\\files-01\public")).server(apps.smb2_ok(3))
    smb.client(apps.smb2_create(r"reports\2025-06.xlsx")).server(apps.smb2_ok(5, 88))
    smb.client(apps.smb2_write(wire.rng.randbytes(3000))).server(apps.smb2_ok(9))
    smb.close()
    sql = Tcp(wire, APP02, DB01, 5432).open()
    sql.client(b"\0\0\0\x20\0\x03\0\0user\0app\0database\0shop\0\0")
    sql.server(b"R\0\0\0\x17\0\0\0\x0aSCRAM-SHA-256\0\0")
    sql.client(b"p\0\0\0\x36SCRAM-SHA-256\0\0\0\0\x20n,,n=,r=fyko+d2lbbFgONRv9qkxdawL")
    sql.close()
    mail = Tcp(wire, APP02, MAIL01, 25).open()
    mail.server("220 mail-01.corp.example ESMTP Postfix\r\n").client("EHLO app-02\r\n").server(
        "250-mail-01\r\n250 STARTTLS\r\n"
    )
    mail.client("STARTTLS\r\n").server("220 2.0.0 Ready to start TLS\r\n")
    mail.close()


def small(wire: Wire) -> None:
    for n in range(10):
        wire.ping(APP02, DB01, n)
        wire.wait(1.0)
    refused(wire, WS21, APP02, 8443)
    refused(wire, WS22, WEB03, 8081)
    poll = (
        bytes.fromhex("302902010104077838")
        + b"Kq2wz"
        + bytes.fromhex("a01b02020101020100020100300f300d06092b060102010101050005 00")
    )
    wire.udp(GATEWAY, FILES01, 50123, 161, poll)
    wire.udp(APP02, GATEWAY, 123, 123, b"\x23\x02\x06\xe8" + bytes(36) + wire.rng.randbytes(8))


def renewal(wire: Wire) -> None:
    """A lease is renewed: request and acknowledgement, no offer."""
    for src, dst, op, kind in ((WS21, GATEWAY, 1, "request"), (GATEWAY, WS21, 2, "ack")):
        sport, dport = (68, 67) if op == 1 else (67, 68)
        options = [
            ("message-type", kind),
            ("server_id", GATEWAY.ip),
            *([("hostname", b"ws-21")] if op == 1 else []),
            "end",
        ]
        dhcp = BOOTP(op=op, xid=0x2107, ciaddr=WS21.ip, yiaddr=WS21.ip if op == 2 else "0.0.0.0",
                     chaddr=bytes.fromhex(WS21.mac.replace(":", ""))) / DHCP(options=options)  # fmt: skip
        wire.put(wire.network(src, dst) / UDP(sport=sport, dport=dport) / dhcp)


def captures() -> dict[str, Wire]:
    wire = Wire(seed=1)
    for asker, owner in ((WS21, GATEWAY), (WS21, WEB03), (WS22, FILES01), (APP02, DB01)):
        arp(wire, asker, owner)
        wire.wait(0.3)
    for part in (names, web, services, small, renewal):
        part(wire)
        wire.wait(20)
    return {"benign": wire}
