import inspect
import os
import struct
import subprocess
import sys
from pathlib import Path

import nfsforge
import numpy as np
import pytest
import rpcforge
import sqlforge
from handshakes import client_hello, dhcp, message, record, server_hello, ssl2_client_hello

from sensor.model.rows import APP_UNDECIDED, APP_UNKNOWN
from sensor.proto import kernels_more, kernels_probe, probe
from sensor.proto.ids import DCERPC, FTP, HTTP2, IMAP, MQTT, MYSQL, NFS, PGSQL, POP3, SMB, SMTP, TELNET
from sensor.proto.probe import DHCP, DNS, HEAD, HTTP, SSH, TLS

ROOT = Path(__file__).resolve().parents[3]
UNUSUAL = 40001


def stream(to_server=b"", to_client=b"", port=UNUSUAL):
    heads = np.zeros((1, 2, HEAD), np.uint8)
    for side, data in enumerate((to_server, to_client)):
        heads[0, side, : min(len(data), HEAD)] = np.frombuffer(data[:HEAD], np.uint8)
    lengths = np.array([[len(to_server), len(to_client)]])
    return int(probe.probe_streams(heads, lengths, np.array([50000], np.uint16), np.array([port], np.uint16))[0])


def datagram(data, port=UNUSUAL):
    buf = np.frombuffer(b"..." + data + b"...", np.uint8)
    one = np.array([3]), np.array([len(data)]), np.array([50000], np.uint16), np.array([port], np.uint16)
    return int(probe.probe_datagrams(buf, *one)[0])


def dns(name=b"\3www\7example\3com\0", flags=0x0100, counts=(1, 0, 0, 0), qtype=1, qclass=1, rest=b""):
    return struct.pack("!6H", 0x1234, flags, *counts) + name + struct.pack("!HH", qtype, qclass) + rest


def dns_tcp(**fields):
    data = dns(**fields)
    return struct.pack("!H", len(data)) + data


