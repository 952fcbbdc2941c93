"""The control socket: Suricata's protocol, hostile clients, many at once."""

import contextlib
import json
import os
import re
import socket
import threading
from pathlib import Path

import pytest

from sensor.cli import ctl
from sensor.engine.live.asks import Answer, Ask, Asks
from sensor.engine.live.ctlsocket import CLIENTS_MAX, ControlSocket
from sensor.engine.live.verbs import RELOADS, VERBS
from sensor.errors import OutputError, SensorError, UsageError


class Sensor:
    """Answers each command in the test's own time."""

    def __init__(self, path):
        self.path = str(path)
        self.came = threading.Semaphore(0)
        self.asks = Asks(self.came.release)
        self.socket = ControlSocket(path)
        self.socket.start(self.asks.put)

    def take(self):
        assert self.came.acquire(timeout=10)
        (ask,) = self.asks.take()
        return ask

    def client(self):
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.settimeout(10)
        sock.connect(self.path)
        return sock

    def greeted(self):
        sock = self.client()
        sock.sendall(b'{"version": "0.2"}\n')
        assert sock.recv(100) == b'{"return": "OK"}\n'
        return sock


@pytest.fixture
def sensor(tmp_path):
    made = Sensor(tmp_path / "s")
    yield made
    made.socket.close()
    assert not (tmp_path / "s").exists()


def test_a_command_and_its_answer(sensor):
    with sensor.greeted() as sock:
        sock.sendall(b'{"command": "iface-stat", "arguments": {"iface": "eth0"}}\n')
        ask = sensor.take()
        assert (ask.command, ask.arguments) == ("iface-stat", {"iface": "eth0"})
        ask.reply(Answer(True, {"pkts": 7}))
        assert json.loads(sock.recv(1000)) == {"message": {"pkts": 7}, "return": "OK"}
        sock.sendall(b'{"command": "x"}\n')
        sensor.take().reply(Answer(False, "Unknown command"))
        assert sock.recv(1000) == b'{"message": "Unknown command", "return": "NOK"}\n'


def test_the_first_version_has_no_line_ends(sensor):
    with sensor.client() as sock:
        sock.sendall(b'{"version": "0.1"}')
        assert sock.recv(100) == b'{"return": "OK"}'
        sock.sendall(b'{"command":')
        sock.sendall(b' "uptime"}')
        sensor.take().reply(Answer(True, 3))
        assert sock.recv(100) == b'{"message": 3, "return": "OK"}'


def test_commands_in_one_piece_are_answered_one_after_the_other(sensor):
    with sensor.greeted() as sock:
        sock.sendall(b'{"command": "a"}\n{"command": "b"}\n')
        first = sensor.take()
        assert first.command == "a"
        first.reply(Answer(True, 1))
        sensor.take().reply(Answer(True, 2))
        with sock.makefile() as lines:
            assert [json.loads(lines.readline())["message"] for _ in range(2)] == [1, 2]


def test_a_slow_command_holds_up_no_other_client(sensor):
    with sensor.greeted() as slow, sensor.greeted() as quick:
        slow.sendall(b'{"command": "reload-rules"}\n')
        reload = sensor.take()
        quick.sendall(b'{"command": "uptime"}\n')
        sensor.take().reply(Answer(True, 1))
        assert b'"message": 1' in quick.recv(100)
        reload.reply(Answer(True, "done"))
        assert b"done" in slow.recv(100)


@pytest.mark.parametrize(
    "data",
    [
        b"nonsense\n", b'{"version": "9"}\n', b'{"version": "0.2"\n', b"[1]\n", b"\xff\xfe\n", b"[" * 60_000 + b"\n",
        b'{"a":' * 9000 + b"\n", b"{" + b"x" * 70_000, b'{"command": "uptime"}\n',
    ],
)  # fmt: skip
def test_what_is_no_command_ends_the_connection(sensor, data):
    with sensor.client() as sock:
        sock.sendall(data)
        with contextlib.suppress(ConnectionResetError):
            assert sock.recv(100) == b""
    with sensor.greeted():  # others are served as before
        pass


