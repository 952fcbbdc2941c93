import gzip
import struct

import h2kit as h2
import pytest
from handshakes import drive

from sensor.model.anomaly import AppAnomaly
from sensor.proto.http1.transaction import (
    REQUEST_BODY,
    REQUEST_COMPLETE,
    REQUEST_HEADERS,
    RESPONSE_BODY,
    RESPONSE_COMPLETE,
    RESPONSE_HEADERS,
)
from sensor.proto.http2 import hpack, huffman, limits
from sensor.proto.http2.fields import SPEC
from sensor.proto.http2.state import STAGE_FRAME, STAGE_SERVER_FRAME, Http2Parser
from sensor.proto.reader import WireError

START = [(0, h2.PREFACE)]


def run(conversation):
    parser = Http2Parser()
    stages = drive(parser, conversation)
    return parser, stages


def of(stages, stage):
    return [s.tx for s in stages if s.stage == stage]


def numbers(stages, name):
    return [value for s in stages if s.stage == STAGE_FRAME for value in s.tx.numbers(name)]


def test_streams():
    parser, stages = run(h2.talk())
    assert parser.anomalies() == []
    order = [(s.stage, s.tx.id) for s in stages if s.stage < STAGE_FRAME]
    assert order == [
        (REQUEST_HEADERS, 4), (REQUEST_BODY, 4), (REQUEST_COMPLETE, 4), (REQUEST_HEADERS, 5), (REQUEST_BODY, 5),
        (REQUEST_COMPLETE, 5), (RESPONSE_HEADERS, 5), (RESPONSE_BODY, 5), (RESPONSE_COMPLETE, 5),
        (RESPONSE_HEADERS, 4), (RESPONSE_BODY, 4), (RESPONSE_COMPLETE, 4),
    ]  # fmt: skip
    first, second = of(stages, REQUEST_HEADERS)
    assert first.buffer("http.method") == (b"GET",)
    assert first.buffer("http.uri") == (b"/a?b=1",)
    assert first.buffer("http.request_line") == (b"GET /a?b=1 HTTP/2\r\n",)
    assert first.buffer("http.host") == (b"www.example.org",)
    assert first.buffer("http.host.raw") == (b"Www.Example.org:80",)
    assert first.buffer("http.user_agent") == (b"curl/8",)
    assert first.buffer("http.cookie") == (b"a=1, b=2",)
    assert first.buffer("http.request_header")[:2] == [b":method: GET", b":path: /a?b=1"]
    assert first.buffer("http2.header_name")[-2:] == [b"user-agent", b"cookie"]
    assert first.buffer("http.stat_code") == (b"200",)
    assert first.buffer("http.response_line") == (b"HTTP/2 200\r\n",)
    assert first.buffer("http.response_body") == [b"<html>hello</html>"]
    assert first.buffer("file.name@to_client") == (b"",)  # names of files are those of HTTP/1
    assert first.buffer("http.stat_msg") == (b"",)
    assert first.buffer("http.header.raw@to_client")[0].startswith(b":status: 200\r\n")
    assert first.buffer("http.header.raw")[0].startswith(b":method: GET\r\n:path: /a?b=1\r\n")
    assert first.buffer("http2.header_name@to_client") == [b":status", b"server", b"content-type"]
    assert second.buffer("http.request_body") == [b"posted body"]
    assert second.buffer("http.content_type") == (b"text/plain",)
    assert second.buffer("nope") == ()


def test_numbers():
    _, stages = run(h2.talk())
    assert numbers(stages, "http2.frametype") == [4, 8, 4, 1, 1, 0, 1, 1, 0, 7]
    assert numbers(stages, "http2.window") == [32767]
    assert numbers(stages, "http2.errorcode") == [11]
    assert numbers(stages, "http2.settings.header_table_size") == [4096]
    assert numbers(stages, "http2.settings.max_concurrent_streams") == [100]
    names = {n.name for n in SPEC.numbers}
    assert all(set(s.tx._numbers) <= names for s in stages if s.stage == STAGE_FRAME)


def test_priority_and_table_size():
    block = h2.integer(200, 5, 0x20) + h2.block((b":status", b"200"))
    both = h2.frame(h2.HEADERS, b"\x03" + struct.pack("!IB", 0, 77) + block + b"\0\0\0", 0x2C, 1)
    _, stages = run([(1, both + h2.frame(h2.PRIORITY, struct.pack("!IB", 0, 9), 0, 1))])
    assert numbers(stages, "http2.priority") == [77, 9]
    assert numbers(stages, "http2.size_update") == [200]


