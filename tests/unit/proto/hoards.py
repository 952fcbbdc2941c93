"""Conversations that break off where a parser holds most: what a guest must send to fill the sensor's memory.

Each is [(side, bytes)], about a megabyte at most, the depth of a stream.
"""

import base64
import gc
import gzip
import struct
import sys
import types

import h2kit as h2
import mqttkit as mqtt
import msgspec
import nfsforge as nfs
import rpcforge as rpc
import smbforge as smb
import sqlforge as sql

from sensor.model.anomaly import AppAnomaly
from sensor.model.app import ProtocolSpec

MEG = 1 << 20


def _post(body, *fields):
    lines = b"".join(field + b"\r\n" for field in fields)
    return b"POST /p HTTP/1.1\r\nHost: h\r\n" + lines + b"Content-Length: %d\r\n\r\n" % len(body) + body


def _range(n):
    asked = b"GET /%d HTTP/1.1\r\nHost: h\r\n\r\n" % n
    head = b"HTTP/1.1 206 P\r\nContent-Range: bytes 100-70099/90000\r\nContent-Length: 70000\r\n\r\n"
    return [(0, asked), (1, head + bytes(70_000))]


def _bombs():
    body = gzip.compress(bytes(110_000))
    return [(0, _post(body, b"Content-Encoding: gzip") * 120)]


def _streams(count):
    return [(0, h2.PREFACE), *((0, h2.request(method=b"POST", stream=1 + 2 * n, end=False)) for n in range(count))]


def _h2_bodies():
    opened = _streams(200)
    return [*opened, *((0, h2.data(bytes(8000), 1 + 2 * n, end=False)) for n in range(120))]


def _h2_fields():
    """Fields of which a header block names one of 4,000 bytes again and again."""
    first = h2.frame(h2.HEADERS, h2.literal(b"x", b"v" * 3900, indexed=True), h2.END_HEADERS, 1)
    again = bytes([0x80 | 62]) * 30
    return [(0, h2.PREFACE + first), *((0, h2.frame(h2.HEADERS, again, h2.END_HEADERS, 3 + 2 * n)) for n in range(250))]


def _smb_open(files, pipe=False):
    share = smb.tree_connect2("\\\\srv\\IPC$" if pipe else "\\\\srv\\data")
    talk = [*smb.logged_on2(), (0, smb.nbss(share)), (1, smb.nbss(smb.tree_connected2(2 if pipe else 1)))]
    for n in range(files):
        talk += [
            (0, smb.nbss(smb.create2(f"file-{n}", 100 + n))),
            (1, smb.nbss(smb.created2(struct.pack("<QQ", n, n), 100 + n, size=0 if pipe else 1 << 20))),
        ]
    return talk


def _smb_files():
    writes = (smb.write2(bytes(4000), 0 if n % 2 else 9000, struct.pack("<QQ", n, n), 1000 + n) for n in range(240))
    return [*_smb_open(240), *((0, smb.nbss(one)) for one in writes)]


def _smb_pipes():
    talk, key = _smb_open(30, pipe=True), struct.Struct("<QQ")
    for n in range(30):
        talk.append((0, smb.nbss(smb.write2(rpc.bind((0, rpc.SPOOLSS, 1)), 0, key.pack(n, n), 2000 + n))))
        for call in range(8):
            part = rpc.request(1, bytes(4000), call=3 + call, flags=1)
            talk.append((0, smb.nbss(smb.write2(part, 0, key.pack(n, n), 3000 + 8 * n + call))))
    return talk


def _smb_names():
    return [*smb.logged_on2(), *((0, smb.nbss(smb.create2("n" * 2000, 100 + n))) for n in range(250))]


def _nfs_files():
    return [(0, nfs.record(nfs.write3(bytes(8000), 9000, 2 + n, b"%032d" % n))) for n in range(60)]


def _nfs_names():
    return [
        turn
        for n in range(600)
        for turn in (
            (0, nfs.record(nfs.lookup3(b"%0250d" % n, n))), (1, nfs.record(nfs.found3(b"%032d" % n, n))),
        )
    ]  # fmt: skip


def _nfs_compounds():
    one = [nfs.open4(b"f" * 200) for _ in range(40)]
    return [(0, nfs.record(nfs.compound(*one, xid=n))) for n in range(100)]


