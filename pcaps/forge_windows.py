"""Remote execution and credential theft in a Windows domain, as far as it stands in clear."""

import struct
import uuid

from pcaps import apps
from pcaps.talk import ATTACKER, DB01, DC01, FILES01, WS21, WS22, Guest, Tcp, Wire, guest

SVCCTL = uuid.UUID("367abb81-9844-35f1-ad32-98f038001003").bytes_le
DRSUAPI = uuid.UUID("e3514235-4b06-11d1-ab04-00c04fc2dcd2").bytes_le
NETLOGON = uuid.UUID("12345678-1234-abcd-ef00-01234567cffb").bytes_le


def smb(wire: Wire, client: Guest, server: Guest) -> Tcp:
    talk = Tcp(wire, client, server, 445).open()
    talk.client(apps.smb2_negotiate()).server(apps.smb2_ok(0, 64))
    talk.client(apps.smb2(1, struct.pack("<HBBIIHHQ", 25, 0, 1, 0, 0, 88, 0, 0))).server(apps.smb2_ok(1, 8))
    return talk


def psexec(wire: Wire, client: Guest, server: Guest) -> None:
    """ADMIN$, a program, a service made through svcctl, the service's pipes."""
    talk = smb(wire, client, server)
    talk.client(apps.smb2_tree_connect(rf"\\{server.name}\ADMIN$")).server(apps.smb2_ok(3))
    talk.client(apps.smb2_create("PSEXESVC.exe")).server(apps.smb2_ok(5, 88))
    stub = (
        b"MZ\x90\0"
        + bytes(60)
        + b"\x0e\x1f\xba\x0e\0\xb4\x09\xcd\x21\xb8\x01\x4c\xcd\x21This program cannot be run in DOS mode.\r\r\n$"
    )
    talk.client(apps.smb2_write(stub + wire.rng.randbytes(4000))).server(apps.smb2_ok(9))
    talk.client(apps.smb2_tree_connect(rf"\\{server.name}\IPC$")).server(apps.smb2_ok(3))
    talk.client(apps.smb2_create("svcctl")).server(apps.smb2_ok(5, 88))
    talk.client(apps.smb2_write(apps.rpc_bind(SVCCTL, 2))).server(apps.smb2_ok(9))
    name = "PSEXESVC\0".encode("utf-16-le")
    talk.client(apps.smb2_write(apps.rpc_request(12, bytes(20) + name + wire.rng.randbytes(120)))).server(
        apps.smb2_ok(9)
    )
    for pipe in ("stdin", "stdout", "stderr"):
        talk.client(apps.smb2_create(f"PSEXESVC-KALI-07-4711-{pipe}")).server(apps.smb2_ok(5, 88))
    talk.close()


def dcsync(wire: Wire) -> None:
    talk = Tcp(wire, ATTACKER, DC01, 49667).open()
    talk.client(apps.rpc_bind(DRSUAPI, 4)).server(apps.rpc_bind_ack())
    talk.client(apps.rpc_request(0, wire.rng.randbytes(60))).server(apps.rpc_response(wire.rng.randbytes(60)))
    talk.client(apps.rpc_request(3, wire.rng.randbytes(300), 3)).server(apps.rpc_response(wire.rng.randbytes(4000), 3))
    talk.close()


