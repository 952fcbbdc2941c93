import gzip
import hashlib
from collections import Counter
from pathlib import Path

import dpkt
import pytest

from sensor.model.anomaly import AppAnomaly
from sensor.model.app import TO_CLIENT, TO_SERVER
from sensor.proto.http1 import limits
from sensor.proto.http1.fields import SPEC
from sensor.proto.http1.state import HttpParser
from sensor.proto.http1.transaction import REQUEST_HEADERS, RESPONSE_COMPLETE

STAGES = [stage.name for stage in SPEC.stages]
CASES = Path(__file__).resolve().parents[3] / "../shared/conformance"

GET = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

ALSO = frozenset({
    AppAnomaly.HTTP_INVALID_REQUEST_CHUNK_LEN, AppAnomaly.HTTP_INVALID_RESPONSE_CHUNK_LEN,
    AppAnomaly.HTTP_RESPONSE_INVALID_STATUS, AppAnomaly.HTTP_REQUEST_TOO_MANY_HEADERS,
})  # fmt: skip
"""Further names of what has one here as well."""
NAMED = {one.name.removeprefix("HTTP_") for one in SPEC.events if one >= 70 or one < 32} - {
    one.name.removeprefix("HTTP_") for one in SPEC.events if one < 26
}
"""Those that Suricata gives."""


def talk(*turns, finish=True):
    """Feed (side, bytes) turns; an int instead of bytes is a gap."""
    parser = SPEC.new_parser()
    out = []
    for side, data in turns:
        out += parser.gap(side, data, 0) if isinstance(data, int) else parser.feed(side, data, 0)
    if finish:
        out += parser.finish(0)
    return parser, out


def names(stages):
    return [(STAGES[stage.stage], stage.tx.id) for stage in stages]


def odd(parser):
    return {what for what, _ in parser.anomalies()} - {AppAnomaly.HTTP_MISSING_HOST_HEADER}  # few here have one


def test_an_exchange_reaches_all_stages_in_order():
    parser, out = talk((TO_SERVER, GET), (TO_CLIENT, OK), finish=False)
    assert names(out) == [(stage, 0) for stage in STAGES]
    assert [stage.side for stage in out] == [0, 0, 0, 1, 1, 1]
    assert not parser.done
    assert odd(parser) == set()


def test_pipelined_requests_are_paired_in_order():
    _, out = talk((TO_SERVER, GET + GET.replace(b"/a", b"/b")), (TO_CLIENT, OK + OK))
    assert [tx for stage, tx in names(out) if stage == "response_complete"] == [0, 1]
    assert out[-1].tx.buffer("http.uri") == (b"/b",)


def test_too_many_pipelined_requests_lose_the_oldest():
    parser, out = talk((TO_CLIENT, b"\r\n"), (TO_SERVER, GET * (limits.PIPELINED + 2)), (TO_CLIENT, OK))
    assert odd(parser) == {AppAnomaly.HTTP_TOO_MANY_PIPELINED}
    assert ("response_complete", 2) in names(out)


def test_waiting_bodies_are_bounded_together():
    post = b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % limits.REQUEST_BODY + bytes(limits.REQUEST_BODY)
    parser, _ = talk((TO_CLIENT, b"\r\n"), *[(TO_SERVER, post)] * 30, finish=False)
    assert sum(tx.held() for tx in parser._exchange.waiting) <= limits.PENDING_BYTES
    assert odd(parser) == {AppAnomaly.HTTP_TOO_MANY_PIPELINED}


def test_one_direction_alone_is_no_pipelining():
    parser, out = talk((TO_SERVER, GET * (limits.PIPELINED + 50)))
    assert odd(parser) == set()
    assert len(out) == 3 * (limits.PIPELINED + 50)


def test_a_response_without_request_is_a_transaction():
    _, out = talk((TO_CLIENT, OK))
    assert names(out) == [("response_headers", 0), ("response_body", 0), ("response_complete", 0)]
    assert out[0].tx.buffer("http.uri") == ()
    assert out[0].tx.eve() == {"protocol": "HTTP/1.1", "status": 200, "length": 2}


def test_a_buffer_exists_from_its_stage_on():
    parser = SPEC.new_parser()
    post = b"POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\n"
    tx = parser.feed(TO_SERVER, post + b"ab", 0)[0].tx
    assert tx.buffer("http.method") == (b"POST",)
    assert tx.buffer("http.request_body") == ()
    parser.feed(TO_SERVER, b"cd", 0)
    assert tx.buffer("http.request_body") == [b"abcd"]
    assert tx.buffer("http.stat_code") == ()
    assert tx.buffer("no.such.buffer") == ()


@pytest.mark.parametrize(
    "body",
    [
        b"Content-Length: 5\r\n\r\nhello",
        b"Transfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x\r\nllo\r\n0\r\nT: 1\r\n\r\n",
        b"\nhello",
        b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(b"hello"),
        b"Transfer-Encoding: chunked\r\n\r\nhello",
        b"Content-Length: 1, 5\r\n\r\nhello",
        b"Content-Length: 50\r\n\r\nhello",
    ],
    ids=["length", "chunked", "lf close", "gzip", "not chunked after all", "two lengths", "short"],
)
def test_bodies(body):
    _, out = talk((TO_SERVER, GET), (TO_CLIENT, b"HTTP/1.1 200 OK\r\n" + body))
    assert [list(out[-1].tx.buffer(n)) for n in ("file.data@to_client", "http.response_body")] == [
        [b"hello"]
    ] * 2