def _mail(count, size):
    line = base64.encodebytes(bytes(size)).replace(b"\n", b"\r\n")
    part = b'--b\r\nContent-Disposition: attachment; filename="f%d"\r\nContent-Transfer-Encoding: base64\r\n\r\n'
    head = b"From: a\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    return head + b"".join(part % n + line for n in range(count))


_GREETED = [(1, b"220 mx ESMTP\r\n"), (0, b"EHLO x\r\n"), (1, b"250 ok\r\n")]


def _dce():
    calls = [(0, rpc.bind((0, rpc.SPOOLSS, 1)))]
    calls += ((0, rpc.request(1, bytes(4000), call=2 + n, flags=1)) for n in range(60))
    return [*calls, (0, rpc.pdu(0, bytes(60_000))[:-1])]


def _dce_binds():
    many = [(n, rpc.SPOOLSS, n) for n in range(64)]
    return [(0, rpc.bind(*many, call=2 + n)) for n in range(62)]


def _ldap_message(size):
    return b"\x30\x84" + size.to_bytes(4, "big") + bytes(size - 1)


def _ws_frame(size, first=0x01):
    return bytes([first, 127]) + size.to_bytes(8, "big") + bytes(size)


_NULL = b"\0\0\2\x13\x01\1\0"
"""No session, one suite, no compression."""


def _sized(width, data):
    return len(data).to_bytes(width, "big") + data


def _extension(kind, data=b""):
    return kind.to_bytes(2, "big") + _sized(2, data)


def _hello(rest):
    """Return the records of a ClientHello. rest: behind its random bytes."""
    message = b"\1" + _sized(3, b"\3\3" + bytes(32) + rest)
    pieces = (message[at : at + 16_000] for at in range(0, len(message), 16_000))
    return b"".join(b"\x16\3\1" + _sized(2, piece) for piece in pieces)


def _tls_message():
    record = b"\x16\x03\x01\x40\x00"
    return record + b"\x0b\x00\xff\xf0" + bytes(16380) + (record + bytes(16384)) * 2


def _modbus():
    body = b"\x10" + struct.pack(">HHB", 1, 123, 246) + bytes(246)
    return [(0, struct.pack(">HHHB", n, 0, len(body) + 1, 1) + body) for n in range(490)]


def _recipients():
    return b"".join(b"RCPT TO:<%060d>\r\n" % n for n in range(990))


