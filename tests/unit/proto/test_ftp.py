import pytest
from handshakes import TO_CLIENT, TO_SERVER, drive
from hypothesis import given
from hypothesis import strategies as st

from sensor.model.anomaly import AppAnomaly
from sensor.model.expected import Announced, Expected
from sensor.proto.ftp import limits, parse, transaction
from sensor.proto.ftp.announce import FtpAnnouncer
from sensor.proto.ftp.fields import SPEC
from sensor.proto.ftp.state import STAGE_COMMAND, STAGE_DONE, FtpParser

TALK = [
    (1, b"220-Welcome\r\n220-to 220 places\r\n220 Ready\r\n"),
    (0, b"USER joe\r\n"),
    (1, b"331 Password?\r\n"),
    (0, b"port 10,0,0,1,4,1\r\n"),
    (1, b"200 OK\r\n"),
    (0, b"RETR a b.txt\r\n"),
    (1, b"150 Here it comes\r\n"),
    (1, b"226 Done\r\n"),
    (0, b"EPSV\r\n"),
    (1, b"229 Extended (|||6446|)\r\n"),
]


def run(talk, client=b"\x0a\0\0\1"):
    parser = FtpParser()
    parser.ends(client, b"\x0a\0\0\2")
    stages = drive(parser, talk)
    return parser, [s.tx for s in stages if s.stage == STAGE_DONE], stages


def test_commands_and_replies():
    parser, done, stages = run(TALK)
    assert parser.anomalies() == []
    assert [tx.id for tx in done] == [0, 1, 2, 3, 4]
    assert [(s.stage, s.side) for s in stages[:3]] == [(STAGE_DONE, 1), (STAGE_COMMAND, 0), (STAGE_DONE, 1)]
    assert done[0].buffer("ftp.reply") == [b"Welcome", b"to 220 places", b"Ready"]
    assert done[0].buffer("ftp.command") == []
    assert done[2].buffer("ftp.command") == [b"PORT"]
    assert done[2].buffer("ftp.command_data") == [b"10,0,0,1,4,1"]
    assert done[2].numbers("ftp.dynamic_port") == (1025,)
    assert done[2].numbers("ftp.mode") == (1,)
    assert done[3].buffer("ftp.completion_code") == [b"150", b"226"]
    assert done[4].numbers("ftp.dynamic_port") == (6446,)
    assert done[4].numbers("ftp.mode") == (2,)
    assert done[4].numbers("no.such") == done[4].buffer("no.such") == ()


def test_eve():
    _, done, _ = run(TALK)
    assert done[4].eve() == {
        "command": "EPSV",
        "dynamic_port": 6446,
        "mode": "passive",
        "completion_code": ["229"],
        "reply": ["Extended (|||6446|)"],
        "reply_received": "yes",
        "reply_truncated": False,
    }
    assert done[3].eve()["command_truncated"] is False
    assert done[3].eve()["command_data"] == "a b.txt"


def test_declared_buffers_are_those_that_exist():
    assert set(transaction._BUFFERS) == {b.name for b in SPEC.buffers}
    assert set(transaction._NUMBERS) == {n.name for n in SPEC.numbers}


@pytest.mark.parametrize(
    ("line", "client", "bounce"),
    [
        (b"PORT 10,0,0,1,0,80", b"\x0a\0\0\1", (0,)),
        (b"PORT 10,0,0,9,0,80", b"\x0a\0\0\1", (1,)),
        (b"PORT 10,0,0,256,0,80", b"\x0a\0\0\1", ()),
        (b"EPRT |1|10.0.0.9|80|", b"\x0a\0\0\1", (1,)),
        (b"EPRT |2|2001:db8::1|80|", b"\x20\x01\x0d\xb8" + b"\0" * 11 + b"\1", (0,)),
        (b"EPRT |2|2001:db8::zz|80|", b"\0" * 16, ()),
        (b"EPRT |1|10.0.0.9|0|", b"\x0a\0\0\1", ()),
        (b"PASV", b"\x0a\0\0\1", ()),
    ],
)
def test_bounce(line, client, bounce):
    _, done, _ = run([(0, line + b"\r\n")], client)
    assert done[0].numbers("ftp.bounce") == bounce
    assert done[0].numbers("ftp.reply_received") == (0,)


@pytest.mark.parametrize(
    ("line", "where"),
    [
        (b"227 Entering (10,0,0,2,19,137).", parse.Endpoint(b"\x0a\0\0\2", 5001)),
        (b"227 10,0,0,2,0,21", parse.Endpoint(b"\x0a\0\0\2", 21)),
        (b"229 (|||99999|)", None),
        (b"229 ok (!!!80!)", parse.Endpoint(b"", 80)),
        (b"226 (10,0,0,2,19,137)", None),
        (b"227 (10,0,0,2,300,1)", None),
    ],
)
def test_passive(line, where):
    assert parse.passive(line) == where


