import pytest
import sqlforge as sql
from handshakes import TO_CLIENT, TO_SERVER, drive

from sensor.model.anomaly import AppAnomaly
from sensor.proto.mysql.fields import SPEC
from sensor.proto.mysql.state import STAGE_REQUEST, STAGE_RESPONSE, MysqlParser


def test_a_talk():
    found = drive(MysqlParser(), sql.mysql())
    log_on, query, failed = (s.tx.eve() for s in found if s.stage == STAGE_RESPONSE)
    version = "8.0.36-log"
    assert log_on == {"version": version, "command": "login", "user": "root", "database": "shop", "status": "ok"}
    assert query == {"version": version, "command": "SELECT @@version", "status": "result"}
    assert failed["error_code"] == 1051
    assert failed["error_message"] == "Unknown table"
    assert found[-1].stage == STAGE_REQUEST
    assert found[-1].tx.eve()["command"] == "quit"


def test_buffers():
    found = [s.tx for s in drive(MysqlParser(), sql.mysql()) if s.stage == STAGE_REQUEST]
    commands = [tx.buffer("mysql.command")[0] for tx in found]
    assert commands == [b"login", b"SELECT @@version", b"DROP TABLE x", b"quit"]
    assert found[0].buffer("mysql.user") == (b"root",)
    assert found[0].buffer("mysql.version") == (b"8.0.36-log",)
    assert {b.name for b in SPEC.buffers} == {"mysql.command", "mysql.user", "mysql.version"}


def test_other_commands():
    talk = [
        *sql.mysql()[:5],
        (0, sql.packet(0, b"\2mine")),
        (1, sql.packet(1, sql.OK)),
        (0, sql.packet(0, b"\x11eve\0x")),
    ]
    chosen, changed = [s.tx for s in drive(MysqlParser(), talk) if s.stage == STAGE_REQUEST][1:]
    assert (chosen.database, chosen.command) == (b"mine", "init_db")
    assert (changed.user, changed.command) == (b"eve", "change_user")


def test_with_tls_there_is_nothing_more_to_learn():
    parser = MysqlParser()
    assert drive(parser, [(1, sql.packet(0, sql.GREETING)), (0, sql.packet(1, sql.login(flags=0xA00)[:32]))]) == []
    assert parser.done
    assert parser.anomalies() == []


def test_a_refused_client():
    parser = MysqlParser()
    assert drive(parser, [(1, sql.packet(0, b"\xff\x6a\4Host is not allowed"))]) == []
    assert parser.anomalies() == []


@pytest.mark.parametrize(
    ("side", "data"),
    [
        (TO_CLIENT, sql.packet(0, b"\x0bnew")),
        (TO_CLIENT, sql.packet(0, b"\x0a" + b"8" * 300)),
        (TO_SERVER, sql.packet(1, b"\0" * 40)),
        (TO_SERVER, sql.packet(1, sql.login()[:34])),
        (TO_SERVER, sql.packet(1, sql.login(user=b"u" * 300))),
    ],
)
def test_malformed(side, data):
    parser = MysqlParser()
    parser.feed(side, data, 0)
    assert parser.done
    assert parser.anomalies() == [(AppAnomaly.MYSQL_MALFORMED_DATA, side)]


def test_old_passwords_end_with_a_zero():
    body = sql.struct.pack("<IIB23s", 0x208, 1 << 24, 33, b"") + b"root\0pass\0shop\0"
    (stage,) = drive(MysqlParser(), [(0, sql.packet(1, body))])
    assert (stage.tx.user, stage.tx.database) == (b"root", b"shop")


def test_lost_bytes():
    parser = MysqlParser()
    drive(parser, sql.mysql()[:5])
    long = sql.packet(0, b"\3" + b"x" * 40_000)
    assert len(parser.feed(TO_SERVER, long[:20_000], 0)) == 1
    parser.gap(TO_SERVER, 10_000, 0)
    assert len(parser.feed(TO_SERVER, long[30_000:] + sql.packet(0, b"\1"), 0)) == 1
    assert all(pieces.held == 0 for pieces in parser._sides)
    parser.gap(TO_CLIENT, 1, 0)
    assert parser.done