NOISE = b"\xff" * 40
SOCKS = b"\5\1\0"
HELLO = record(22, client_hello(), 0x0301)
ANSWER = dns(flags=0x8180, counts=(1, 1, 0, 0), rest=b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\1\2\3\4")


@pytest.mark.parametrize(
    ("to_server", "to_client", "app"),
    [
        (b"GET / HTTP/1.1\r\n", b"", HTTP),
        (b"GET\t", b"", HTTP),
        (b"\r\n\r\nPOST /", b"", HTTP),
        (b"RPC_IN_DATA /rpc", b"", HTTP),
        (b"FROB /x HTTP/1.0\r\n", b"", HTTP),
        (b"get /x HTTP/1.0\r\n", b"", HTTP),
        (b"", b"HTTP/1.1 200 OK", HTTP),
        (b"", b"hTTp/1.0 200 ok", HTTP),
        (b"\x80garbage", b"HTTP/1.1 400", HTTP),
        (HELLO, b"", TLS),
        (rpcforge.request(1, b"x"), b"", DCERPC),
        (sqlforge.SSL, b"", PGSQL),
        (sqlforge.startup(b"user", b"bob"), b"", PGSQL),
        (sqlforge.struct.pack("!IIII", 16, 80877102, 7, 8), b"", PGSQL),
        (b"\0\0\0\x20\0\3\0\0\x01" + b"\0" * 30, NOISE, APP_UNKNOWN),
        (b"", sqlforge.packet(0, sqlforge.GREETING), MYSQL),
        (NOISE, sqlforge.packet(0, b"\x0ahello, world" + b"\0" * 40), APP_UNKNOWN),
        (nfsforge.record(nfsforge.lookup3(b"x")), b"", NFS),
        (nfsforge.record(nfsforge.call(3, 1, b"", program=100005)), NOISE, APP_UNKNOWN),
        (b"", rpcforge.bind_ack(0, order=">"), DCERPC),
        (SOCKS + b"\5\1\0\1\x0a\0\0\1\0\x50" + b"x" * 40, b"\5\0\5\0\0\1" + b"x" * 40, APP_UNKNOWN),
        (NOISE, b"\5\0" + b"\5\0\0\1\x0a\0\0\1\0\x50" + b"x" * 40, APP_UNKNOWN),
        (b"", record(22, server_hello()), TLS),
        (b"\x15\3\1\0\2\2\x28", b"", TLS),
        (ssl2_client_hello(), b"", TLS),
        (ssl2_client_hello(version=2), b"", TLS),
        (b"SSH-2.0-PuTTY", b"", SSH),
        (b"", b"SSH-1.99-x", SSH),
        (dns_tcp(), b"", DNS),
        (b"", struct.pack("!H", len(ANSWER)) + ANSWER, DNS),
        (b"EHLO me\r\n", b"220 mail ESMTP\r\n", SMTP),
        (b"\0\0\0\x85\xffSMBr", b"", SMB),
        (b"", b"\x82\0\0\0" + b"\0\0\0\x85\xfeSMB", SMB),
        (b"\x81\0\0\x44\x20" + b"CK" + b"A" * 30, b"", APP_UNDECIDED),
        (b"\x81\0\0\x44\x20" + b"CK" + b"A" * 30, b"\x82\0\0\0\0\0\0\x40\xfeSMB", SMB),
        (b"\x81\0\0\x44\x20" + b"CK" + b"A" * 30, b"\x83\0\0\1\x82", APP_UNDECIDED),
        (b"\x85\0\0\0\0\0\0\x40\xfeSMB", b"", SMB),
        (b"\x81\0\0\x44\x20" + b"ck" + b"a" * 30, NOISE, APP_UNKNOWN),
        (b"\0\0\0\x05\xffSMBr" + b"\0" * 30, b"\0\0\0\x05\xffSMBr", APP_UNKNOWN),
        (b"", b"220 ready\r\n", APP_UNDECIDED),
        (b"user joe\r\n", b"220 ready\r\n", FTP),
        (b"Mail From:<a>\r\n", b"220 ready\r\n", SMTP),
        (b"AUTH TLS\r\n", b"", FTP),
        (b"", b"+OK ready\r\n", POP3),
        (b"*1\r\n$4\r\nPING\r\n*1\r\n", b"+OK\r\n" + b"x" * 40, APP_UNKNOWN),
        (b"", b"* OK ready\r\n", IMAP),
        (b"", b"* PREAUTH x\r\n", IMAP),
        (b"CAPA\r\n", b"", POP3),
        (b"", b"\xff\xfd\x18\xff\xfd\x20", TELNET),
        (NOISE, b"\xff\xd8\xff\xe0" + b"x" * 40, APP_UNKNOWN),
        (b"PRI * HTTP/2.0\r\n", b"", HTTP2),
        (b"PRI * HTTP/", b"", APP_UNDECIDED),
        (b"PRI * HTTP/1.1\r\n", b"", HTTP),
        (b"", b"\0\0\6\4\0\0\0\0\0\0\3", HTTP2),
        (b"\x10\x0c\0\4MQTT", b"", MQTT),
        (b"\xff" * 40, NOISE, APP_UNKNOWN),
        (b"", b"220-" + b"x" * 40, APP_UNDECIDED),  # FTP or SMTP: the client tells
        (record(22, message(11, b"x")) + b"x" * 40, NOISE, APP_UNKNOWN),
        (b"GET" + b"X" * 40, NOISE, APP_UNKNOWN),
        (b"", b"", APP_UNDECIDED),
        (b"GE", b"", APP_UNDECIDED),
        (b"\x16\3\1\2", b"", APP_UNDECIDED),
        (b"\r\n", b"", APP_UNDECIDED),
        (b"SS", b"220 ftp\r\n", FTP),
        (b"\xff\xff\xff", b"", APP_UNDECIDED),
        (b"\x16\4\1", b"", APP_UNDECIDED),
        (dns_tcp()[:10], b"", APP_UNDECIDED),
    ],
)
def test_streams_by_content(to_server, to_client, app):
    assert stream(to_server, to_client) == app


def test_what_one_side_says_leaves_the_protocol_to_the_other():
    assert stream(NOISE) == stream(b"", NOISE) == APP_UNDECIDED
    assert stream(NOISE, b"HTTP/1.1 400 Bad Request") == stream(b"GET / HTTP/1.1", NOISE) == HTTP
    assert stream(NOISE, b"SSH-2.0-x") == SSH
    assert stream(NOISE, NOISE) == APP_UNKNOWN
    assert stream(NOISE, b"220-" + b"x" * 40) == APP_UNKNOWN  # only a client's commands could have told
    assert stream(NOISE, b"220-x") == APP_UNDECIDED


def test_every_known_method():
    for name in kernels_probe._METHOD_NAMES:
        assert stream(name + b" ") == HTTP, name
        assert stream(name) == APP_UNDECIDED, name


def test_ports_are_hints():
    assert stream(b"FROB /x", port=8080) == HTTP
    assert stream(b"FROB /x") == APP_UNDECIDED
    update = struct.pack("!H", 40) + struct.pack("!6H", 7, 0x2800, 1, 0, 2, 0)
    assert stream(update, port=53) == DNS
    assert stream(update + b"\xff" * 30, NOISE) == APP_UNKNOWN
    assert stream(HELLO, port=80) == stream(HELLO, port=53) == TLS


@pytest.mark.parametrize(
    ("client", "server", "app"),
    [
        (b"USER a\r\n", b"220 welcome\r\n", FTP),
        (b"EHLO a\r\n", b"220 welcome\r\n", SMTP),
        (b"", b"220 FTP ready\r\n", FTP),
        (b"", b"220 mx ESMTP\r\n", SMTP),
    ],
)
def test_words_tell_more_than_ports(client, server, app):
    assert {stream(client, server, port) for port in (21, 25, 80, 8080, UNUSUAL)} == {app}


def test_lines_of_others_are_no_requests_on_ports_of_http():
    for line in (b"220 hello\r\n", b"hello there\r\n", b"+PONG x\r\n"):
        assert HTTP not in (stream(line, port=80), stream(b"", line, port=80))


def test_dcerpc_is_known_by_a_whole_header():
    first = rpcforge.bind((0, rpcforge.SPOOLSS, 1))
    assert [stream(first[:size]) for size in (10, 15, 16)] == [APP_UNDECIDED, APP_UNDECIDED, DCERPC]


def test_any_command_will_do_on_the_port_of_its_protocol():
    assert stream(b"LIST\r\n", b"220 x\r\n", 21) == stream(b"list\r\n", port=21) == FTP
    assert stream(b"NOOP\r\n", b"220 x\r\n", 25) == stream(b"STARTTLS\r\n", port=587) == SMTP
    assert stream(b"1 CAPABILITY\r\n") == stream(b"1 capability\r\n") == IMAP
    assert stream(b"LIS", b"220 x\r\n", 21) == stream(b"", b"220 x\r\n", 21) == APP_UNDECIDED
    assert stream(b"\x16\3\1\0\x70\1", port=25) == TLS
    assert stream(b"GET / HTTP/1.1\r\n", port=21) == HTTP


@pytest.mark.parametrize(
    "data",
    [
        dns_tcp(counts=(17, 0, 0, 0)),
        dns_tcp(counts=(1, 900, 0, 0)),
        dns_tcp()[:14] + b"\x40" + dns_tcp()[15:],
        b"\0\x05" + b"\0" * 40,
    ],
)
def test_implausible_dns_on_its_port(data):
    assert stream(data, NOISE, port=53) == APP_UNKNOWN


EMPTY = dns(counts=(0, 0, 0, 0))[:12]


@pytest.mark.parametrize("data", [
    dns_tcp(flags=0x0140), dns_tcp(flags=0x1900), dns_tcp(flags=0xF800), b"\0\x0c" + EMPTY, dns_tcp()[:14],
    dns_tcp()[:14] + b"\xc0" + dns_tcp()[15:],
])  # fmt: skip
def test_any_message_is_dns_on_its_port(data):
    assert stream(data, port=53) == DNS


@pytest.mark.parametrize(
    ("data", "port", "app"),
    [
        (dns(), UNUSUAL, DNS),
        (ANSWER, UNUSUAL, DNS),
        (dns(name=b"\0", qtype=2), UNUSUAL, DNS),
        (dns(counts=(1, 0, 0, 1), rest=b"\0\0\x29" + b"\0" * 8), UNUSUAL, DNS),
        (dns(name=b"\x40" + b"x" * 64 + b"\0"), UNUSUAL, APP_UNKNOWN),
        (dns(name=b"\x3f" + b"x" * 63), UNUSUAL, APP_UNKNOWN),
        (dns(name=(b"\x3f" + b"x" * 63) * 5 + b"\0"), UNUSUAL, APP_UNKNOWN),
        (dns(qtype=70), UNUSUAL, APP_UNKNOWN),
        (dns(qclass=9), UNUSUAL, APP_UNKNOWN),
        (dns(rest=b"x"), UNUSUAL, APP_UNKNOWN),
        (dns(counts=(2, 0, 0, 0)), UNUSUAL, APP_UNKNOWN),
        (dns(counts=(1, 3, 0, 0)), UNUSUAL, APP_UNKNOWN),
        (dns(counts=(2, 0, 0, 0)), 5353, DNS),
        (dns(qtype=70), 53, DNS),
        (dns()[:14], 53, DNS),
        (dns()[:13], 53, APP_UNKNOWN),
        (dns(name=b"\xc0\x0c"), 53, APP_UNKNOWN),
        (dns(name=b"\xc0\xff"), 53, APP_UNKNOWN),
        (dns(name=b"\x41" + b"x" * 65 + b"\0"), 53, APP_UNKNOWN),
        (dns(name=b"\1x" * 260 + b"\0"), 53, APP_UNKNOWN),
        (dns(name=b"\1x" * 200 + b"\0"), 53, DNS),
        (dns(counts=(1, 0, 0, 1), rest=b"\x41" + b"\0" * 20), 53, APP_UNKNOWN),
        (dns(counts=(1, 0, 0, 90)), 53, APP_UNKNOWN),
        (dns()[:11], 53, APP_UNKNOWN),
        (dns(flags=0x1900), 53, DNS),
        (dns(flags=0x7900), 53, DNS),
        (dns(counts=(0, 0, 0, 0)), 53, DNS),
        (dns(flags=0x2910), 137, DNS),
        (dhcp(1, b"\xff"), 67, DHCP),
        (dhcp(2, b"\xff"), UNUSUAL, DHCP),
        (dhcp(3, b"\xff"), 67, APP_UNKNOWN),
        (dhcp(1, b"")[:239], 67, APP_UNKNOWN),
        (b"", 53, APP_UNKNOWN),
    ],
)
def test_datagrams(data, port, app):
    assert datagram(data, port) == app


def test_datagrams_outside_the_buffer():
    buf = np.frombuffer(dns(), np.uint8)
    off, length = np.array([-1, 1, 0, buf.size]), np.array([buf.size] * 2 + [-5, 20])
    ports = np.full(4, 53, np.uint16)
    assert probe.probe_datagrams(buf, off, length, ports, ports).tolist() == [APP_UNKNOWN] * 4


def test_bulk_is_row_by_row():
    sides = [b"GET / HTTP", HELLO[:HEAD], b"SSH-2.0", b"\0" * HEAD, b"G", b""]
    pairs = [(a, b) for a in sides for b in sides]
    heads = np.zeros((len(pairs), 2, HEAD), np.uint8)
    lengths = np.zeros((len(pairs), 2), np.int64)
    for i, pair in enumerate(pairs):
        for side, data in enumerate(pair):
            heads[i, side, : len(data)] = np.frombuffer(data, np.uint8)
            lengths[i, side] = len(data)
    ports = np.full(len(pairs), UNUSUAL, np.uint16)
    found = probe.probe_streams(heads, lengths, ports, ports).tolist()
    assert found == [stream(a, b) for a, b in pairs]
    assert set(found) == {APP_UNDECIDED, APP_UNKNOWN, HTTP, TLS, SSH}


def test_without_numba_the_same():
    """The kernels are plain Python too: this very file passes with the compiler off."""
    if os.environ.get("NUMBA_DISABLE_JIT") == "1":
        pytest.skip("this is the run without numba")
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__],
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-2000:]


def test_calls_of_nfs_are_told_from_other_calls():
    assert datagram(nfsforge.lookup3(b"x")) == NFS
    assert datagram(nfsforge.call(3, 1, b"", program=100000)) == APP_UNKNOWN


@pytest.mark.parametrize("order", ["<", ">"])
def test_datagrams_of_dcerpc(order):
    assert datagram(rpcforge.datagram(0, b"x", order=order)) == DCERPC
    assert datagram(rpcforge.datagram(0, b"x", order=order, size=2)) == APP_UNKNOWN
    assert datagram(rpcforge.datagram(11, b"x", order=order)) == APP_UNKNOWN


def links(helper):
    """Yield the functions of a chain that are no module's own."""
    while helper.py_func.__closure__:
        yield helper.py_func
        helper = inspect.getclosurevars(helper.py_func).nonlocals["tail"]


@pytest.mark.skipif(os.environ.get("NUMBA_DISABLE_JIT") == "1", reason="nothing is compiled")
def test_each_link_of_a_chain_has_a_name_of_its_own():
    names = [link.__qualname__ for chain in (kernels_more.stream, kernels_more.datagram) for link in links(chain)]
    assert len(names) > len(kernels_more.MODULES)
    assert len(set(names)) == len(names)
