"""Hand-made bytes of TLS, SSH and DHCP, and a driver that feeds them whole or cut."""

import base64
import struct

TO_SERVER, TO_CLIENT = 0, 1

CERT = base64.b64decode(
    "MIICrjCCAlSgAwIBAgIDAP8BMAoGCCqGSM49BAMCMIGjMQswCQYDVQQGEwJVUzENMAsGA1UECAwEV2FzaDETMBEGA1UECgwKQWNt"
    "ZSwgSW5jLjELMAkGA1UECwwCVTExCzAJBgNVBAsMAlUyMQ0wCwYDVQQDDARob3N0MRQwEgYJKoZIhvcNAQkBFgVhQGIuYzEOMAwG"
    "A1UEBRMFMTIzNDUxFDASBgoJkiaJk/IsZAEZFgRjb3JwMQswCQYDVQRBDAJwczAgFw0yNjExMjMyMjM3MDBaGA8yMTkxMDMwMzIy"
    "MzcwMFowgaMxCzAJBgNVBAYTAlVTMQ0wCwYDVQQIDARXYXNoMRMwEQYDVQQKDApBY21lLCBJbmMuMQswCQYDVQQLDAJVMTELMAkG"
    "A1UECwwCVTIxDTALBgNVBAMMBGhvc3QxFDASBgkqhkiG9w0BCQEWBWFAYi5jMQ4wDAYDVQQFEwUxMjM0NTEUMBIGCgmSJomT8ixk"
    "ARkWBGNvcnAxCzAJBgNVBEEMAnBzMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEtc4hQlnZZVzYH2oYlVB+r/cjKSUSnaAhvxhs"
    "0M+/HBogAzNzJzqjRZeqGHYWSJKdV1m6rUSKeobltvklwc6oDaNzMHEwUAYDVR0RBEkwR4IJYS5leGFtcGxlggsqLmIuZXhhbXBs"
    "ZYcECgECA4cQIAENuAAAAAAAAAAAAAAAAYEFeEB5LnqGCWh0dHA6Ly91L4gDKgMEMB0GA1UdDgQWBBRk8ApwnYyqcK39zT480OXy"
    "eKZYizAKBggqhkjOPQQDAgNIADBFAiBVx1CQPg6vCHSRJuvDDrI9FCsgVnYgMQr/XuJJ9vDzxAIhAMEyt7A9lWLJj5s+Ve694rHI"
    "YlF0tXuc9mWLV/TEqiCn"
)
"""openssl req -x509, P-256, serial 0xff01, until 2191; ten subject attributes, seven alternative names."""


def u16s(values):
    return struct.pack(f"!{len(values)}H", *values)


def vec16(raw):
    return struct.pack("!H", len(raw)) + raw


def record(kind, body, version=0x0303):
    return struct.pack("!BHH", kind, version, len(body)) + body


def message(kind, body):
    return bytes([kind]) + len(body).to_bytes(3, "big") + body


def extension(kind, body):
    return struct.pack("!H", kind) + vec16(body)


def sni(name):
    return extension(0, vec16(b"\0" + vec16(name)))


def alpn(*names):
    return extension(16, vec16(b"".join(bytes([len(n)]) + n for n in names)))


def groups(*values):
    return extension(10, vec16(u16s(values)))


def formats(*values):
    return extension(11, bytes([len(values), *values]))


def signatures(*values):
    return extension(13, vec16(u16s(values)))


def versions(*values):
    return extension(43, bytes([2 * len(values)]) + u16s(values))


def client_hello(ciphers=(0x1301, 0x002F), extensions=b"", version=0x0303, random=b"R" * 32):
    body = struct.pack("!H", version) + random + b"\x04sess" + vec16(u16s(ciphers)) + b"\1\0"
    return message(1, body + vec16(extensions))


def server_hello(cipher=0x002F, extensions=b"", version=0x0303, random=b"S" * 32):
    body = struct.pack("!H", version) + random + b"\0" + struct.pack("!HB", cipher, 0)
    return message(2, body + (vec16(extensions) if extensions else b""))


def certificates(*ders):
    chain = b"".join(len(d).to_bytes(3, "big") + d for d in ders)
    return message(11, len(chain).to_bytes(3, "big") + chain)


def tlv(tag, *parts):
    body = b"".join(parts)
    size = len(body)
    return bytes([tag]) + (bytes([size]) if size < 128 else b"\x82" + size.to_bytes(2, "big")) + body


ALGORITHM = tlv(0x30, tlv(6, bytes.fromhex("2a864886f70d01010b")), tlv(5))
NAME = tlv(0x30, tlv(0x31, tlv(0x30, tlv(6, b"\x55\4\3"), tlv(0x0C, b"name"))))
TIMES = tlv(0x30, tlv(0x17, b"200101000000Z"), tlv(0x17, b"300101000000Z"))
PARTS = {
    "version": tlv(0xA0, tlv(2, b"\2")), "serial": tlv(2, b"\5"), "algorithm": ALGORITHM, "issuer": NAME,
    "validity": TIMES, "subject": NAME, "key": tlv(0x30, ALGORITHM, tlv(3, b"\0key")), "extensions": b"",
    "signature": ALGORITHM,
}  # fmt: skip