def test_a_long_body_is_cut_and_its_stage_does_not_wait_for_its_end():
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"
    parser, out = talk((TO_SERVER, GET), (TO_CLIENT, head + bytes(limits.RESPONSE_BODY + 9)), finish=False)
    assert names(out)[-1] == ("response_body", 0)
    assert len(out[-1].tx.buffer("file.data@to_client")[0]) == limits.RESPONSE_BODY
    out = parser.feed(TO_CLIENT, bytes(1_000_000 - limits.RESPONSE_BODY - 9) + OK, 0)
    assert names(out)[0] == ("response_complete", 0)
    assert out[0].tx.eve()["length"] == 1_000_000
    assert limits.RESPONSE_BODY < out[0].tx.held() < 4 * limits.RESPONSE_BODY  # with what rules were shown


@pytest.mark.parametrize(
    ("request_line", "status"),
    [(b"HEAD / HTTP/1.1", b"200"), (b"GET / HTTP/1.1", b"204"), (b"GET / HTTP/1.1", b"304")],
)
def test_messages_without_body(request_line, status):
    head = b"HTTP/1.1 " + status + b" x\r\nContent-Length: 20\r\n\r\n"
    _, out = talk((TO_SERVER, request_line + b"\r\n\r\n" + GET), (TO_CLIENT, head + OK))
    assert [tx for stage, tx in names(out) if stage == "response_complete"] == [0, 1]
    assert out[-1].tx.buffer("http.response_body") == [b"ok"]


def test_interim_responses_belong_to_the_same_request():
    _, out = talk((TO_SERVER, GET), (TO_CLIENT, b"HTTP/1.1 100 Continue\r\n\r\n" * 3 + OK))
    assert names(out) == [(stage, 0) for stage in STAGES]
    assert out[-1].tx.buffer("http.stat_code") == (b"200",)


def test_a_last_interim_response_is_reported_at_the_end():
    _, out = talk((TO_SERVER, GET), (TO_CLIENT, b"HTTP/1.1 100 Continue\r\n\r\n"))
    assert names(out)[-1] == ("response_complete", 0)


@pytest.mark.parametrize("status", [b"102 Processing", b"103 Early Hints"])
def test_an_interim_response_that_is_no_100_stands_alone(status):
    parser, out = talk((TO_SERVER, GET), (TO_CLIENT, b"HTTP/1.1 " + status + b"\r\nLink: x\r\n\r\n" + OK))
    found = {stage.tx.id: stage.tx for stage in out}
    assert [tx.buffer("http.stat_code") for tx in found.values()] == [(b"200",), (status[:3],)]
    assert [bool(tx.buffer("http.uri")) for tx in found.values()] == [True, False]
    assert (AppAnomaly.HTTP_UNABLE_TO_MATCH_RESPONSE_TO_REQUEST, TO_CLIENT) in parser.anomalies()


def test_a_body_that_the_server_does_not_expect_does_not_come():
    head = b"POST /a HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
    refused = b"HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n"
    parser, out = talk((TO_SERVER, head), (TO_CLIENT, refused), (TO_SERVER, GET), (TO_CLIENT, OK))
    assert [stage.tx.buffer("http.stat_code") for stage in out if names([stage])[0][0] == "response_complete"] == [
        (b"417",), (b"200",),
    ]  # fmt: skip
    assert parser.anomalies() == []


def test_another_protocol_ends_the_parser():
    asks, agrees = b"GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n", b"HTTP/1.1 101 Switching\r\n\r\n"
    parser, out = talk((TO_SERVER, asks), (TO_CLIENT, agrees + b"\x16\x03\x01"), finish=False)
    assert parser.done
    assert names(out)[-1] == ("response_complete", 0)
    assert parser.feed(TO_SERVER, GET, 0) == []


def test_http2_with_prior_knowledge_ends_the_parser():
    parser, out = talk((TO_SERVER, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), finish=False)
    assert parser.done
    assert out == []


def test_http09():
    _, out = talk((TO_SERVER, b"GET /old\r\n"), (TO_CLIENT, b"<html>\nplain\n"), (TO_CLIENT, b"text"))
    assert names(out)[:3] == [(stage, 0) for stage in STAGES[:3]]
    assert out[-1].tx.buffer("file.data@to_client") == [b"<html>\nplain\ntext"]
    assert "protocol" not in out[-1].tx.eve()


def test_a_request_line_without_protocol_may_have_headers():
    _, out = talk((TO_SERVER, b"GET /x\r\nHost: h\r\nUser-Agent: u\r\n\r\n"))
    assert names(out) == [(stage, 0) for stage in STAGES[:3]]
    assert out[0].tx.buffer("http.user_agent") == (b"u",)


def test_stray_lines_before_a_status_line_are_skipped():
    parser, out = talk((TO_SERVER, GET), (TO_CLIENT, b"foobar\r\n" + OK))
    assert out[-1].tx.buffer("http.response_body") == [b"ok"]
    assert AppAnomaly.HTTP_INVALID_RESPONSE_LINE in odd(parser)


def test_a_gap_inside_a_body_of_known_length_loses_only_that():
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"
    parser, out = talk((TO_SERVER, GET + GET), (TO_CLIENT, head), (TO_CLIENT, 4), (TO_CLIENT, b"hij" + OK))
    assert out[7].tx.buffer("http.response_body") == [b"abc", b"hij"]
    assert names(out)[-1] == ("response_complete", 1)
    assert odd(parser) == set()


def test_after_a_gap_the_next_status_line_goes_to_the_last_request():
    parser, out = talk(
        (TO_SERVER, GET), (TO_CLIENT, b"HTTP/1.1 200 OK\r\nCont"), (TO_CLIENT, 500),
        (TO_SERVER, GET), (TO_SERVER, GET.replace(b"/a", b"/c")), (TO_CLIENT, b"rest\r\nof it\r\n" + OK),
    )  # fmt: skip
    assert AppAnomaly.PROTOCOL_GAP in odd(parser)
    assert names(out)[-1] == ("response_complete", 2)
    assert out[-1].tx.buffer("http.uri") == (b"/c",)
    done = [stage.tx for stage in out if stage.tx.id == 0]
    assert done[-1].buffer("http.stat_code") == (b"200",)