def test_what_frames_repeat_counts_once():
    window = h2.frame(h2.WINDOW, struct.pack("!I", 5), 0, 1)
    _, stages = run([*START, (0, h2.request(end=False) + window * 5 + h2.data(b"x", end=False) * 5)])
    assert numbers(stages, "http2.frametype") == [1, 8, 0]
    assert len(of(stages, STAGE_FRAME)) == 11


def test_frames():
    _, stages = run(h2.talk())
    client, server = of(stages, STAGE_FRAME)[1], of(stages, STAGE_SERVER_FRAME)[0]
    raw = h2.frame(h2.WINDOW, struct.pack("!I", 32767))
    assert client.buffer("frame.http2.pdu") == (raw,)
    assert client.buffer("frame.http2.hdr") == (raw[:9],)
    assert client.buffer("frame.http2.data") == (raw[9:],)
    assert client.buffer("frame.http2.pdu@to_client") == ()
    assert server.buffer("frame.http2.pdu") == ()
    assert server.buffer("frame.http2.pdu@to_client") == (h2.settings((4, 65535)),)


def test_eve():
    _, stages = run(h2.talk())
    found = of(stages, RESPONSE_COMPLETE)[1].eve()
    assert found["version"] == "2"
    assert found["hostname"] == "Www.Example.org"
    assert (found["url"], found["http_method"], found["status"], found["length"]) == ("/a?b=1", "GET", 200, 18)
    assert found["response_headers"][1] == {"name": "server", "value": "test"}
    assert found["http2"]["stream_id"] == 1
    frame = of(stages, STAGE_FRAME)[0].eve()
    assert frame["http2"]["request"]["settings"][0] == {
        "settings_id": "SETTINGSMAXCONCURRENTSTREAMS",
        "settings_value": 100,
    }


def test_declared_buffers_exist():
    _, stages = run(h2.talk())
    made = {b.name for b in SPEC.buffers for s in stages if s.tx.buffer(b.name)}
    assert {"frame.http2.data@to_client", "http2.header_name@to_client", "http.protocol@to_client"} <= made
    for stage in stages:
        for buffer in SPEC.buffers:
            assert all(isinstance(one, bytes) for one in stage.tx.buffer(buffer.name))


def test_compressed_body_and_form():
    form = b'--B\r\nContent-Disposition: form-data; name="f"; filename="x.txt"\r\n\r\nupload\r\n--B--\r\n'
    _, stages = run(
        [
            *START,
            (0, h2.request(b"/", (b"content-type", b"multipart/form-data; boundary=B"), end=False) + h2.data(form)),
            (1, h2.response((b"content-encoding", b"gzip")) + h2.data(gzip.compress(b"inflated", mtime=0))),
        ]
    )
    files = [s.file for s in stages if s.file is not None]
    assert {(f.name, f.data) for f in files} == {(b"x.txt", b"upload")}
    assert of(stages, RESPONSE_COMPLETE)[0].buffer("file.data@to_client") == [b"inflated"]


def test_continuation_and_push():
    block = h2.block((b":method", b"GET"), (b":path", b"/pushed"))
    promise = h2.frame(h2.PUSH, struct.pack("!I", 2) + block[:9], 0, 1) + h2.frame(9, block[9:], h2.END_HEADERS, 1)
    _, stages = run([*START, (0, h2.request()), (1, promise + h2.response(stream=2) + h2.data(b"p", 2))])
    pushed = of(stages, RESPONSE_COMPLETE)[0]
    assert pushed.buffer("http.uri") == (b"/pushed",)
    assert pushed.buffer("http.response_body") == [b"p"]


def test_interim_response_and_trailers():
    _, stages = run(
        [
            *START,
            (0, h2.request()),
            (1, h2.response(status=b"103") + h2.response(status=b"404") + h2.data(b"x", end=False)),
            (1, h2.headers((b"grpc-status", b"0"), flags=h2.END_HEADERS | h2.END_STREAM)),
        ]
    )
    (tx,) = of(stages, RESPONSE_COMPLETE)
    assert tx.buffer("http.stat_code") == (b"404",)
    assert tx.buffer("http2.header_name@to_client") == [b":status", b"server", b"grpc-status"]