def zerologon(wire: Wire) -> None:
    """NetrServerReqChallenge and NetrServerAuthenticate3 with zeros until the server takes them."""
    talk = Tcp(wire, ATTACKER, DC01, 49668).open()
    talk.client(apps.rpc_bind(NETLOGON)).server(apps.rpc_bind_ack())

    def text(value: str) -> bytes:
        raw = (value + "\0").encode("utf-16-le")
        return struct.pack("<III", len(value) + 1, 0, len(value) + 1) + raw + bytes(-len(raw) % 4)

    server = struct.pack("<I", 0x20000) + text(r"\\DC-01")
    for n in range(12):
        challenge = server + text("DC-01") + bytes(8)
        talk.client(apps.rpc_request(4, challenge, 2 * n + 2)).server(
            apps.rpc_response(wire.rng.randbytes(8) + bytes(4), 2 * n + 2)
        )
        attempt = (
            server
            + text("DC-01$")
            + struct.pack("<HH", 6, 0)
            + text("DC-01")
            + bytes(8)
            + struct.pack("<I", 0x212FFFFF)
        )
        denied = bytes(16) + struct.pack("<I", 0xC0000022)
        talk.client(apps.rpc_request(26, attempt, 2 * n + 3)).server(apps.rpc_response(denied, 2 * n + 3))
    talk.close()


def share_sweep(wire: Wire) -> None:
    for n in range(22):
        server = guest(f"host-{n}", 140 + n)
        talk = smb(wire, ATTACKER, server)
        talk.client(apps.smb2_tree_connect(rf"\\{server.ip}\IPC$")).server(apps.smb2_ok(3))
        talk.close()
        wire.wait(0.2)


def eternalblue(wire: Wire) -> None:
    """SMB1 agreed upon, then the reserved Trans2 subcommand as DoublePulsar's ping sends it."""
    talk = Tcp(wire, ATTACKER, WS22, 445).open()
    dialects = b"\x02PC NETWORK PROGRAM 1.0\0\x02NT LM 0.12\0"
    head = bytes.fromhex("ff534d4272000000001801280000000000000000000000000000fffe0000000000")
    ask = head + struct.pack("<H", len(dialects)) + dialects
    talk.client(struct.pack(">I", len(ask)) + ask)
    answer = head[:9] + b"\x98" + head[10:32] + b"\x11\x01\0" + bytes(35)
    talk.server(struct.pack(">I", len(answer)) + answer)
    ping = bytes.fromhex(
        "ff534d4232000000001807c00000000000000000000000000008fffe000841000f0c0000000100000000000000"
        "0134ee0000000c00420000004e0001000e000d0000000000000000000000000000"
    )
    talk.client(struct.pack(">I", len(ping)) + ping)
    talk.server(struct.pack(">I", 35) + ping[:5] + b"\x02\0\0\xc0\x98" + ping[10:30] + b"\x51\0\0\0\0")
    talk.close()


def mssql(wire: Wire) -> None:
    talk = Tcp(wire, WS21, DB01, 1433).open()
    for text in ("EXEC sp_configure 'show advanced options', 1; RECONFIGURE;", "EXEC xp_cmdshell 'whoami'"):
        raw = bytes.fromhex("160000001200000002000000000000000000") + b"\x01\0\0\0" + text.encode("utf-16-le")
        talk.client(struct.pack(">BBHHBB", 1, 1, 8 + len(raw), 0, 1, 0) + raw)
        talk.server(b"\x04\x01\0\x15\0\x35\x01\0\xfd\0\0\xfd\0" + bytes(8))
    talk.close()


def winrm(wire: Wire) -> None:
    body = b"<s:Envelope><s:Body><rsp:CommandLine><rsp:Command>whoami</rsp:Command></rsp:CommandLine></s:Body>"
    ask = apps.request(
        "/wsman", "db-01:5985", method="POST", agent="Ruby WinRM Client (2.8.3, ruby 3.1.2 (2022-04-12))", body=body
    )
    answer = apps.response(b"<s:Envelope/>", kind="application/soap+xml", server="Microsoft-HTTPAPI/2.0")
    apps.http(wire, ATTACKER, DB01, (ask, answer), port=5985)


def captures() -> dict[str, Wire]:
    wire = Wire(seed=4)
    psexec(wire, ATTACKER, FILES01)
    for part in (dcsync, zerologon, share_sweep, eternalblue, mssql, winrm):
        wire.wait(20)
        part(wire)
    return {"windows": wire}