def test_a_gap_in_a_request_completes_what_was_seen():
    _, out = talk(
        (TO_SERVER, b"POST /x HTTP/1.1\r\nHost: h\r\nUser-A"), (TO_SERVER, 9), (TO_SERVER, b"x\r\n" + GET)
    )
    assert names(out) == [(stage, tx) for tx in (0, 1) for stage in STAGES[:3]]
    assert out[0].tx.buffer("http.host") == (b"h",)


def test_an_unfinished_header_block_has_the_lines_that_are_whole():
    parser, out = talk((TO_SERVER, b"GET /x HTTP/1.1\r\nUser-Agent: evil\r\nHost: h\r\nTransfer-Enco"))
    assert names(out) == [(stage, 0) for stage in STAGES[:3]]
    tx = out[0].tx
    assert tx.buffer("http.header") == (b"User-Agent: evil\r\nHost: h\r\n",)
    assert tx.buffer("http.host.raw") == (b"h",)
    assert tx.buffer("http.host") == ()
    assert parser.anomalies() == []


def test_an_unfinished_header_block_of_a_response_is_shown_if_its_last_line_is_whole():
    for end, raw in ((b"", [b"Server: s\r\n"]), (b"Content-Le", [])):
        _, out = talk((TO_SERVER, GET), (TO_CLIENT, b"HTTP/1.1 200 OK\r\nServer: s\r\n" + end))
        tx = out[0].tx
        assert list(tx.buffer("http.header.raw@to_client")) == raw
        assert len(tx.buffer("http.start@to_client")) == len(raw)
        assert tx.buffer("http.stat_code") == (b"200",)


def test_fields_in_front_of_one_that_breaks_off_are_known_of_responses():
    tx = talk((TO_SERVER, GET), (TO_CLIENT, b"HTTP/1.1 200 OK\r\nServer: s\r\nContent-Le"))[1][0].tx
    assert (tx.buffer("http.server"), tx.buffer("http.response_header")) == ((b"s",), [b"Server: s"])
    assert tx.buffer("http.header@to_client") == tx.buffer("http.header_names@to_client") == ()


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\r\n", b"HTTP/1.1 204 OK\r\r\n"])
def test_a_status_line_may_end_the_header_as_well(head):
    tx = talk((TO_SERVER, GET), (TO_CLIENT, head + b"A: b\r\n\r\nhello"))[1][0].tx
    assert tx.buffer("http.response_body") == [b"A: b\r\n\r\nhello"]
    assert tx.buffer("http.header.raw@to_client") == (b"\r\n",)


@pytest.mark.parametrize("end", [b"\r\n\n\r\n", b"\n\r\n", b"\n\r\r\n", b"\n\r\n\r\n", b"\n\n\r\n"])
def test_a_cr_behind_a_bare_lf_is_of_the_line_end_in_responses(end):
    tx = talk((TO_SERVER, GET), (TO_CLIENT, b"HTTP/1.1 200 OK\r\nA: b" + end + b"hello"))[1][0].tx
    assert tx.buffer("http.response_body") == [b"hello"]


def test_start_lines_that_break_off_are_shown_at_the_end():
    (tx,) = {stage.tx for stage in talk((TO_SERVER, b"GET /x HTTP/1."))[1]}
    assert tx.buffer("http.uri") == (b"/x",)
    assert tx.buffer("http.start") == (b"GET /x HTTP/1.\r\n",)
    assert tx.buffer("http.header.raw") == ()
    tx = talk((TO_SERVER, GET), (TO_CLIENT, b"HTTP/1.1 20"))[1][0].tx
    assert (tx.buffer("http.stat_code"), tx.buffer("http.response_line")) == ((b"20",), (b"HTTP/1.1 20",))


def test_a_line_that_is_no_request_line_is_one_of_a_name_alone():
    parser, out = talk((TO_SERVER, b"FROB\r\nHost: h\r\n\r\n"), (TO_CLIENT, OK))
    tx = out[0].tx
    assert (tx.buffer("http.method"), tx.buffer("http.host")) == ((b"FROB",), (b"h",))
    assert tx.buffer("http.stat_code") == (b"200",)
    assert (AppAnomaly.HTTP_INVALID_REQUEST_LINE, TO_SERVER) in parser.anomalies()


def test_what_answers_a_request_without_protocol_and_fields_is_a_body():
    answer = b"\r\nHTTP/1.1 200 OK\r\n\r\nbody"
    tx = talk((TO_SERVER, b"GET /x\r\n"), (TO_CLIENT, answer))[1][0].tx
    assert tx.buffer("http.response_body") == [answer]
    assert tx.buffer("http.stat_code") == ()