_LOGGED_ON = [(0, sql.startup(b"user", b"bob"))]
TALKS = {
    "http body": ("http", lambda: [(0, _post(bytes(MEG))[:-1])]),
    "http answers": ("http", lambda: [(0, _post(b"")), (1, b"HTTP/1.0 200 OK\r\n\r\n" + bytes(MEG))]),
    "http waiting": ("http", lambda: [(0, _post(bytes(90_000)))] * 10),
    "http fields": ("http", lambda: [(0, b"GET / HTTP/1.1\r\n" + b"a:\r\n" * 15_000)]),
    "http many fields": (
        "http", lambda: [(0, b"GET / HTTP/1.1\r\n" + b"".join(b"f%d:\r\n" % n for n in range(250)) + b"\r\n")] * 127,
    ),
    "http bombs": ("http", _bombs),
    "http ranges": ("http", lambda: [turn for n in range(4) for turn in _range(n)]),
    "http tunnel": (
        "http",
        lambda: [
            (0, b"CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n"), (1, b"HTTP/1.1 200 OK\r\n\r\n"), (0, bytes(16_000)),
            (1, bytes(31)),
        ],
    ),
    "http2 bodies": ("http2", _h2_bodies),
    "http2 fields": ("http2", _h2_fields),
    "smb files": ("smb", _smb_files),
    "smb pipes": ("smb", _smb_pipes),
    "smb names": ("smb", _smb_names),
    "nfs files": ("nfs", _nfs_files),
    "nfs names": ("nfs", _nfs_names),
    "nfs compounds": ("nfs", _nfs_compounds),
    "ftp-data": ("ftp-data", lambda: [(1, bytes(MEG))]),
    "ftp commands": ("ftp", lambda: [(0, b"STOR %d " % n + b"f" * 950 + b"\r\n") for n in range(1000)]),
    "ftp replies": ("ftp", lambda: [(0, b"STAT\r\n"), (1, b"211-\r\n" + (b"x" * 300 + b"\r\n") * 190)]),
    "smtp files": ("smtp", lambda: [*_GREETED, (0, b"DATA\r\n"), (1, b"354 go\r\n"), (0, _mail(7, 90_000))]),
    "smtp commands": ("smtp", lambda: [(1, b"220 mx ESMTP\r\n"), (0, b"NOOP" + b"x" * 200 + b"\r\n")] * 4000),
    "smtp recipients": ("smtp", lambda: [*_GREETED, (0, b"MAIL FROM:<a>\r\n"), (0, _recipients())]),
    "pop3 mails": ("pop3", lambda: [(0, b"RETR 1\r\n"), (1, b"+OK\r\n" + _mail(7, 90_000))]),
    "pop3 commands": ("pop3", lambda: [(0, b"TOP " + b"x" * 3900 + b"\r\n")] * 250),
    "imap commands": ("imap", lambda: [(0, b"a%d FETCH " % n + b"x" * 3900 + b"\r\n") for n in range(250)]),
    "imap mails": (
        "imap",
        lambda: [
            (0, b"a1 FETCH 1 BODY[]\r\n"),
            (1, b"* 1 FETCH (BODY[] {%d}\r\n" % MEG + _mail(7, 90_000)),
        ],
    ),
    "mqtt publish": ("mqtt", lambda: [(side, mqtt.publish(b"t", bytes(MEG))[:-9]) for side in (0, 1)]),
    "mqtt waiting": ("mqtt", lambda: [(0, mqtt.publish(b"t", bytes(9000), 1, n + 1)) for n in range(100)]),
    "mqtt topics": (
        "mqtt", lambda: [(0, mqtt.subscribe(((b"abc", 1),) * 900, n + 1)) for n in range(120)],
    ),
    "dcerpc calls": ("dcerpc", _dce),
    "dcerpc binds": ("dcerpc", _dce_binds),
    "ldap": ("ldap", lambda: [(side, _ldap_message(MEG - 100)) for side in (0, 1)]),
    "krb5": ("krb5", lambda: [(side, (100_000).to_bytes(4, "big") + bytes(99_000)) for side in (0, 1)]),
    "enip": ("enip", lambda: [(side, b"\x65\0\xf0\xff" + bytes(60_000)) for side in (0, 1)]),
    "websocket": ("websocket", lambda: [(side, _ws_frame(65_000) + _ws_frame(65_000, 0)[:-1]) for side in (0, 1)]),
    "pgsql": ("pgsql", lambda: [*_LOGGED_ON, *[(0, sql.typed(b"Q", b"q" * 4000))] * 250]),
    "pgsql statements": ("pgsql", lambda: [*_LOGGED_ON, *[(0, sql.typed(b"P", b"s" * 3990 + b"\0q\0"))] * 250]),
    "mysql": (
        "mysql",
        lambda: [
            (1, sql.packet(0, sql.GREETING)), (0, sql.packet(1, sql.login())),
            (0, sql.packet(0, b"\3" + b"q" * 16_000)),
            (1, sql.packet(1, bytes(17_000))[:16_000]),
        ],
    ),
    "tls suites": ("tls", lambda: [(0, _hello(b"\0" + _sized(2, b"\x13\x01" * 30_000) + b"\1\0"))]),
    "tls names": ("tls", lambda: [(0, _hello(_NULL + _sized(2, _extension(16, _sized(2, b"\1a" * 30_000)))))]),
    "tls extensions": ("tls", lambda: [(0, _hello(_NULL + _sized(2, b"".join(map(_extension, range(15_000))))))]),
    "tls message": ("tls", lambda: [(0, _tls_message())]),
    "dns": ("dns", lambda: [(side, b"\xff\xff" + bytes(65_000)) for side in (0, 1)]),
    "rfb": ("rfb", lambda: [(0, bytes(60_000))]),
    "modbus": ("modbus", _modbus),
}  # fmt: skip
"""Name → (protocol, maker of a conversation)."""

_SHARED = (
    type,
    types.ModuleType,
    types.FunctionType,
    types.BuiltinFunctionType,
    types.CodeType,
    types.MappingProxyType,
    ProtocolSpec,
    AppAnomaly,
)


def weight(thing):
    """Return the bytes of memory of everything that can be reached from an object, code aside."""
    seen, todo, found = set(), [thing], 0
    while todo:
        one = todo.pop()
        if id(one) in seen or isinstance(one, _SHARED):
            continue
        seen.add(id(one))
        found += sys.getsizeof(one)
        todo += gc.get_referents(one)
        if isinstance(one, msgspec.Struct):  # those without a part in the collection of cycles tell nothing
            todo += (getattr(one, name) for name in one.__struct_fields__)
    return found