def test_pipelined_commands_get_their_replies_in_order():
    _, done, _ = run([(0, b"SYST\r\nFEAT\r\nNOOP\r\n"), (1, b"215 UNIX\r\n211-Has\r\n UTF8\r\n211 End\r\n200 x\r\n")])
    assert [(tx.command, tx.replies) for tx in done] == [
        (b"SYST", [b"UNIX"]),
        (b"FEAT", [b"Has", b" UTF8", b"End"]),
        (b"NOOP", [b"x"]),
    ]


def test_after_tls_nothing_is_read():
    parser, done, _ = run([(0, b"AUTH TLS\r\n"), (1, b"234 go\r\n"), (0, b"\x16\3\1\n\n")])
    assert parser.done
    assert [tx.command for tx in done] == [b"AUTH"]


@pytest.mark.parametrize(
    ("side", "event"),
    [(0, AppAnomaly.FTP_REQUEST_COMMAND_TOO_LONG), (1, AppAnomaly.FTP_RESPONSE_COMMAND_TOO_LONG)],
)
def test_long_lines_are_cut(side, event):
    parser, done, _ = run([(side, b"220 " + b"x" * 5000 + b"\r\n" + b"220 y\r\n")])
    assert parser.anomalies() == [(event, side)]
    assert done[0].command_cut is (side == 0)
    assert done[0].reply_cut is (side == 1)
    assert done[0].size <= limits.LINE


def test_pending_commands_are_bounded():
    parser = FtpParser()
    parser.feed(TO_SERVER, b"NOOP\r\n" * (limits.PENDING + 5), 0)
    assert len(parser._pending) == limits.PENDING
    assert parser.anomalies() == [(AppAnomaly.FTP_TOO_MANY_TRANSACTIONS, 0)] * 5
    parser = FtpParser()
    for _ in range(500):
        parser.feed(TO_SERVER, b"STOR " + b"x" * 4000 + b"\r\n", 0)
    assert parser._bytes <= limits.PENDING_BYTES


def test_endless_reply_is_bounded():
    parser = FtpParser()
    parser.feed(TO_CLIENT, b"220-x\r\n" * 5000, 0)
    ((tx,), bytes_) = parser._pending.values(), parser._bytes
    assert len(tx.replies) == limits.REPLY_LINES
    assert bytes_ == tx.size
    parser.feed(TO_CLIENT, b"220-" + b"x" * 4000 + b"\r\n", 0)
    assert tx.reply_cut


def test_gap_goes_on_with_the_next_line():
    parser = FtpParser()
    parser.feed(TO_SERVER, b"USER jo", 0)
    parser.gap(TO_SERVER, 5, 0)
    stages = parser.feed(TO_SERVER, b"SS x\r\nNOOP\r\n", 0)
    assert [s.tx.command for s in stages] == [b"SS", b"NOOP"]
    assert parser.anomalies() == [(AppAnomaly.PROTOCOL_GAP, 0)]


def announced(talk, size=None):
    reader, found = FtpAnnouncer(), []
    for side, data in talk:
        step = size or len(data)
        for at in range(0, len(data), step):
            found += reader.feed(side, data[at : at + step])
    return found


@pytest.mark.parametrize("size", [None, 1, 3])
def test_announcements(size):
    talk = [
        *TALK,
        (0, b"STOR up.bin\r\n"),
        (0, b"PASV\r\n"),
        (0, b"RETR early\r\n"),
        (1, b"227 (10,0,0,2,1,1)\r\n"),
        (0, b"RETR without a port\r\n"),
        (0, b"PORT 1,2,3,4,5,6\r\nNLST\r\n"),
    ]
    assert announced(talk, size) == [
        Expected(TO_SERVER, 1025, Announced(b"retr", b"a b.txt")),
        Expected(TO_CLIENT, 6446, Announced(b"stor", b"up.bin")),
        Expected(TO_CLIENT, 257, Announced(b"retr", b"early")),
    ]


SAID = st.tuples(
    st.sampled_from([0, 1]),
    st.sampled_from([
        b"USER joe\r\n", b"NOOP\r\nPASV\r\n", b"port 10,0,0,1,4,1\r\n", b"re", b"tr a\r\n", b"RETR b\r\n", b"STOR c\n",
        b"\n", b"X", b"\r\nEPSV\r\n", b"220 hello\r\n", b"22", b"7 (10,0,0,2,1,1)\r\n", b"227 (10,0,0,2,1,2)\r\n",
        b"229 ok (|||6446|)\r\n227 no\r\n", b"x" * 5000 + b"\n",
    ]),
)  # fmt: skip


@given(st.lists(SAID, max_size=12))
def test_lines_that_are_passed_over_change_nothing(talk):
    assert announced(talk) == announced(talk, 1)


def test_announcer_goes_on_behind_a_gap():
    reader = FtpAnnouncer()
    reader.feed(TO_SERVER, b"PORT 1,2,3,4,")
    reader.gap(TO_SERVER)
    assert reader.feed(TO_SERVER, b"9\r\nPORT 1,2,3,4,5,6\r\nRETR x\r\n") == [
        Expected(TO_SERVER, 1286, Announced(b"retr", b"x"))
    ]