@pytest.mark.parametrize(("front", "body"), [
    (b"junk\r\n", b"hello"),
    (b"junk\r\n\r\n", b"junk\r\nhello"),
    (b"junk\r\nmore\r\n", b"junk\r\nhello"),
    (b"a\r\n", b"hello"),
])  # fmt: skip
def test_lines_in_front_of_a_status_line_begin_the_body(front, body):
    tx = talk((TO_SERVER, GET), (TO_CLIENT, front + b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"))[1][0].tx
    assert tx.buffer("http.response_body") == [body]
    assert tx.buffer("http.stat_code") == (b"200",)


def test_a_body_without_header_has_no_empty_lines_at_first():
    tx = talk((TO_SERVER, GET), (TO_CLIENT, b"ICY 200 OK\r\nA: b\r\n\r\nhello"))[1][0].tx
    assert tx.buffer("http.response_body") == [b"ICY 200 OK\r\nA: b\r\nhello"]


@pytest.mark.parametrize("head", [b"HTTP/1.1 204 No\r\n\r\n", b"HTTP/1.1 304 No\r\nContent-Length: 0\r\n\r\n"])
def test_what_stands_behind_a_response_that_has_no_body_is_its_body(head):
    tx = talk((TO_SERVER, GET), (TO_CLIENT, head + b"hello"))[1][0].tx
    assert tx.buffer("http.response_body") == [b"hello"]


def test_a_switch_of_protocols_that_announces_a_body_has_one():
    head = b"HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\nContent-Length: 5\r\n\r\n"
    parser, out = talk((TO_SERVER, GET), (TO_CLIENT, head + b"hello"))
    assert out[0].tx.buffer("http.response_body") == [b"hello"]
    assert parser.becomes == ""


def test_only_what_is_posted_or_put_is_a_file():
    for method, files in ((b"POST", [b"hello"]), (b"PUT", [b"hello"]), (b"GET", []), (b"PATCH", [])):
        tx = talk((TO_SERVER, method + b" /x HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello"))[1][0].tx
        assert tx.buffer("http.request_body") == [b"hello"]
        assert list(tx.buffer("file.data")) == files
        assert len(tx.buffer("file.name")) == len(files)


@pytest.mark.parametrize(
    ("side", "data", "expected"),
    [
        (TO_SERVER, b"\x16\x03\x01 nonsense\r\n", AppAnomaly.HTTP_INVALID_REQUEST_LINE),
        (TO_CLIENT, b"HTTP/1.1 abc\r\n\r\n", AppAnomaly.HTTP_INVALID_RESPONSE_LINE),
        (
            TO_SERVER,
            b"GET /" + b"a" * limits.LINE_BYTES + b" HTTP/1.1\r\n\r\n",
            AppAnomaly.HTTP_HEADER_TOO_LONG,
        ),
        (
            TO_SERVER,
            b"GET / HTTP/1.1\r\n" + (b"a: " + b"b" * 8000 + b"\r\n") * 20,
            AppAnomaly.HTTP_HEADER_TOO_LONG,
        ),
        (TO_SERVER, b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 300 + b"\r\n", AppAnomaly.HTTP_TOO_MANY_HEADERS),
        (
            TO_CLIENT,
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
            AppAnomaly.HTTP_AMBIGUOUS_LENGTH,
        ),
        (
            TO_SERVER,
            b"POST / HTTP/1.1\r\nContent-Length: 3x\r\n\r\nabc",
            AppAnomaly.HTTP_INVALID_CONTENT_LENGTH,
        ),
        (
            TO_CLIENT,
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n",
            AppAnomaly.HTTP_INVALID_CHUNK,
        ),
        (
            TO_CLIENT,
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\nplain",
            AppAnomaly.HTTP_DECOMPRESSION_FAILED,
        ),
        (
            TO_CLIENT,
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(bytes(10_000_000)),
            AppAnomaly.HTTP_DECOMPRESSION_BOMB,
        ),
        (TO_SERVER, b"GET /%252e HTTP/1.1\r\n\r\n", AppAnomaly.HTTP_DOUBLE_ENCODED_URI),
        (TO_SERVER, GET, None),
        (TO_CLIENT, OK, None),
    ],
)
def test_anomalies(side, data, expected):
    parser, out = talk(*[(TO_SERVER, GET)] * side, (side, data))
    found = odd(parser)
    assert {one for one in found if one not in ALSO or one is expected} == (set() if expected is None else {expected})
    assert parser.anomalies() == []
    assert out or expected is AppAnomaly.HTTP_INVALID_REQUEST_LINE


# ---- what stands behind the end of a message


@pytest.mark.parametrize(
    ("head", "behind", "body"),
    [
        (b"POST / HTTP/1.1\r\nHost: a\r\n\r\n", b"a=1&b=2", b"a=1&b=2"),
        (b"POST / HTTP/1.1\r\nHost: a\r\n\r\n", b"one\r\ntwo\r\n", b"one\r\ntwo\r\n"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab", b"more", b"abmore"),
        (b"POST / HTTP/1.1\r\nHost: a\r\n\r\n", b"GET", None),
        (b"POST / HTTP/1.1\r\nHost: a\r\n\r\n", b"\n", None),
        (b"POST / HTTP/1.1\r\nHost: a\r\n\r\n", b"\r\n", b"\r\n"),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab", b"FROB / HTTP/1.1\r\n\r\n", b"ab"),
    ],
)
def test_what_begins_no_request_belongs_to_the_body_before(head, behind, body):
    parser = HttpParser()
    stages = [*parser.feed(TO_SERVER, head + behind, 0), *parser.finish(0)]
    tx = stages[0].tx
    assert list(tx.buffer("http.request_body")) == ([] if body is None else [body])


def test_fields_behind_chunks_are_fields_of_the_head():
    chunks = b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nT: %s\r\nContent-Encoding: gzip\r\nHost: g\r\n\r\n"
    request = b"POST / HTTP/1.1\r\nHost: h\r\n" + chunks % b"a"
    _, stages = talk((TO_SERVER, request), (TO_CLIENT, b"HTTP/1.1 200 OK\r\n" + chunks % b"b"))
    tx = stages[0].tx
    assert list(tx.buffer("http.header")) == [b"Host: h, g\r\nTransfer-Encoding: chunked\r\nT: a\r\n"]
    assert list(tx.buffer("http.header@to_client")) == [b"Transfer-Encoding: chunked\r\nT: b\r\nHost: g\r\n"]
    assert list(tx.buffer("http.header_names@to_client")) == [b"\r\nTransfer-Encoding\r\nT\r\nHost\r\n\r\n"]
    assert b"\r\n\r\nT: a\r\n" in tx.buffer("http.header.raw")[0]
    assert list(tx.buffer("http.response_body")) == [b"ok"]


def test_fields_that_come_later_change_no_buffer_in_hand():
    parser = HttpParser()
    tx = parser.feed(TO_SERVER, b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n", 0)[0].tx
    before = list(tx.buffer("http.header_names"))
    parser.feed(TO_SERVER, b"0\r\nT: a\r\n\r\n", 0)
    assert b"T\r\n" not in before[0]
    assert b"\r\nT\r\n" in tx.buffer("http.header_names")[0]


@pytest.mark.parametrize(
    ("settings", "fits"),
    [(b"AAMAAABkAARAAAAAAAIAAAAA", True), (b"AAMAAAB_", True), (b"", True), (b"????", False), (b"AAM", False)],
)
def test_settings_of_http2_in_an_upgrade(settings, fits):
    asked = b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: h2c\r\nHTTP2-Settings: " + settings + b"\r\n\r\n"
    parser, _ = talk((TO_SERVER, asked), (TO_CLIENT, b"HTTP/1.1 101 S\r\nUpgrade: h2c\r\n\r\n"))
    assert (AppAnomaly.HTTP2_INVALID_HTTP1_SETTINGS in odd(parser)) == (not fits)


def test_a_body_without_a_length_ends_where_the_next_request_begins():
    parser = HttpParser()
    stages = parser.feed(TO_SERVER, b"POST / HTTP/1.1\r\nHost: a\r\n\r\na=1", 0)
    assert [one.stage for one in stages] == [REQUEST_HEADERS]
    stages = parser.feed(TO_SERVER, b"GET /2 HTTP/1.1\r\nHost: a\r\n\r\n", 0)
    assert list(stages[0].tx.buffer("http.request_body")) == [b"a=1"]
    assert list(stages[-1].tx.buffer("http.uri")) == [b"/2"]


def test_what_comes_later_does_not_belong_to_a_body_that_is_over():
    parser = HttpParser()
    first = parser.feed(TO_SERVER, b"POST / HTTP/1.1\r\nHost: a\r\n\r\n", 0)
    parser.feed(TO_SERVER, b"a=1", 0)
    parser.finish(0)
    assert list(first[0].tx.buffer("http.request_body")) == []


def test_bytes_behind_the_length_of_a_response_belong_to_it():
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokmore\nHTTP/1.1 204 No\r\n\r\n"
    _, stages = talk((TO_SERVER, GET), (TO_SERVER, GET), (TO_CLIENT, answer))
    bodies = [list(one.tx.buffer("http.response_body")) for one in stages if one.stage == RESPONSE_COMPLETE]
    assert bodies == [[b"okmore\n"], []]


# ---- what Suricata has a name for, as it was asked about these messages


def request(*lines, first=b"GET / HTTP/1.1", host=b"Host: a.example", body=b""):
    return first + b"\r\n" + b"".join(line + b"\r\n" for line in (host, *lines) if line) + b"\r\n" + body


def answer(*lines, first=b"HTTP/1.1 200 OK", body=b"ok"):
    return first + b"\r\n" + b"".join(line + b"\r\n" for line in lines) + b"\r\n" + body


CHUNKED = b"Transfer-Encoding: chunked"
POST = b"POST / HTTP/1.1"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (request(), set()),
        (b"\r\n" + request(), set()),
        (b" " + request(), {"REQUEST_LINE_LEADING_WHITESPACE"}),
        (request(first=b"GET\t/ HTTP/1.1"), {"METHOD_DELIM_NON_COMPLIANT"}),
        (request(first=b"GET  / HTTP/1.1"), set()),
        (request(first=b"GET /\tHTTP/1.1"), {"URI_DELIM_NON_COMPLIANT"}),
        (request(b"no colon"), {"REQUEST_FIELD_MISSING_COLON"}),
        (request(b"A\0b: x"), {"REQUEST_FIELD_MISSING_COLON"}),
        (request(b": x"), {"REQUEST_HEADER_INVALID"}),
        (request(b"A : x"), {"REQUEST_HEADER_INVALID"}),
        (request(b"A(b: x"), {"REQUEST_HEADER_INVALID"}),
        (request(b"A: x", b" y", b"B:"), set()),
        (request(host=b" Host: a"), {"INVALID_REQUEST_FIELD_FOLDING"}),
        (request(CHUNKED, first=POST, body=b"3;a=b\r\nabc\r\n0\r\n\r\n"), {"REQUEST_CHUNK_EXTENSION"}),
        (request(CHUNKED, first=POST, body=b"\r\n3\r\nabc\r\n0\r\n\r\n"), {"INVALID_REQUEST_CHUNK_LEN"}),
        (request(CHUNKED, first=POST, body=b"-3\r\nabc\r\n0\r\n\r\n"), {"INVALID_REQUEST_CHUNK_LEN"}),
        (request(CHUNKED, first=POST, body=b"ffffffff\r\n"), {"INVALID_REQUEST_CHUNK_LEN"}),
        (request() + b"something else\r\n", {"REQUEST_BODY_UNEXPECTED"}),
        (request(first=b"FOO / HTTP/1.1"), set()),
        (request(*[b"A: x"] * 1024), set()),
        (request(*[b"A: x"] * 1025), {"REQUEST_TOO_MANY_HEADERS"}),
        (request(b"A: " + b"x" * 17000), set()),
        (request(b"A: " + b"x" * 20000), {"REQUEST_FIELD_TOO_LONG"}),
    ],
)
def test_odd_requests_have_suricatas_names(data, expected):
    parser, _ = talk(*[(TO_SERVER, data[at : at + 1000]) for at in range(0, len(data), 1000)], (TO_CLIENT, OK))
    found = {one.name.removeprefix("HTTP_") for one in odd(parser)}
    assert found & NAMED == expected


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (OK, set()),
        (OK + OK, {"UNABLE_TO_MATCH_RESPONSE_TO_REQUEST"}),
        (CONTINUE + OK, set()),
        (CONTINUE + CONTINUE + OK, {"100_CONTINUE_ALREADY_SEEN"}),
        (answer(first=b"HTTP/1.2 200 OK"), {"RESPONSE_INVALID_PROTOCOL"}),
        (answer(first=b"http/1.1 200 OK"), {"RESPONSE_INVALID_PROTOCOL"}),
        (answer(first=b"HTTP/1.1 99 OK"), {"RESPONSE_INVALID_STATUS"}),
        (answer(first=b"HTTP/1.1"), {"RESPONSE_INVALID_STATUS"}),
        (answer(b"no colon"), {"RESPONSE_FIELD_MISSING_COLON"}),
        (answer(b"A(: x"), {"RESPONSE_HEADER_INVALID"}),
        (answer(b" A: x"), {"INVALID_RESPONSE_FIELD_FOLDING"}),
        (answer(CHUNKED, body=b"zz\r\nok\r\n"), {"INVALID_RESPONSE_CHUNK_LEN"}),
        (answer(*[b"A: x"] * 1026), {"RESPONSE_TOO_MANY_HEADERS"}),
    ],
)
def test_odd_responses_have_suricatas_names(data, expected):
    parser, _ = talk((TO_SERVER, GET), (TO_CLIENT, data))
    found = {one.name.removeprefix("HTTP_") for one in odd(parser)}
    assert found & NAMED == expected