@pytest.mark.parametrize(
    ("side", "sent", "events"),
    [
        (0, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", ["invalid_client_magic"]),
        (0, h2.PREFACE + h2.frame(h2.SETTINGS, b"12345"), ["invalid_frame_data"]),
        (0, h2.PREFACE + h2.frame(h2.WINDOW, b"1"), ["invalid_frame_length"]),
        (0, h2.PREFACE + h2.frame(h2.RST, bytes(5), 0, 1), ["invalid_frame_length"]),
        (0, h2.PREFACE + h2.frame(2, bytes(6), 0, 1), ["invalid_frame_length"]),
        (0, h2.PREFACE + h2.frame(2, bytes(5), 0, 1), []),
        (0, h2.PREFACE + h2.frame(0, b"data"), ["data_stream_zero"]),
        (1, h2.headers((b":status", b"206"), (b"content-range", b"bytes 0-9/100")), []),
        (1, h2.headers((b":status", b"206"), (b"content-range", b"bytes */*")), []),
        (1, h2.headers((b":status", b"206"), (b"content-range", b"bytes 9-/x")), ["invalid_range"]),
        (0, h2.PREFACE + h2.frame(h2.HEADERS, b"\xff\xff\xff\xff\xff\xff\xff", 4, 1), ["header_integer_overflow"]),
        (0, h2.PREFACE + h2.frame(h2.HEADERS, b"\xc0", 4, 1), ["invalid_header"]),
        (0, h2.PREFACE + h2.frame(h2.HEADERS, b"\0\x81\xff\0", 4, 1), ["invalid_header"]),
        (0, h2.PREFACE + h2.frame(h2.CONTINUATION, b"", 4, 1), ["invalid_frame_data"]),
        (0, h2.PREFACE + h2.frame(h2.HEADERS, b"\x09", 0xC, 1), ["invalid_frame_data"]),
        (0, h2.PREFACE + h2.frame(h2.PING, bytes(70000)), ["long_frame_data"]),
        (0, h2.PREFACE + h2.request(b"/", (b"host", b"other")), ["authority_host_mismatch"]),
        (0, h2.PREFACE + h2.headers((b":authority", b"u:p@h")), ["userinfo_in_uri"]),
        (
            0,
            h2.PREFACE + h2.frame(h2.HEADERS, bytes(40000), 0, 1) + h2.frame(9, bytes(40000), 0, 1),
            ["reassembly_limit_reached"],
        ),
    ],
)
def test_events(side, sent, events):
    parser, _ = run([(side, sent)])
    assert [event.event for event, _ in parser.anomalies()] == [f"http2.{event}" for event in events]


def test_broken_coding_is_reported():
    body = gzip.compress(b"x" * 1000, mtime=0)[:10] + b"\xff" * 50
    parser, _ = run([(1, h2.response((b"content-encoding", b"gzip")) + h2.data(body))])
    assert parser.anomalies() == [(AppAnomaly.HTTP2_FAILED_DECOMPRESSION, 1)]


def test_gap_inside_data():
    parser = Http2Parser()
    parser.feed(1, h2.response() + h2.data(b"x" * 100)[:50], 0)
    parser.gap(1, 20, 0)
    assert not parser.done
    stages = parser.feed(1, b"y" * 39, 0)
    tx = of(stages, RESPONSE_COMPLETE) or of(parser.finish(0), RESPONSE_COMPLETE)
    assert tx[0].buffer("http.response_body") == [b"x" * 41, b"y" * 39]


def test_gap_elsewhere_is_final():
    parser = Http2Parser()
    parser.feed(1, h2.response() + h2.data(b"x" * 100)[:50], 0)
    assert [s.stage for s in parser.gap(1, 60, 0)] == [RESPONSE_BODY, RESPONSE_COMPLETE]
    assert parser.done
    assert parser.feed(1, h2.response(), 0) == parser.finish(0) == []
    assert parser.anomalies() == [(AppAnomaly.PROTOCOL_GAP, 1)]


RESET = h2.frame(h2.RST, struct.pack("!I", 8), 0, 1)


def test_a_server_may_answer_before_it_knows_of_a_reset():
    ways = (
        [(0, h2.request() + RESET), (1, h2.response() + h2.data(b"early late"))],
        [(0, h2.request()), (1, h2.response() + h2.data(b"early ", end=False)), (0, RESET), (1, h2.data(b"late"))],
        [(0, h2.request()), (1, h2.response() + h2.data(b"early late", end=False)), (0, RESET), (1, RESET)],
    )
    for sent in ways:
        parser, stages = run([(0, h2.PREFACE), *sent])
        (tx,) = of(stages, RESPONSE_COMPLETE)
        assert tx.buffer("http.response_body") == [b"early late"]
        assert len(of(stages, REQUEST_COMPLETE)) == 1
        assert not parser._streams
        assert parser.anomalies() == []


def test_a_client_uses_a_stream_again():
    parser, _ = run([(0, h2.PREFACE + h2.request()), (1, h2.response(end=True)), (0, h2.request()), (1, h2.response())])
    assert parser.anomalies() == [(AppAnomaly.HTTP2_STREAM_ID_REUSE, 0)]


def test_fields_that_are_repeated_stay_apart_where_all_are_seen():
    more = ((b"a", b"1"), (b"cookie", b"c=1"), (b"a", b"2"), (b"cookie", b"d=2"))
    _, stages = run([
        (0, h2.PREFACE + h2.headers((b":method", b"GET"), *more, flags=h2.END_HEADERS | h2.END_STREAM)),
        (1, h2.response((b"set-cookie", b"e=3"), (b"b", b"1"), (b"b", b"2"), end=True)),
    ])  # fmt: skip
    (tx,) = of(stages, RESPONSE_COMPLETE)
    assert tx.buffer("http.header") == (b":method: GET\r\na: 1\r\na: 2\r\n",)
    assert tx.buffer("http.header_names") == (b"\r\n:method\r\na\r\ncookie\r\na\r\ncookie\r\n\r\n",)
    assert tx.buffer("http.request_header") == [b":method: GET", b"a: 1", b"cookie: c=1", b"a: 2", b"cookie: d=2"]
    assert tx.buffer("http.header@to_client") == (b":status: 200\r\nserver: test\r\nb: 1\r\nb: 2\r\n",)
    assert tx.buffer("http.response_header")[-2:] == [b"b: 1", b"b: 2"]
    assert tx.buffer("http.uri") == ()
    assert tx.buffer("http.host") == ()


def test_a_host_is_what_stands_behind_a_user():
    _, stages = run([(0, h2.PREFACE + h2.headers((b":authority", b"user:secret@Host:80")))])
    (tx,) = of(stages, REQUEST_HEADERS)
    assert (tx.buffer("http.host"), tx.buffer("http.host.raw")) == ((b"host",), (b"user:secret@Host:80",))


def test_streams_are_bounded():
    parser = Http2Parser()
    parser.feed(0, h2.PREFACE + b"".join(h2.request(stream=n, end=False) for n in range(1, 1200, 2)), 0)
    assert len(parser._streams) == limits.STREAMS
    assert len(parser._closed) <= limits.CLOSED
    assert (AppAnomaly.HTTP2_TOO_MANY_STREAMS, 0) in parser.anomalies()


def test_bodies_are_bounded():
    parser = Http2Parser()
    parser.feed(0, h2.PREFACE, 0)
    for n in range(1, 400, 2):
        parser.feed(0, h2.request(stream=n, end=False) + h2.data(bytes(100_000), n, end=False), 0)
    held = sum(s.tx.http.request_body.total for s in parser._streams.values() if s.tx.http.request_body)
    assert held <= limits.HELD + 200_000


def test_padded_data_in_any_pieces():
    sent = h2.response() + h2.data(b"abc", pad=200, end=False) + h2.data(b"", pad=0, end=False) + h2.data(b"d", pad=3)
    for size in (1, 2, 50):
        parser = Http2Parser()
        stages = drive(parser, [(1, sent)], size)
        assert of(stages, RESPONSE_COMPLETE)[0].buffer("http.response_body") == [b"abcd"]


# ---- HPACK


def test_examples_of_the_rfc():
    """RFC 7541 appendix C.4: Huffman code, and a table that later blocks refer to."""
    decoder = hpack.Decoder()
    blocks = [
        "828684418cf1e3c2e5f23a6ba0ab90f4ff",
        "828684be5886a8eb10649cbf",
        "828785bf408825a849e95ba97d7f8925a849e95bb8e8b4bf",
    ]
    first, second, third = [decoder.decode(bytes.fromhex(block)) for block in blocks]
    assert first == [(b":method", b"GET"), (b":scheme", b"http"), (b":path", b"/"), (b":authority", b"www.example.com")]
    assert second == [*first, (b"cache-control", b"no-cache")]
    assert third[-1] == (b"custom-key", b"custom-value")


def test_table_is_evicted():
    decoder = hpack.Decoder()
    decoder.decode(h2.integer(80, 5, 0x20) + h2.literal(b"aaaa", b"b" * 20, True) + h2.literal(b"cccc", b"d", True))
    assert decoder.decode(b"\xbe") == [(b"cccc", b"d")]
    with pytest.raises(WireError):
        decoder.decode(b"\xbf")
    decoder.decode(h2.literal(b"x", b"y" * 200, True))
    with pytest.raises(WireError):
        decoder.decode(b"\xbe")


def test_table_size_is_bounded():
    decoder = hpack.Decoder()
    decoder.decode(h2.integer(1 << 30, 5, 0x20))
    for n in range(100):
        decoder.decode(h2.literal(b"%d" % n, b"x" * 4000, True))
    assert decoder._size <= limits.TABLE


def test_a_small_block_does_not_become_a_large_list():
    decoder = hpack.Decoder()
    decoder.decode(h2.literal(b"a", b"x" * 4000, True))
    found = decoder.decode(b"\xbe" * 60000)
    assert sum(len(value) for _, value in found) <= limits.HEADER_LIST
    assert len(found) <= limits.HEADERS


def test_huffman_code_covers_every_symbol():
    tree = huffman._tree()
    leaves = [~child for node in tree for child in node if child < 0]
    assert sorted(leaves) == list(range(257))
    assert len(tree) == 256


@pytest.mark.parametrize("text", [b"\xff\xff\xff\xff", b"\0", b"\xfe", b"\xf1\xe3\xc2\xe5\xff\xff"])
def test_bad_huffman_code(text):
    """End of string, padding that is not ones, padding of a whole byte (section 5.2)."""
    assert huffman.decode(text) is None


def test_frames_of_a_stream_are_counted(monkeypatch):
    monkeypatch.setattr(limits, "FRAMES", 10)
    flood = h2.frame(h2.WINDOW, b"\0\0\0\1", 0, 1)
    for number, events in ((9, []), (20, ["http2.too_many_frames"])):
        parser, _ = run([(0, h2.PREFACE + h2.request(end=False) + flood * number)])
        assert [event.event for event, _ in parser.anomalies()] == events


def test_records_tell_of_frames():
    weighed = h2.frame(h2.HEADERS, struct.pack("!IB", 0, 77) + h2.block((b":method", b"GET")), 0x24, 1)
    window = h2.frame(h2.WINDOW, struct.pack("!I", 5), 0, 0)
    _, stages = run([*START, (0, weighed + window)])
    shown = [stage.tx.eve() for stage in stages if stage.stage == STAGE_FRAME]
    assert shown[-2]["http2"] == {"stream_id": 1, "request": {"priority": 77}, "response": {}}
    assert shown[-1] == {}
    frames = [stage.tx for stage in stages if stage.stage == STAGE_FRAME]
    assert frames[-1].eve_of_alert()["http2"] == {"stream_id": 0, "request": {"window": 5}, "response": {}}


def test_a_target_is_shown_as_it_was_sent():
    _, stages = run([*START, (0, h2.request(b"/a%20b/../c"))])
    (tx,) = of(stages, REQUEST_HEADERS)
    assert tx.buffer("http.uri") == tx.buffer("http.uri.raw") == (b"/a%20b/../c",)


def test_trailers_of_a_request_are_fields_of_it():
    trailers = h2.headers((b"x-sum", b"1"), flags=h2.END_HEADERS | h2.END_STREAM)
    _, stages = run([*START, (0, h2.request(end=False) + h2.data(b"x", end=False) + trailers + trailers)])
    (tx,) = of(stages, REQUEST_HEADERS)
    assert tx.buffer("http.header.raw")[0].count(b"x-sum: 1\r\n") == 1
    assert tx.buffer("http2.header_name")[-1] == b"x-sum"


def test_the_end_of_a_header_in_parts_is_told():
    whole = h2.request()
    parts = h2.frame(1, whole[9:12], h2.END_STREAM, 1) + h2.frame(9, whole[12:], h2.END_HEADERS, 1)
    _, stages = run([*START, (0, parts)])
    assert [tx.numbers("http2.frametype") for tx in of(stages, STAGE_FRAME)][-2:] == [(1,), (9,)]
