"""Delivery to real receivers that listen, die, come back, stand still and never were there."""

import contextlib
import socket
import ssl
import subprocess
import threading
import time

import pytest

from sensor.errors import ConfigError
from sensor.model.records import Event
from sensor.outputs import courier as module
from sensor.outputs.backlog import OutputCounters
from sensor.outputs.courier import Courier
from sensor.outputs.limits_remote import Address, SyslogOptions
from sensor.outputs.remote import RemoteSink
from sensor.outputs.spool import Spool
from sensor.outputs.transports import (
    Datagrams,
    Sent,
    Stream,
    line_by_line,
    octet_counted,
    syslog_transport,
    unix_stream,
)


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(module, "PAUSES", (0.05, 0.1))
    monkeypatch.setattr(module, "_TICK", 0.05)


class Made:
    """A sink with its courier. Each event is a number."""

    def __init__(self, folder, transport, limit=8 << 20, settle=0.2):
        self.told = []
        self.counters = OutputCounters()
        self.spool = Spool(folder / "spool", limit, self.counters, self.told.append)
        self.courier = Courier("test", self.spool, transport, self.counters, self.told.append, settle)
        self.sink = RemoteSink(self.courier, ("alert",), lambda event: b"%d" % event.fields["n"])

    def say(self, *numbers):
        for n in numbers:
            self.sink.write(Event("alert", {"n": n}))
        self.sink.flush()


@pytest.fixture
def made(tmp_path):
    with contextlib.ExitStack() as stack:
        def make(transport, **options):
            found = Made(tmp_path, transport, **options)
            stack.callback(found.courier.stop)
            return found

        yield make


def until(true, seconds=10):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def listener(address, family=socket.AF_UNIX):
    sock = socket.socket(family, socket.SOCK_STREAM)
    if family == socket.AF_INET:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.settimeout(10)
    sock.bind(address)
    sock.listen()
    return sock


def read_lines(conn, n):
    conn.settimeout(10)
    data = b""
    while data.count(b"\n") < n:
        got = conn.recv(1 << 16)
        assert got, f"closed after {data}"
        data += got
    return [int(line) for line in data.split(b"\n")[:-1]]


def test_lines_arrive_and_are_forgotten_once_they_are_read(made, tmp_path):
    with listener(str(tmp_path / "s")) as sock:
        one = made(unix_stream(tmp_path / "s"))
        one.say(1, 2, 3)
        conn, _ = sock.accept()
        with conn:
            time.sleep(0.5)
            assert one.courier.waiting == 3, "nobody has read them yet"
            assert read_lines(conn, 3) == [1, 2, 3]
            until(lambda: one.courier.waiting == 0)
            assert one.counters.written == 3
            one.say(4)
            assert read_lines(conn, 1) == [4]
            one.sink.close()
            assert conn.recv(10) == b""
    assert one.told == []


def test_what_a_receiver_that_died_had_not_read_is_sent_again(made, tmp_path):
    with listener(str(tmp_path / "s")) as sock:
        one = made(unix_stream(tmp_path / "s"))
        one.say(1, 2)
        sock.accept()[0].close()  # both are in its buffer, and lost with it
        conn, _ = sock.accept()
        with conn:
            assert read_lines(conn, 2) == [1, 2]
            until(lambda: one.courier.waiting == 0)
    assert one.counters.errors == 1


def test_a_receiver_that_was_never_there_is_waited_for(made, tmp_path):
    one = made(unix_stream(tmp_path / "s"))
    one.say(*range(100))
    until(lambda: one.courier.failing)
    assert one.told == [f"test: No such file or directory: events wait in {tmp_path}/spool"]
    with listener(str(tmp_path / "s")) as sock:
        conn, _ = sock.accept()
        with conn:
            assert read_lines(conn, 100) == list(range(100))
            until(lambda: one.courier.waiting == 0)
    assert one.courier.failing == ""
    assert one.told[1] == "test: events are delivered again"


def test_a_receiver_that_stands_still_holds_up_nobody(made, tmp_path):
    with listener(str(tmp_path / "s")) as sock:
        one = made(unix_stream(tmp_path / "s"), limit=1 << 20)
        before = time.monotonic()
        for n in range(100):
            one.say(*range(n * 1000, n * 1000 + 1000))
        assert time.monotonic() - before < 5
        conn, _ = sock.accept()
        with conn:
            assert read_lines(conn, 100_000) == list(range(100_000))
    assert one.counters.lost == 0


def test_much_is_delivered_and_forgotten_while_more_comes(made, tmp_path):
    with listener(str(tmp_path / "s")) as sock:
        one = made(unix_stream(tmp_path / "s"), settle=0.3)
        one.say(0)
        conn, _ = sock.accept()
        with conn, contextlib.ExitStack() as stack:
            reading = threading.Thread(target=lambda: [None for _ in iter(lambda: conn.recv(1 << 16), b"")])
            reading.start()
            stack.callback(reading.join)
            stack.callback(conn.shutdown, socket.SHUT_RDWR)
            end = time.monotonic() + 20
            n = 1
            while one.counters.written <= 1000:  # delivered while the connection is never at rest
                assert time.monotonic() < end, "waited in vain"
                one.say(*range(n, n + 1000))
                n += 1000
                time.sleep(0.005)
            assert one.counters.errors == one.counters.lost == 0
            until(lambda: one.courier.waiting == 0)