def test_a_request_line_that_an_answer_cuts_off_is_told_once():
    parser, _ = talk((TO_SERVER, b"GET /x HT"), (TO_CLIENT, OK[:10]), (TO_CLIENT, OK[10:]))
    assert odd(parser) == {AppAnomaly.HTTP_REQUEST_LINE_INCOMPLETE}
    parser, _ = talk((TO_SERVER, GET + b"GET /x HT"), (TO_CLIENT, OK))
    assert AppAnomaly.HTTP_REQUEST_LINE_INCOMPLETE not in odd(parser)


def test_lines_that_are_no_requests_are_bounded():
    _, out = talk(*[(TO_SERVER, b"\x01\x02\r\n"), (TO_SERVER, b"A: b\r\n\r\n")] * 50, (TO_SERVER, GET))
    assert len({stage.tx for stage in out}) == limits.JUNK_LINES
    assert not any(b"".join(stage.tx.buffer("http.uri")) for stage in out)


def odd_of(parser, head, times, side=TO_SERVER):
    """Send a message several times; return how often which anomaly is told."""
    told = Counter()
    for _ in range(times):
        parser.feed(side, head, 0)
        told.update(what.name.removeprefix("HTTP_") for what, _ in parser.anomalies())
    return told


@pytest.mark.parametrize(("fields", "event", "weight"), [
    (b"bad\r\n", "REQUEST_FIELD_MISSING_COLON", 1),
    (b"bad\r\nbad\r\n", "REQUEST_FIELD_MISSING_COLON", 2),  # a field that is repeated is one more
    (b"A: 1\r\nA: 2\r\nb: 1\r\nB: 2\r\n", "", 2),
    (b"A B: 1\r\nC D: 2\r\n", "REQUEST_HEADER_INVALID", 1),
])  # fmt: skip
def test_warnings_that_are_too_many_are_the_last_ones(fields, event, weight):
    told = odd_of(SPEC.new_parser(), b"GET / HTTP/1.1\r\nHost: h\r\n" + fields + b"\r\n", 600)
    assert told.pop("TOO_MANY_WARNINGS") == 1
    assert 511 // weight <= told.pop(event, 511 // weight) <= 512 // weight
    assert told.keys() <= {"TOO_MANY_PIPELINED"}


