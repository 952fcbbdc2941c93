"""Messages of application protocols as bytes, and the conversations that carry them."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from scapy.layers.dns import DNS, DNSQR, DNSRR

from pcaps.talk import DNS01, Guest, Tcp, Wire

if TYPE_CHECKING:
    from collections.abc import Mapping

CURL = "curl/8.5.0"
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"


def request(path: str, host: str, *, method: str = "GET", agent: str = BROWSER, body: bytes = b"",
            headers: Mapping[str, str] | None = None) -> bytes:  # fmt: skip
    """An HTTP/1.1 request."""
    lines = {"Host": host, "User-Agent": agent, "Accept": "*/*"} | dict(headers or {})
    if body:
        lines["Content-Length"] = str(len(body))
    head = f"{method} {path} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in lines.items())
    return head.encode() + b"\r\n" + body


def response(body: bytes = b"", status: str = "200 OK", *, kind: str = "text/html; charset=utf-8",
             server: str = "nginx/1.22.1", headers: Mapping[str, str] | None = None) -> bytes:  # fmt: skip
    """An HTTP/1.1 response."""
    lines = {"Server": server, "Content-Type": kind, "Content-Length": str(len(body))} | dict(headers or {})
    head = f"HTTP/1.1 {status}\r\n" + "".join(f"{k}: {v}\r\n" for k, v in lines.items())
    return head.encode() + b"\r\n" + body


def http(wire: Wire, client: Guest, server: Guest, *pairs: tuple[bytes, bytes], port: int = 80, **talk: object) -> None:
    """One connection with any number of requests and responses."""
    tcp = Tcp(wire, client, server, port, **talk).open()
    for ask, answer in pairs:
        tcp.client(ask)
        wire.wait(0.004)
        tcp.server(answer)
    tcp.close()


def page(title: str, size: int = 400) -> bytes:
    """A harmless page."""
    line = f"<p>{title}: the quick brown fox jumps over the lazy dog.</p>\n"
    head = f"<!doctype html><html><head><title>{title}</title></head><body>\n"
    return f"{head}{line * (size // len(line))}</body></html>\n".encode()


def lookup(wire: Wire, client: Guest, name: str, kind: str = "A", answer: object = None, *, server: Guest = DNS01,
           rcode: int = 0) -> None:  # fmt: skip
    """A DNS question and its answer."""
    number, port = wire.rng.randrange(1 << 16), wire.port(client)
    question = DNSQR(qname=name, qtype=kind)
    wire.udp(client, server, port, 53, bytes(DNS(id=number, rd=1, qd=question)))
    record = {} if answer is None else {"an": DNSRR(rrname=name, type=kind, ttl=300, rdata=answer)}
    wire.wait(0.002)
    wire.udp(server, client, 53, port, bytes(DNS(id=number, qr=1, rd=1, ra=1, rcode=rcode, qd=question, **record)))


# ---- SSH (RFC 4253)


def kexinit(rng_bytes: bytes) -> bytes:
    """SSH_MSG_KEXINIT with the usual algorithms."""
    lists = (
        b"curve25519-sha256,ecdh-sha2-nistp256,diffie-hellman-group14-sha256",
        b"ssh-ed25519,rsa-sha2-512",
        *(b"chacha20-poly1305@openssh.com,aes256-gcm@openssh.com",) * 2,
        *(b"hmac-sha2-256-etm@openssh.com",) * 2,
        *(b"none",) * 2,
        *(b"",) * 2,
    )
    body = b"\x14" + rng_bytes + b"".join(struct.pack(">I", len(x)) + x for x in lists) + bytes(5)
    pad = 8 - (len(body) + 5) % 8 + 8
    return struct.pack(">IB", len(body) + pad + 1, pad) + body + bytes(pad)


def ssh(wire: Wire, client: Guest, server: Guest, *, port: int = 22, software: str = "OpenSSH_9.6p1 Debian-4",
        exchanges: int = 3) -> None:  # fmt: skip
    """Banners, key exchange, some encrypted records."""
    tcp = Tcp(wire, client, server, port).open()
    tcp.client(f"SSH-2.0-{software}\r\n")
    tcp.server("SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n")
    tcp.client(kexinit(wire.rng.randbytes(16)))
    tcp.server(kexinit(wire.rng.randbytes(16)))
    for side in (0, 1):
        tcp.say(side, b"\x00\x00\x00\x0c\x0a\x15" + bytes(10))
    for _ in range(exchanges):
        tcp.client(wire.rng.randbytes(64)).server(wire.rng.randbytes(96))
    tcp.close()


# ---- SMB2 (MS-SMB2) and DCE/RPC (C706)


def smb2(command: int, body: bytes, *, number: int = 1, tree: int = 0, response: bool = False) -> bytes:
    """A message with its NetBIOS length."""
    head = b"\xfeSMB" + struct.pack(
        "<HHIHHIIQIIQ", 64, 1, 0, command, 1, int(response), 0, number, 0xFEFF, tree, 0x400000000001
    )
    message = head + bytes(16) + body
    return struct.pack(">I", len(message)) + message


def smb2_negotiate() -> bytes:
    return smb2(0, struct.pack("<HHHHI", 36, 2, 1, 0, 0x7F) + bytes(24) + struct.pack("<HH", 0x0202, 0x0210))


def smb2_tree_connect(path: str) -> bytes:
    name = path.encode("utf-16-le")
    return smb2(3, struct.pack("<HHHH", 9, 0, 72, len(name)) + name, number=4)


def smb2_create(name: str) -> bytes:
    raw = name.encode("utf-16-le")
    fixed = struct.pack("<HBBIQQIIIIIHHII", 57, 0, 0, 2, 0, 0, 0x12019F, 0, 3, 1, 0x40, 120, len(raw), 0, 0)
    return smb2(5, fixed + raw, number=5, tree=1)


def smb2_write(data: bytes, offset: int = 0) -> bytes:
    return smb2(
        9, struct.pack("<HHIQQQIIHHI", 49, 112, len(data), offset, 1, 1, 0, 0, 0, 0, 0) + data, number=6, tree=1
    )


def smb2_ok(command: int, size: int = 16) -> bytes:
    """A response of which only the header means anything."""
    return smb2(command, struct.pack("<H", size + 1) + bytes(size), response=True)


def rpc_bind(interface: bytes, version: int = 1) -> bytes:
    """A bind request; interface: UUID as on the wire (little-endian)."""
    ndr = bytes.fromhex("045d888aeb1cc9119fe808002b104860")
    context = struct.pack("<HBB", 0, 1, 0) + interface + struct.pack("<HH", version, 0) + ndr + struct.pack("<I", 2)
    body = struct.pack("<HHI", 4280, 4280, 0) + b"\x01\0\0\0" + context
    return b"\x05\x00\x0b\x03\x10\0\0\0" + struct.pack("<HHI", 16 + len(body), 0, 1) + body


def rpc_bind_ack() -> bytes:
    body = (
        struct.pack("<HHI", 4280, 4280, 0x53F0) + struct.pack("<H", 4) + b"135\0" + bytes(2) + b"\x01\0\0\0" + bytes(24)
    )
    return b"\x05\x00\x0c\x03\x10\0\0\0" + struct.pack("<HHI", 16 + len(body), 0, 1) + body


def rpc_request(operation: int, stub: bytes, call: int = 2) -> bytes:
    body = struct.pack("<IHH", len(stub), 0, operation) + stub
    return b"\x05\x00\x00\x03\x10\0\0\0" + struct.pack("<HHI", 16 + len(body), 0, call) + body


def rpc_response(stub: bytes, call: int = 2) -> bytes:
    body = struct.pack("<IHBB", len(stub), 0, 0, 0) + stub
    return b"\x05\x00\x02\x03\x10\0\0\0" + struct.pack("<HHI", 16 + len(body), 0, call) + body