@pytest.mark.parametrize("data", [b'{"command": 7}\n', b'{"command": "a", "arguments": [1]}\n', b'{"x": 1}\n'])
def test_a_command_that_is_none_is_refused(sensor, data):
    with sensor.greeted() as sock:
        sock.sendall(data)
        assert json.loads(sock.recv(1000))["return"] == "NOK"


def test_a_client_that_left_is_forgotten(sensor):
    with sensor.greeted() as sock:
        sock.sendall(b'{"command": "a"}\n')
        ask = sensor.take()
    with sensor.greeted() as sock:
        ask.reply(Answer(True, "for nobody"))
        sock.sendall(b'{"command": "b"}\n')
        sensor.take().reply(Answer(True, "for me"))
        assert b"for me" in sock.recv(1000)


def test_more_clients_than_are_served_wait(sensor):
    served = [sensor.greeted() for _ in range(CLIENTS_MAX)]
    with sensor.client() as late:
        late.sendall(b'{"version": "0.2"}\n')
        late.settimeout(0.2)
        with pytest.raises(TimeoutError):
            late.recv(100)
        served.pop().close()
        late.settimeout(10)
        assert late.recv(100) == b'{"return": "OK"}\n'
    for sock in served:
        sock.close()


def test_commands_that_pile_up_are_refused():
    asks, answers = Asks(lambda: None, limit=1), []
    for _ in range(2):
        asks.put(Ask("a", {}, answers.append))
    assert len(asks.take()) == 1
    assert [a.good for a in answers] == [False]


def test_only_owner_and_group_may_connect(sensor):
    assert os.stat(sensor.path).st_mode & 0o777 == 0o660  # noqa: PTH116 - a socket's path is text


def test_a_socket_left_behind_is_replaced_and_one_in_use_is_not(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
        dead.bind(str(tmp_path / "s"))
    alive = ControlSocket(tmp_path / "s")
    with pytest.raises(OutputError, match="another sensor listens there"):
        ControlSocket(tmp_path / "s")
    alive.close()
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="unix-command"):
        ControlSocket(tmp_path / "file")
    assert (tmp_path / "file").read_text() == "x"


def serve(sensor, answer):
    def work():
        serve.ask = sensor.take()
        serve.ask.reply(answer)

    thread = threading.Thread(target=work)
    thread.start()
    return thread


@pytest.mark.parametrize(
    ("words", "command", "arguments"),
    [
        (["uptime"], "uptime", {}), (["iface-stat", "eth1"], "iface-stat", {"iface": "eth1"}),
        (["iface-stat", "iface=eth1"], "iface-stat", {"iface": "eth1"}),
        (["get-flow-stats-by-id", "77"], "get-flow-stats-by-id", {"flow_id": 77}),
        (["reload-rules", "force"], "reload-rules", {"force": True}),
    ],
)  # fmt: skip
def test_ctl(sensor, capsys, words, command, arguments):
    thread = serve(sensor, Answer(True, {"a": [1]}))
    assert ctl.main(["-s", sensor.path, *words]) == 0
    thread.join()
    assert (serve.ask.command, serve.ask.arguments) == (command, arguments)
    assert json.loads(capsys.readouterr().out) == {"a": [1]}


def test_ctl_says_no(sensor, capsys):
    thread = serve(sensor, Answer(False, "Unknown iface"))
    assert ctl.main(["-s", sensor.path, "iface-stat", "x"]) == 1
    thread.join()
    assert capsys.readouterr().err == "xensor: iface-stat: Unknown iface\n"


def test_ctl_without_a_sensor(tmp_path):
    with pytest.raises(SensorError, match="no sensor answers"):
        ctl.main(["--set", f"unix-command.filename={tmp_path}/none", "uptime"])
    with pytest.raises(UsageError, match="write NAME=VALUE"):
        ctl.main(["uptime", "now"])


def test_every_command_is_documented():
    text = (Path(__file__).resolve().parents[3] / "docs/control.md").read_text()
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    assert set(re.findall(r"`([a-z-]+)`", "".join(rows))) == {*VERBS, *RELOADS}