def test_what_was_not_delivered_is_delivered_by_the_next_process(tmp_path):
    first = Made(tmp_path, unix_stream(tmp_path / "s"))
    first.say(1, 2, 3)
    first.sink.close()
    with listener(str(tmp_path / "s")) as sock:
        second = Made(tmp_path, unix_stream(tmp_path / "s"))
        second.say(4)
        conn, _ = sock.accept()
        with conn:
            assert read_lines(conn, 4) == [1, 2, 3, 4]
        second.sink.close()


def test_an_error_that_nobody_foresaw_ends_no_delivery(made, tmp_path):
    class Odd(Stream):
        odd = 1

        def send(self, lines):
            if self.odd:
                self.odd -= 1
                raise KeyError("odd")
            return super().send(lines)

    with listener(str(tmp_path / "s")) as sock:
        one = made(Odd(Address("unix", str(tmp_path / "s")), line_by_line))
        one.say(7)
        conn, _ = sock.accept()
        with conn:
            assert read_lines(conn, 1) == [7]
    assert "'odd'" in one.told[0]


def read_counted(conn, n):
    """Read octet-counted messages."""
    conn.settimeout(10)
    data, found = b"", []
    while len(found) < n:
        got = conn.recv(1 << 16)
        assert got
        data += got
        while b" " in data:
            length, _, rest = data.partition(b" ")
            if len(rest) < int(length):
                break
            found.append(rest[: int(length)])
            data = rest[int(length) :]
    return [int(line) for line in found]


def test_tcp_counts_octets(made):
    with listener(("127.0.0.1", 0), socket.AF_INET) as sock:
        one = made(syslog_transport(SyslogOptions(server=Address("tcp", "127.0.0.1", sock.getsockname()[1]))))
        one.say(5, 66, 777)
        conn, _ = sock.accept()
        with conn:
            assert read_counted(conn, 3) == [5, 66, 777]
            until(lambda: one.courier.waiting == 0)


def test_tcp_receiver_that_is_restarted(made):
    with listener(("127.0.0.1", 0), socket.AF_INET) as sock:
        port = sock.getsockname()[1]
        one = made(syslog_transport(SyslogOptions(server=Address("tcp", "127.0.0.1", port))))
        one.say(1)
        conn, _ = sock.accept()
        with conn:
            assert read_counted(conn, 1) == [1]
            until(lambda: one.courier.waiting == 0)
    one.say(2)
    until(lambda: one.courier.failing)
    one.say(3)
    with listener(("127.0.0.1", port), socket.AF_INET) as sock:
        conn, _ = sock.accept()
        with conn:
            assert read_counted(conn, 2) == [2, 3]
            until(lambda: not one.courier.failing)


def test_udp_sends_a_datagram_each_and_notices_that_nobody_listens(made):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    one = made(syslog_transport(SyslogOptions(server=Address("udp", "127.0.0.1", port))), settle=0.5)
    one.say(1, 2)
    until(lambda: one.courier.failing)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", port))
        sock.settimeout(10)
        found = set()
        while found != {b"1", b"2"}:
            found.add(sock.recv(100))
        until(lambda: one.courier.waiting == 0)


def test_unix_datagrams(made, tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "log"))
        sock.settimeout(10)
        one = made(syslog_transport(SyslogOptions(server=Address("unix", str(tmp_path / "log")))))
        one.say(1, 2)
        assert [sock.recv(100), sock.recv(100)] == [b"1", b"2"]


def test_a_message_too_long_for_a_datagram_is_counted_and_stops_no_other(tmp_path):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(10)
        way = Datagrams(Address("udp", "127.0.0.1", sock.getsockname()[1]))
        assert way.send([b"a", b"x" * 70_000, b"b"]) == Sent(2, 1)
        assert [sock.recv(10), sock.recv(10)] == [b"a", b"b"]
        way.close()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """A certificate for `localhost`, its own authority."""
    folder = tmp_path_factory.mktemp("tls")
    words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days",
             "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", str(folder / "key"),
             "-out", str(folder / "cert")]  # fmt: skip
    try:
        done = subprocess.run(words, capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    assert done.returncode == 0, done.stderr
    return folder


def tls_server(certificate, port=0):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert", certificate / "key")
    return context.wrap_socket(listener(("127.0.0.1", port), socket.AF_INET), server_side=True)


def test_tls(made, certificate):
    with tls_server(certificate) as sock:
        options = SyslogOptions(server=Address("tls", "localhost", sock.getsockname()[1]),
                                ca_file=str(certificate / "cert"))  # fmt: skip
        one = made(syslog_transport(options))
        one.say(1, 22)
        conn, _ = sock.accept()
        with conn:
            assert read_counted(conn, 2) == [1, 22]
            until(lambda: one.courier.waiting == 0)


def test_a_certificate_that_is_not_trusted_gets_nothing(made, certificate):
    with tls_server(certificate) as sock:
        one = made(syslog_transport(SyslogOptions(server=Address("tls", "localhost", sock.getsockname()[1]))))
        errors = []

        def serve():
            try:
                sock.accept()
            except OSError as e:
                errors.append(e)

        thread = threading.Thread(target=serve)
        thread.start()
        one.say(1)
        until(lambda: one.courier.failing)
        thread.join()
        assert "certificate" in one.told[0].lower()
        assert len(errors) == 1
        assert one.courier.waiting == 1


def test_certificates_that_are_not_there():
    with pytest.raises(ConfigError, match=r"none\.pem"):
        syslog_transport(SyslogOptions(server=Address("tls", "a", 1), ca_file="none.pem"))


def test_framing():
    assert octet_counted([b"a", b"bcd"]) == b"1 a3 bcd"
    assert line_by_line([b"a", b"bcd"]) == b"a\nbcd\n"
