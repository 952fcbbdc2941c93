import struct

import pytest
import sqlforge as sql
from handshakes import TO_CLIENT, TO_SERVER, drive
from test_probe import stream

from sensor.model.anomaly import AppAnomaly
from sensor.proto.ids import PGSQL
from sensor.proto.pgsql import state
from sensor.proto.pgsql.fields import SPEC
from sensor.proto.pgsql.state import STAGE_REQUEST, STAGE_RESPONSE, PgsqlParser


def records(talk):
    return [stage.tx.eve() for stage in drive(PgsqlParser(), talk) if stage.stage == STAGE_RESPONSE]


def test_a_talk():
    tls, start, password, query, parse = records(sql.pgsql())
    assert tls == {"tx_id": 0, "request": {"message": "SSL Request"}, "response": {"ssl_accepted": False}}
    assert start["request"] == {
        "protocol_version": "3.0",
        "startup_parameters": {"user": "bob", "optional_parameters": [{"database": "shop"}]},
    }
    assert start["response"] == {"message": "authentication_md5_password"}
    assert password["request"] == {"message": "password_message"}
    assert password["response"]["message"] == "authentication_ok"
    assert password["response"]["parameter_status"] == [{"server_version": "16.1"}]
    assert password["response"]["process_id"] == 77
    assert query["request"] == {"simple_query": "SELECT 1"}
    assert query["response"] == {"field_count": 1, "data_rows": 2, "data_size": 16, "command_completed": "SELECT 2"}
    assert parse["request"] == {"parse": "DELETE FROM t", "statement": "st"}
    failed = {"severity_localizable": "ERROR", "code": "42P01", "message": "no such table"}
    assert parse["response"] == failed


def test_buffers():
    found = [s.tx for s in drive(PgsqlParser(), sql.pgsql()) if s.stage == STAGE_REQUEST]
    assert [tx.buffer("pgsql.query") for tx in found if tx.query] == [(b"SELECT 1",), (b"DELETE FROM t",)]
    assert [tx.buffer("pgsql.user") for tx in found if tx.user] == [(b"bob",)]
    assert {b.name for b in SPEC.buffers} == {"pgsql.query", "pgsql.user"}


def test_with_tls_there_is_nothing_more_to_learn():
    parser = PgsqlParser()
    found = drive(parser, [(0, sql.SSL), (1, b"S"), (0, b"\x16\3\1")])
    assert [s.stage for s in found] == [STAGE_REQUEST, STAGE_RESPONSE]
    assert found[1].tx.eve()["response"] == {"ssl_accepted": True}
    assert parser.done
    assert (parser.becomes, parser.rest(0), parser.rest(1)) == ("tls", b"", b"")
    assert parser.anomalies() == []


def test_a_connection_whose_begin_was_missed():
    parser = PgsqlParser()
    found = drive(parser, [(0, sql.typed(b"Q", b"select 1\0")), (1, sql.typed(b"C", b"A\0") + sql.READY)])
    assert found[0].tx.buffer("pgsql.query") == (b"select 1",)
    assert parser.anomalies() == []


def test_queries_that_follow_each_other_have_their_own_answers():
    done = sql.typed(b"C", b"A\0") + sql.READY
    talk = [*sql.pgsql()[:7], (0, sql.typed(b"Q", b"one\0") + sql.typed(b"Q", b"two\0")), (1, done), (1, done)]
    assert [r["request"]["simple_query"] for r in records(talk)[-2:]] == ["one", "two"]


def test_statements_up_to_a_sync_are_answered_together():
    asked = sql.typed(b"P", b"\0one\0\0\0") + sql.typed(b"P", b"\0two\0\0\0") + sql.typed(b"S")
    more = sql.typed(b"P", b"\0three\0\0\0") + sql.typed(b"S")
    found = drive(PgsqlParser(), [*sql.pgsql()[:7], (0, asked + more), (1, sql.READY)])
    assert [s.tx.query for s in found if s.stage == STAGE_RESPONSE][-2:] == [b"one", b"two"]


def test_a_failed_log_on():
    error = sql.typed(b"E", b"SFATAL\0C28P01\0Mpassword authentication failed\0\0")
    *_, last = records([*sql.pgsql()[:5], (1, error)])
    assert last["response"]["code"] == "28P01"


def test_log_on_by_sasl_shows_the_method_and_no_secret():
    ask = lambda number, more=b"": (1, sql.typed(b"R", struct.pack("!I", number) + more))  # noqa: E731 - three uses
    first = sql.typed(b"p", b"SCRAM-SHA-256\0\0\0\0\4n,,n")
    talk = [
        *sql.pgsql()[:3],
        ask(10, b"SCRAM-SHA-256\0\0"),
        (0, first),
        ask(11, b"r=x"),
        (0, sql.typed(b"p", b"p=secret")),
    ]
    *_, third, fourth = records([*talk, ask(12), ask(0), (1, sql.READY)])
    assert third["request"] == {"sasl_authentication_mechanism": "scram_SHA256"}
    assert fourth["request"] == {"message": "sasl_response"}
    assert fourth["response"]["message"] == "authentication_ok"


def test_cancel():
    body = struct.pack("!IIII", 16, 80877102, 77, 88)
    (stage,) = drive(PgsqlParser(), [(0, body)])
    assert stage.tx.eve()["request"] == {"message": "cancel_request", "process_id": 77}


@pytest.mark.parametrize("data", [b"\0\0\0\7\0\3\0\0", b"\0\0\0\x09\0\4\0\0", b"\0\1\0\0\0\3\0\0"])
def test_what_is_no_message_ends_the_parser(data):
    parser = PgsqlParser()
    assert parser.feed(TO_SERVER, data, 0) == []
    assert parser.done
    assert parser.anomalies() == [(AppAnomaly.PGSQL_MALFORMED_DATA, TO_SERVER)]


def test_notices_answer_nothing():
    parser = PgsqlParser()
    assert drive(parser, [(1, sql.typed(b"N", b"SNOTICE\0\0") + sql.typed(b"A", b"\0\0\0\1x\0\0"))]) == []
    assert not parser._pending


def test_pending_requests_are_capped():
    parser = PgsqlParser()
    drive(parser, [*sql.pgsql()[:7], (0, sql.typed(b"Q", b"x\0") * (state.MAX_PENDING + 5))])
    assert len(parser._pending) == state.MAX_PENDING
    assert parser.anomalies() == [(AppAnomaly.PGSQL_TOO_MANY_REQUESTS, TO_SERVER)]


def test_lost_bytes():
    parser = PgsqlParser()
    drive(parser, sql.pgsql()[:7])
    long = sql.typed(b"Q", b"x" * 40_000)
    assert len(parser.feed(TO_SERVER, long[:20_000], 0)) == 1
    parser.gap(TO_SERVER, 10_000, 0)
    assert not parser.done
    assert len(parser.feed(TO_SERVER, long[30_000:] + sql.typed(b"X"), 0)) == 1
    parser.gap(TO_CLIENT, 1, 0)
    assert parser.done
    assert parser.feed(TO_SERVER, sql.typed(b"X"), 0) == parser.gap(0, 1, 0) == []


@pytest.mark.parametrize("message", [sql.typed(b"Q", b"select 1\0"), sql.typed(b"R", bytes(4))])
def test_on_its_port_a_connection_under_way_is_told(message):
    assert stream(message, port=5432) == stream(b"", message, port=5432) == PGSQL
    assert PGSQL not in (stream(message), stream(b"Q\0\0\0\3abc", port=5432), stream(b"QUIT now", port=5432))
