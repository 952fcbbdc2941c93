import pytest
import test_smtp
from handshakes import drive

from sensor.model.anomaly import AppAnomaly
from sensor.proto.pop3 import limits
from sensor.proto.pop3.fields import SPEC
from sensor.proto.pop3.state import STAGE_COMMAND, STAGE_DONE, STAGE_FILE, Pop3Parser

TALK = [
    (1, b"+OK ready <1@x>\r\n"),
    (0, b"USER joe\r\npass secret word\r\n"),
    (1, b"+OK\r\n-ERR no\r\n"),
    (0, b"CAPA\r\nLIST\r\nLIST 1\r\n"),
    (1, b"+OK list\r\nTOP\r\n.\r\n+OK 2\r\n1 100\r\n2 200\r\n.\r\n+OK 1 100\r\n"),
    (0, b"RETR 1\r\n"),
    (1, b"+OK 500\r\n" + test_smtp.MAIL + b".\r\n"),
    (0, b"QUIT\r\n"),
    (1, b"+OK bye\r\n"),
]


def run(talk):
    parser = Pop3Parser()
    stages = drive(parser, talk)
    return parser, [s.tx for s in stages if s.stage == STAGE_DONE], stages


def test_commands():
    parser, done, stages = run(TALK)
    assert parser.anomalies() == []
    assert [tx.command for tx in done] == [b"", b"USER", b"PASS", b"CAPA", b"LIST", b"LIST", b"RETR", b"QUIT"]
    assert [tx.id for tx in done] == list(range(8))
    assert done[2].buffer("pop3.arguments") == (b"secret word",)
    assert done[2].buffer("pop3.response") == (b"-ERR no",)
    assert done[2].eve() == {
        "request": {"command": "PASS", "args": []},
        "response": {"success": False, "status": "-ERR no"},
    }
    assert done[1].eve()["request"] == {"command": "USER", "args": ["joe"]}
    assert {s.side for s in stages if s.stage == STAGE_COMMAND} == {0}


def test_mail_is_taken_apart():
    _, done, stages = run(TALK)
    files = {s.file.name: s.file.data for s in stages if s.stage == STAGE_FILE}
    assert files[b"p.bin"] == test_smtp.PICTURE
    assert list(files) == [b"p.bin", b"g.txt", b"plain.txt"]
    assert done[6].buffer("file.name@to_client") == [b"p.bin", b"g.txt", b"plain.txt"]
    assert done[6].buffer("file.name") == ()


def test_mail_that_is_cut_off():
    _, done, stages = run([*TALK[:6], (1, TALK[6][1][:900])])
    (file,) = [s.file for s in stages if s.file is not None]
    assert not file.complete
    assert done[-1].command == b"RETR"


def test_challenges_and_encryption():
    parser, done, _ = run(
        [(0, b"AUTH PLAIN\r\n"), (1, b"+ \r\n+OK\r\n"), (0, b"STLS\r\n"), (1, b"+OK\r\n"), (0, b"\x16\n")]
    )
    assert parser.done
    assert [tx.status for tx in done] == [b"+OK", b"+OK"]


def test_pending_commands_are_bounded():
    parser = Pop3Parser()
    parser.feed(0, b"NOOP\r\n" * 1000, 0)
    assert len(parser._pending) == limits.PENDING


@pytest.mark.parametrize("side", [0, 1])
def test_gap(side):
    parser = Pop3Parser()
    for part in TALK[:6]:
        parser.feed(*part, 0)
    parser.feed(1, TALK[6][1][:900], 0)
    stages = parser.gap(side, 10, 0)
    assert [s.stage for s in stages] == ([STAGE_FILE, STAGE_DONE] if side else [])
    assert parser.anomalies() == [(AppAnomaly.PROTOCOL_GAP, side)]


def test_names_are_declared():
    assert SPEC.name == "pop3"
    _, done, _ = run(TALK)
    assert all(tx.buffer(b.name) is not None for tx in done for b in SPEC.buffers)