@pytest.mark.parametrize(("head", "fields"), [
    (b"nocolon\r\nHost: h\r\n\r\n", b": nocolon\r\nHost: h\r\n"),
    (b":Cookie: x\r\nHost: h\r\n\r\n", b": Cookie: x\r\nHost: h\r\n"),
    (b" x: folded\r\nHost: h\r\n\r\n", b"x: folded\r\nHost: h\r\n"),
    (b"Host: h\r\n\r\n", b"Host: h\r\n"),
])  # fmt: skip
@pytest.mark.parametrize("line", [b"GET /a\r\n", b"HEAD/a HTTP/1.1\r\n"])
def test_a_request_without_a_protocol_has_a_header(line, head, fields):
    """Otherwise a broken first field, or a blank that is missing, hides all of them: Suricata has them, too."""
    _, stages = talk((TO_SERVER, line + head + GET))
    first, second = (one.tx for one in stages if one.stage == REQUEST_HEADERS)
    assert first.buffer("http.header") == (fields,)
    assert second.buffer("http.uri") == (b"/a",)


def test_what_is_odd_about_a_transaction_is_told_of_each():
    request = b"GET / HTTP/1.1\r\nAuthorization: magic\r\n\r\n"
    told = odd_of(SPEC.new_parser(), request, 600)
    assert told["MISSING_HOST_HEADER"] == told["REQUEST_AUTH_UNRECOGNIZED"] == 600
    assert odd_of(SPEC.new_parser(), 3 * request, 1)["MISSING_HOST_HEADER"] == 3
    assert odd_of(SPEC.new_parser(), 3 * b"GET / HTTP/1.1\r\nHost: h\r\nbad\r\n\r\n", 1) == {
        "REQUEST_FIELD_MISSING_COLON": 1,
    }
    assert sum(odd_of(SPEC.new_parser(), 300 * request, 1).values()) < 300