def certificate(**changed):
    *signed, algorithm = (PARTS | changed).values()
    return tlv(0x30, tlv(0x30, *signed), algorithm, tlv(3, b"\0signed"))


CCS = record(20, b"\1")
DATA = record(23, b"x" * 40)
SERVER_DONE = message(14, b"")


def tls12(extensions=b"", certs=(CERT,), client_certs=()):
    """Return (side, bytes) of a whole TLS 1.2 handshake."""
    flight = (certificates(*client_certs) if client_certs else b"") + message(16, b"key exchange")
    return [
        (TO_SERVER, record(22, client_hello(extensions=extensions), 0x0301)),
        (TO_CLIENT, record(22, server_hello(extensions=alpn(b"h2")) + certificates(*certs) + SERVER_DONE)),
        (TO_SERVER, record(22, flight) + CCS + record(22, b"\xee" * 40)),
        (TO_CLIENT, CCS + record(22, b"\xdd" * 40)),
        (TO_SERVER, DATA),
    ]


def tls13():
    """Return (side, bytes) of a TLS 1.3 handshake with a retried hello."""
    retry = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
    chosen = extension(43, b"\3\4")
    return [
        (
            TO_SERVER,
            record(22, client_hello(extensions=sni(b"one.example") + versions(0x2A2A, 0x0304, 0x0303))),
        ),
        (TO_CLIENT, record(22, server_hello(0x1301, chosen + extension(51, b"\0\x17"), random=retry)) + CCS),
        (TO_SERVER, CCS + record(22, client_hello(extensions=sni(b"two.example") + versions(0x0304)))),
        (TO_CLIENT, record(22, server_hello(0x1302, chosen)) + DATA),
        (TO_SERVER, DATA),
        (TO_CLIENT, DATA),
    ]


def ssl2_client_hello(specs=b"\0\0\x2f\7\0\xc0", version=0x0301):
    body = struct.pack("!BHHHH", 1, version, len(specs), 0, 16) + specs + b"C" * 16
    return struct.pack("!H", 0x8000 | len(body)) + body


def ssl2_server_hello(cert):
    body = struct.pack("!BBBHHHH", 4, 0, 1, 2, len(cert), 3, 4) + cert + b"\7\0\xc0" + b"conn"
    return struct.pack("!H", 0x8000 | len(body)) + body


def ssh_packet(payload, padding=6):
    return struct.pack("!IB", 1 + len(payload) + padding, padding) + payload + b"\0" * padding


def kexinit(*names):
    lists = b"".join(struct.pack("!I", len(n)) + n for n in names)
    return ssh_packet(b"\x14" + b"K" * 16 + lists + b"\0" * 5)


CLIENT_LISTS = (
    b"curve25519-sha256,dh14",
    b"ssh-rsa",
    b"aes-c",
    b"aes-s",
    b"mac-c",
    b"mac-s",
    b"none,zlib",
    b"none",
    b"",
    b"",
)
SERVER_LISTS = (b"dh14", b"ssh-rsa", b"a1", b"a2", b"m1", b"m2", b"c1", b"c2", b"", b"")


def ssh():
    """Return (side, bytes) of an SSH 2 connection's start."""
    return [
        (TO_CLIENT, b"Welcome\r\nto the machine\nSSH-2.0-OpenSSH_9.6p1 Debian-1\r\n"),
        (TO_SERVER, b"SSH-2.0-PuTTY_0.80\r\n" + kexinit(*CLIENT_LISTS)),
        (TO_CLIENT, kexinit(*SERVER_LISTS)),
        (TO_SERVER, ssh_packet(b"\x1e" + b"E" * 40) + ssh_packet(b"\x15") + b"\xee" * 64),
        (TO_CLIENT, ssh_packet(b"\x15") + b"\xdd" * 64),
    ]


def dhcp(op=1, options=b"", yiaddr=b"\0\0\0\0", xid=0x11223344, sname=b"", file=b""):
    head = struct.pack("!BBBBIHH", op, 1, 6, 0, xid, 0, 0)
    addresses = b"\x0a\0\0\1" + yiaddr + b"\x0a\0\0\2" + b"\x0a\0\0\3"
    mac = bytes.fromhex("00163e010203") + b"\0" * 10
    return head + addresses + mac + sname.ljust(64, b"\0") + file.ljust(128, b"\0") + b"\x63\x82\x53\x63" + options


def option(code, value):
    return bytes([code, len(value)]) + value


def pieces(data, size):
    return [data[i : i + size] for i in range(0, len(data), size)]


def drive(parser, conversation, size=None):
    """Feed a conversation, each part whole or in pieces; return the stages (finish included)."""
    stages = []
    for side, data in conversation:
        for part in pieces(data, size) if size else [data]:
            stages += parser.feed(side, part, 0)
    return stages + parser.finish(0)


def seen(spec, stages):
    """Return what a rule could see: per stage its number, side and the buffers known by then."""
    out = []
    for stage in stages:
        known = {b.name: list(stage.tx.buffer(b.name)) for b in spec.buffers if b.stage == stage.stage}
        out.append((stage.tx.id, stage.stage, stage.side, known))
    return out
