"""Passwords in clear, protocol by protocol, and two that are guessed."""

from scapy.layers.inet import UDP
from scapy.layers.tftp import TFTP, TFTP_ACK, TFTP_DATA, TFTP_RRQ

from pcaps import apps
from pcaps.talk import APP02, ATTACKER, CI01, DB01, DC01, FILES01, GATEWAY, MAIL01, WEB03, WS21, WS22, Tcp, Wire


def lines(wire: Wire, client, server, port: int, script: str) -> None:
    """A conversation of lines: `C: …` and `S: …`."""
    talk = Tcp(wire, client, server, port).open()
    for line in script.strip().splitlines():
        who, _, text = line.strip().partition(": ")
        talk.say(0 if who == "C" else 1, text + "\r\n")
        wire.wait(0.05)
    talk.close()


FTP = """
S: 220 files-01 FTP server (vsFTPd 3.0.3)
C: USER backup
S: 331 Please specify the password.
C: PASS Winter2025
S: 230 Login successful.
C: QUIT
S: 221 Goodbye.
"""
POP3 = """
S: +OK Dovecot ready.
C: USER anna
S: +OK
C: PASS s3cret
S: +OK Logged in.
C: QUIT
S: +OK Logging out.
"""
IMAP = """
S: * OK [CAPABILITY IMAP4rev1 SASL-IR] Dovecot ready.
C: a1 LOGIN anna s3cret
S: a1 OK Logged in
C: a2 LOGOUT
S: * BYE Logging out
"""
SMTP = """
S: 220 mail-01.corp.example ESMTP Postfix
C: EHLO app-02
S: 250 AUTH PLAIN LOGIN
C: AUTH PLAIN AGFubmEAczNjcmV0
S: 235 2.7.0 Authentication successful
"""


def telnet(wire: Wire) -> None:
    talk = Tcp(wire, WS22, GATEWAY, 23).open()
    talk.server(b"\xff\xfd\x18\xff\xfd\x20\xff\xfd\x23\xff\xfd\x27").client(
        b"\xff\xfc\x18\xff\xfc\x20\xff\xfc\x23\xff\xfc\x27"
    )
    talk.server("gateway login: ")
    for letter in "admin\r\n":
        talk.client(letter).server(letter)
    talk.server("Password: ").client("s3cret\r\n").server("\r\ngateway> ")
    talk.close()


def directory(wire: Wire) -> None:
    talk = Tcp(wire, APP02, DC01, 389).open()
    name, word = b"cn=app,ou=services,dc=corp,dc=example", b"s3cret"
    bind = b"\x02\x01\x03\x04" + bytes([len(name)]) + name + b"\x80" + bytes([len(word)]) + word
    op = b"\x02\x01\x01\x60" + bytes([len(bind) - 1 + 1]) + bind[:1] + bind[1:]
    talk.client(b"\x30" + bytes([len(op)]) + op).server(bytes.fromhex("300c02010161070a010004000400"))
    talk.close()


def databases(wire: Wire) -> None:
    sql = Tcp(wire, APP02, DB01, 5432).open()
    sql.client(b"\0\0\0\x20\0\x03\0\0user\0app\0database\0shop\0\0").server(b"R\0\0\0\x08\0\0\0\x03")
    sql.client(b"p\0\0\0\x0bs3cret\0").server(b"R\0\0\0\x08\0\0\0\0")
    sql.close()
    redis = Tcp(wire, WEB03, APP02, 6379).open()
    redis.client("*2\r\n$4\r\nAUTH\r\n$6\r\ns3cret\r\n").server("+OK\r\n")
    redis.close()


def web(wire: Wire) -> None:
    basic = apps.request("/admin", "ci-01", headers={"Authorization": "Basic YWRtaW46czNjcmV0"})
    form = apps.request("/login", "ci-01", method="POST", body=b"user=anna&password=s3cret")
    apps.http(wire, WS21, CI01, (basic, apps.response(apps.page("Admin"))), (form, apps.response(apps.page("Welcome"))))


def consoles(wire: Wire) -> None:
    """VNC consoles: one asks for a password, one for nothing."""
    for port, types in ((5901, b"\x01\x02"), (5902, b"\x01\x01")):
        talk = Tcp(wire, WS21, CI01, port).open()
        talk.server("RFB 003.008\n").client("RFB 003.008\n").server(types).client(types[1:])
        talk.server(wire.rng.randbytes(16) if types[1] == 2 else bytes(4))
        talk.close()


def files(wire: Wire) -> None:
    ask = TFTP(op=1) / TFTP_RRQ(filename=b"switch.cfg", mode=b"octet")
    wire.put(wire.network(WS22, FILES01) / UDP(sport=40123, dport=69) / ask)
    data = TFTP(op=3) / TFTP_DATA(block=1) / b"hostname switch-1\n"
    wire.put(wire.network(FILES01, WS22) / UDP(sport=40999, dport=40123) / data)
    wire.put(wire.network(WS22, FILES01) / UDP(sport=40123, dport=40999) / TFTP(op=4) / TFTP_ACK(block=1))


def poll(wire: Wire) -> None:
    pdu = bytes.fromhex("302602010104067075626c6963a019020101020100020100300e300c06082b060102010101000500")
    wire.udp(APP02, GATEWAY, 50400, 161, pdu)


def guessing(wire: Wire) -> None:
    talk = Tcp(wire, ATTACKER, FILES01, 21).open()
    talk.server("220 files-01 FTP server (vsFTPd 3.0.3)\r\n")
    for n in range(10):
        talk.client("USER backup\r\n").server("331 Please specify the password.\r\n")
        talk.client(f"PASS Summer20{n:02d}\r\n").server("530 Login incorrect.\r\n")
        wire.wait(1.0)
    talk.close()
    wire.wait(5)
    for n in range(22):
        ask = apps.request("/admin", "ci-01", headers={"Authorization": f"Basic YWRtaW46{n:04d}"})
        refusal = apps.response(b"", "401 Unauthorized", headers={"WWW-Authenticate": 'Basic realm="ci"'})
        apps.http(wire, ATTACKER, CI01, (ask, refusal))
        wire.wait(0.5)


def captures() -> dict[str, Wire]:
    wire = Wire(seed=6)
    lines(wire, APP02, FILES01, 21, FTP)
    lines(wire, WS21, MAIL01, 110, POP3)
    lines(wire, WS22, MAIL01, 143, IMAP)
    lines(wire, APP02, MAIL01, 587, SMTP)
    for part in (telnet, directory, databases, web, consoles, files, poll, guessing):
        wire.wait(3)
        part(wire)
    return {"cleartext": wire}