def test_a_response_is_not_odd_in_the_same_way_again():
    for fields, event in ((b"bad\r\n", "FIELD_MISSING_COLON"), (b"A B: 1\r\n", "HEADER_INVALID")):
        parser = SPEC.new_parser()
        odd_of(parser, b"GET / HTTP/1.1\r\nHost: h\r\n" + fields + b"\r\n", 1)
        answer = b"HTTP/1.1 200 OK\r\n" + fields + b"Content-Length: 0\r\n\r\n"
        assert not odd_of(parser, answer, 1, TO_CLIENT)
        odd_of(parser, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", 1)
        assert odd_of(parser, answer, 1, TO_CLIENT) == {f"RESPONSE_{event}": 1}


def test_gaps_and_empty_input_of_a_finished_parser_are_ignored():
    parser, _ = talk((TO_SERVER, GET))
    assert parser.done
    assert parser.feed(TO_CLIENT, OK, 0) == parser.gap(TO_CLIENT, 5, 0) == parser.finish(0) == []


def _payloads(path):
    with path.open("rb") as file:
        for _, frame in dpkt.pcap.Reader(file):
            segment = dpkt.ethernet.Ethernet(frame).data.data
            if isinstance(segment, dpkt.tcp.TCP) and segment.data:
                yield (TO_CLIENT if segment.sport == 80 else TO_SERVER), bytes(segment.data)


@pytest.mark.corpus
def test_evasive_responses_are_seen_as_clients_see_them():
    """The http-evader captures: 254 responses that hide one file by means of framing and coding."""
    paths = sorted(CASES.glob("http-evader__*/input.pcap"))
    if not paths:
        pytest.skip("../shared/conformance is not here")
    missed = []
    for path in paths:
        _, out = talk(*_payloads(path))
        bodies = [
            b for s in out if STAGES[s.stage] == "response_body" for b in s.tx.buffer("file.data@to_client")
        ]
        if not any(b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE" in b and b"X5O!P%@AP[4" in b for b in bodies):
            missed.append(path.parent.name)
    assert missed == []


@pytest.mark.parametrize("answer", [b"xzscxc#$#AzMTax4w==$#$vxxd", b"no status\nand more", b"one\ntwo\nthree\n"])
def test_an_answer_without_status_line_is_a_body(answer):
    _, out = talk((TO_SERVER, GET), (TO_CLIENT, answer))
    assert names(out)[-2:] == [("response_body", 0), ("response_complete", 0)]
    assert b"".join(out[-1].tx.buffer("file.data@to_client")) == answer
    assert out[-1].tx.buffer("file.name@to_client") == (b"/a",)
    assert out[-1].tx.buffer("file.sha256@to_client") == (hashlib.sha256(answer).hexdigest().encode(),)


def test_the_body_of_an_answer_that_nobody_asked_for_has_no_name():
    _, out = talk((TO_CLIENT, OK))
    assert out[-1].tx.buffer("file.data@to_client") == [b"ok"]
    assert out[-1].tx.buffer("file.name@to_client") == (b"",)


def _answer(body):
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


@pytest.mark.parametrize("lost", [5, 12, 16, 30])
@pytest.mark.parametrize("step", [1, 7, 1000])
def test_a_response_without_its_start_hides_none_behind_it(lost, step):
    torn, last = _answer(b"tornbody"), _answer(b"third")
    rest = [(TO_CLIENT, torn[at : at + step]) for at in range(lost, len(torn), step)]
    parser, out = talk(
        (TO_SERVER, GET), (TO_CLIENT, _answer(b"first")), (TO_SERVER, GET), (TO_CLIENT, lost), *rest,
        (TO_SERVER, GET), *((TO_CLIENT, last[at : at + step]) for at in range(0, len(last), step)),
    )  # fmt: skip
    assert AppAnomaly.PROTOCOL_GAP in odd(parser)
    done = {stage.tx.id: stage.tx for stage in out if STAGES[stage.stage] == "response_complete"}
    assert sorted(done) == [0, 1, 2]
    assert done[1].buffer("http.stat_code") == ()
    assert done[1].buffer("http.response_body") == [torn[lost:].lstrip()]
    assert done[1].response_body.gaps
    assert done[2].buffer("http.stat_code") == (b"200",)
    assert done[2].buffer("http.response_body") == [b"third"]


def test_a_header_of_which_a_part_is_lost_goes_on_as_a_body():
    torn = _answer(b"tornbody")
    _, out = talk(
        (TO_SERVER, GET), (TO_CLIENT, torn[:20]), (TO_CLIENT, 10), (TO_CLIENT, torn[30:]),
        (TO_SERVER, GET), (TO_CLIENT, _answer(b"second")),
    )  # fmt: skip
    done = [stage.tx for stage in out if STAGES[stage.stage] == "response_complete"]
    assert done[0].buffer("http.stat_code") == (b"200",)
    assert done[0].buffer("http.response_body") == [torn[30:]]
    assert done[1].buffer("http.response_body") == [b"second"]


def test_chunks_behind_a_loss_are_seen():
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n"
    _, out = talk((TO_SERVER, GET + GET), (TO_CLIENT, head), (TO_CLIENT, 40), (TO_CLIENT, b"fgh\r\n0\r\n\r\n" + OK))
    done = [stage.tx for stage in out if STAGES[stage.stage] == "response_complete"]
    assert done[0].buffer("http.response_body") == [b"abcde", b"fgh\r\n0\r\n\r\n"]
    assert done[1].buffer("http.response_body") == [b"ok"]


@pytest.mark.parametrize(
    "other",
    [b"HTTP/1.1 200 OK is what they say", b"HTTP/1.12 HTTP/1.1 9", b"HTTP/1.1 404 Not Found</h1>\n<p> x", b"HTT"],
)
def test_what_only_speaks_of_responses_is_none(other):
    _, out = talk(
        (TO_SERVER, GET), (TO_CLIENT, 50), (TO_CLIENT, b"see " + other), (TO_CLIENT, b"\n<br>"), (TO_CLIENT, OK)
    )  # fmt: skip
    done = [stage.tx for stage in out if STAGES[stage.stage] == "response_complete"]
    assert done[0].buffer("http.response_body") == [b"see " + other + b"\n<br>"]
    assert done[1].buffer("http.response_body") == [b"ok"]


def test_a_status_line_without_end_is_no_start():
    cut = b"HTTP/1.1 200 " + bytes(range(65, 91)) * 30
    _, out = talk((TO_SERVER, GET), (TO_CLIENT, 50), (TO_CLIENT, cut), (TO_CLIENT, b"HTTP/1.1 200 OK"))
    done = [stage.tx for stage in out if STAGES[stage.stage] == "response_complete"]
    assert done[0].buffer("http.response_body") == [cut + b"HTTP/1.1 200 OK"]


FORM = b'--B\r\nContent-Disposition: form-data; name="f"; filename="%s"\r\n\r\n%s'


def post(body):
    head = b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Type: multipart/form-data; boundary=B\r\nContent-Length: %d\r\n\r\n"
    return head % len(body) + body


@pytest.mark.parametrize(("body", "name", "data"), [
    (FORM % (b"a.b", b"hello\r\n--B--\r\n"), b"a.b", b"hello"),
    (FORM % (b"a.b", b"hello\r\n"), b"a.b", b"hello"),
    (FORM % (b"a.b", b"hello\r\n-"), b"a.b", b"hello"),
    (FORM % (b"a.b", b"hello\r\nb"), b"a.b", b"hello\r\nb"),
    (FORM % (b"", b"hello\r\n--B--\r\n"), b"", b"hello"),
])  # fmt: skip
def test_files_of_forms_that_break_off_or_have_no_name(body, name, data):
    found = [stage.file for stage in talk((TO_SERVER, post(body)))[1] if stage.file is not None]
    assert {(file.name, file.data) for file in found} == {(name, data)}


@pytest.mark.parametrize(("body", "expected"), [
    (FORM % (b"a", b"hello\r\n--B--\r\n"), set()),
    (b"--B\r\nX\r\n\r\nhello\r\n--B--\r\n", {AppAnomaly.HTTP_MULTIPART_INVALID_HEADER}),
    (b"--Bjunk\r\nX: y\r\n\r\nhello\r\n--B--\r\n", {AppAnomaly.HTTP_MULTIPART_INVALID_HEADER}),
    (FORM % (b"a", b"--B--\r\n"), {AppAnomaly.HTTP_MULTIPART_NO_FILEDATA}),
    (FORM % (b"a", b"\r\n--B--\r\n"), set()),
])  # fmt: skip
def test_odd_parts_of_forms(body, expected):
    parser, _ = talk((TO_SERVER, post(body)))
    assert {what for what, _ in parser.anomalies()} == expected


def test_a_coding_of_a_request_that_is_not_what_it_says():
    head = b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\n"
    parser, _ = talk((TO_SERVER, head + b"hello"))
    assert parser.anomalies() == [(AppAnomaly.HTTP_DECOMPRESSION_FAILED, TO_SERVER)]


def test_requests_have_no_name_of_a_file_but_their_path():
    head = b"PUT /x.php HTTP/1.1\r\nHost: h\r\nContent-Disposition: attachment; filename=a\r\nContent-Length: 1\r\n\r\n"
    tx = talk((TO_SERVER, head + b"x"))[1][0].tx
    assert tx.buffer("file.name") == (b"/x.php",)


HEAD = b"GET /first/path HTTP/1.1\r\nHost: h.example\r\nUser-Agent: u\r\n\r\n"


@pytest.mark.parametrize("cut", [8, 24, 26, 36, 45])
def test_a_request_goes_on_behind_bytes_that_are_lost_in_its_head(cut):
    parser, out = talk((TO_SERVER, HEAD[: cut - 3]), (TO_SERVER, 3), (TO_SERVER, HEAD[cut:]), finish=False)
    (tx,) = {stage.tx.id: stage.tx for stage in out}.values()
    assert tx.buffer("http.method") == (b"GET",)
    assert tx.buffer("http.start")[0].replace(b"\r\n", b"") == (HEAD[: cut - 3] + HEAD[cut:]).replace(b"\r\n", b"")
    assert (AppAnomaly.PROTOCOL_GAP, TO_SERVER) in parser.anomalies()


@pytest.mark.parametrize("cut", [8, 24, 26, 33, 45])
@pytest.mark.parametrize("goes_on", [False, True])
def test_a_head_of_which_the_end_is_lost_says_what_it_says(cut, goes_on):
    turns = [(TO_SERVER, HEAD[:cut]), (TO_SERVER, len(HEAD) - cut), (TO_CLIENT, OK), *[(TO_SERVER, GET)] * goes_on]
    found = {stage.tx.id: stage.tx for stage in talk(*turns)[1]}.values()
    uris = [tx.buffer("http.uri")[0] for tx in found if tx.buffer("http.uri")]
    assert uris == [HEAD[:cut].split()[1], *[b"/a"] * goes_on]


def test_many_lost_bytes_end_a_head():
    out = talk((TO_SERVER, HEAD[:40]), (TO_SERVER, limits.HEADER_BYTES + 1), (TO_SERVER, HEAD[40:]), finish=False)[1]
    assert out[0].tx.buffer("http.uri") == (b"/first/path",)
    assert len({stage.tx.id for stage in out}) == 1
