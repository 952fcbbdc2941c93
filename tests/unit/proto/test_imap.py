import pytest
import test_smtp
from handshakes import drive

from sensor.model.anomaly import AppAnomaly
from sensor.proto.imap import limits, parse
from sensor.proto.imap.state import STAGE_COMMAND, STAGE_DONE, STAGE_FETCHED, STAGE_STORED, ImapParser

MAIL = test_smtp.MAIL.replace(b"\r\n..", b"\r\n.")
TALK = [
    (1, b"* OK [CAPABILITY IMAP4rev1] ready\r\n"),
    (0, b"a1 LOGIN joe {6+}\r\nsecret\r\n"),
    (1, b"* CAPABILITY IMAP4rev1\r\na1 OK in\r\n"),
    (0, b"a2 SELECT INBOX\r\na3 uid fetch 1 (FLAGS BODY[])\r\n"),
    (1, b"* 3 EXISTS\r\na2 OK done\r\n"),
    (1, b"* 1 FETCH (FLAGS (\\Seen) BODY[] {%d}\r\n%s UID 7)\r\na3 OK fetched\r\n" % (len(MAIL), MAIL)),
    (0, b"a4 APPEND Sent {%d}\r\n" % len(MAIL)),
    (1, b"+ go\r\n"),
    (0, MAIL + b"\r\n"),
    (1, b"a4 OK stored\r\n"),
    (0, b"a5 LOGOUT\r\n"),
    (1, b"* BYE\r\na5 OK\r\n"),
]


def run(talk):
    parser = ImapParser()
    stages = drive(parser, talk)
    return parser, [s.tx for s in stages if s.stage == STAGE_DONE], stages


def test_commands():
    parser, done, stages = run(TALK)
    assert parser.anomalies() == []
    assert [tx.command for tx in done] == [b"", b"LOGIN", b"SELECT", b"UID FETCH", b"APPEND", b"LOGOUT"]
    assert [tx.id for tx in done] == list(range(6))
    assert done[3].buffer("imap.arguments") == (b"1 (FLAGS BODY[])",)
    assert done[3].buffer("imap.response") == (b"OK fetched",)
    assert done[1].eve() == {"tag": "a1", "command": "LOGIN", "response": "OK in"}
    assert done[2].eve() == {"tag": "a2", "command": "SELECT", "arguments": "INBOX", "response": "OK done"}
    assert [s.tx.command for s in stages if s.stage == STAGE_COMMAND] == [tx.command for tx in done[1:]]


@pytest.mark.parametrize(("stage", "side", "command"), [(STAGE_FETCHED, 1, b"UID FETCH"), (STAGE_STORED, 0, b"APPEND")])
def test_mails_are_taken_apart(stage, side, command):
    _, _, stages = run(TALK)
    found = [s for s in stages if s.stage == stage]
    assert [(s.side, s.tx.command) for s in found] == [(side, command)] * 3
    assert {s.file.name: s.file.data for s in found}[b"p.bin"] == test_smtp.PICTURE
    suffix = "@to_client" if side else ""
    assert found[0].tx.buffer(f"file.name{suffix}") == [b"p.bin", b"g.txt", b"plain.txt"]
    assert list(found[0].tx.buffer("file.name" if side else "file.name@to_client")) == []


def test_encryption():
    parser, done, _ = run([(0, b"a STARTTLS\r\n"), (1, b"a OK go\r\n"), (0, b"\x16\3\1\n")])
    assert parser.done
    assert done[0].command == b"STARTTLS"


def test_pending_commands_are_bounded():
    parser = ImapParser()
    parser.feed(0, b"".join(b"a%d NOOP\r\n" % n for n in range(1000)), 0)
    assert len(parser._pending) == limits.PENDING
    parser.feed(0, b"a999 NOOP\r\n", 0)
    assert len(parser._pending) == limits.PENDING


def test_gap_in_a_mail():
    parser = ImapParser()
    for part in TALK[:5]:
        parser.feed(*part, 0)
    parser.feed(1, TALK[5][1][:900], 0)
    stages = parser.gap(1, 50, 0)
    assert [(s.stage, s.file.complete) for s in stages] == [(STAGE_FETCHED, False)]
    assert parser.anomalies() == [(AppAnomaly.PROTOCOL_GAP, 1)]
    rest = parser.feed(1, TALK[5][1][950:], 0)
    assert [s.tx.status for s in rest if s.stage == STAGE_DONE] == [b"OK fetched"]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (b"a LOGIN x y", (b"a", b"LOGIN", b"x y")),
        (b"a uid copy 1 b", (b"a", b"UID COPY", b"1 b")),
        (b"DONE", None),
        (b"* x", None),
        (b"", None),
    ],
)
def test_command_lines(line, found):
    assert parse.command(line) == found


@pytest.mark.parametrize(
    ("line", "length"),
    [(b"x {12}", 12), (b"x {12+}", 12), (b"~{3}", 3), (b"{}", -1), (b"{1} ", -1), (b"{9999999999999}", -1)],
)
def test_literals(line, length):
    assert parse.literal(line) == length
