import hashlib

import pytest
from handshakes import TO_CLIENT, TO_SERVER

from sensor.model.anomaly import AppAnomaly
from sensor.model.expected import Announced
from sensor.proto.files import LONG_HEAD as HEAD
from sensor.proto.ftpdata.state import STAGE_COMMAND, STAGE_RECEIVED, STAGE_SENT, FtpDataParser


def parser_of(command=b"retr", name=b"a.txt"):
    parser = FtpDataParser()
    parser.announced(Announced(command, name))
    return parser


@pytest.mark.parametrize(
    ("command", "side", "seen_from", "stage"),
    [
        (b"retr", TO_CLIENT, TO_CLIENT, STAGE_RECEIVED),
        (b"retr", TO_SERVER, TO_CLIENT, STAGE_SENT),
        (b"stor", TO_SERVER, TO_SERVER, STAGE_SENT),
        (b"stor", TO_CLIENT, TO_SERVER, STAGE_RECEIVED),
    ],
)
def test_file(command, side, seen_from, stage):
    parser = parser_of(command)
    stages = parser.feed(side, b"root:", 0) + parser.feed(side, b"x:0", 0) + parser.finish(0)
    assert [(s.stage, s.side) for s in stages] == [(STAGE_COMMAND, seen_from), (stage, side)]
    tx = stages[0].tx
    suffix = "@to_client" if side == TO_CLIENT else ""
    assert tx.buffer(f"file.data{suffix}") == (b"root:x:0",)
    assert tx.buffer(f"file.name{suffix}") == (b"a.txt",)
    assert tx.buffer(f"file.size{suffix}") == ((8).to_bytes(8, "big"),)
    assert tx.buffer(f"file.md5{suffix}") == (hashlib.md5(b"root:x:0").hexdigest().encode(),)  # noqa: S324 - EVE's
    assert tx.buffer("file.data" if suffix else "file.data@to_client") == ()
    assert tx.numbers("ftpdata_command") == ((1,) if command == b"retr" else (2,))
    assert tx.eve() == {"filename": "a.txt", "command": command.decode().upper()}
    assert parser.done
    assert parser.finish(0) == parser.feed(side, b"x", 0) == []


def test_the_other_side_adds_nothing():
    parser = parser_of()
    parser.feed(TO_CLIENT, b"abc", 0)
    parser.feed(TO_SERVER, b"xyz", 0)
    assert parser.finish(0)[0].tx.buffer("file.data@to_client") == (b"abc",)


def test_no_byte_no_file():
    parser = parser_of()
    assert parser.feed(TO_CLIENT, b"", 0) == parser.finish(0) == []


def test_gap_ends_what_is_seen():
    parser = parser_of()
    parser.feed(TO_CLIENT, b"abc", 0)
    parser.gap(TO_CLIENT, 10, 0)
    parser.feed(TO_CLIENT, b"def", 0)
    tx = parser.finish(0)[0].tx
    assert tx.buffer("file.data@to_client") == (b"abc",)
    assert tx.buffer("file.md5@to_client") == ()
    assert parser.anomalies() == [(AppAnomaly.PROTOCOL_GAP, TO_CLIENT)]


def test_long_file_keeps_its_head():
    parser = parser_of()
    for _ in range(600):
        parser.feed(TO_CLIENT, b"x" * 1000, 0)
    tx = parser.finish(0)[0].tx
    assert tx.buffer("file.data@to_client") == (b"x" * HEAD,)
    assert tx.buffer("file.size@to_client") == ((600_000).to_bytes(8, "big"),)
    assert tx.buffer("file.sha256@to_client") == (hashlib.sha256(b"x" * 600_000).hexdigest().encode(),)


def test_not_announced():
    parser = FtpDataParser()
    parser.feed(TO_CLIENT, b"abc", 0)
    tx = parser.finish(0)[0].tx
    assert tx.eve() == {}
    assert tx.numbers("ftpdata_command") == ()
