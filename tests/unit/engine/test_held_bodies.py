"""Bytes inside a body come to the parser with the next ones, and what is written does not change."""

import pytest
from enginekit import difference, rules_of, run
from forgekit import Flow, request, response

from sensor.proto.http1.state import HttpParser

RULES = """
- {id: 1, title: a request, protocol: http, match: [{http.uri: {content: /b}}]}
- {id: 2, title: a body, protocol: http, match: [{http.response_body: {content: the end}}]}
- {id: 3, title: in the stream, protocol: tcp-stream, match: [{content: half}]}
"""
BODY = b"half of it" + bytes(6000) + b"the end"


@pytest.mark.parametrize("chunks", [(), (4000, 2017)], ids=["sized", "chunked"])
@pytest.mark.parametrize("at", [0, 2500], ids=["early", "late"])
@pytest.mark.parametrize("second", [request("/b"), b"GET /b\r\n", b"GET /b"], ids=["a request", "HTTP/0.9", "a part"])
def test_blocks_of_a_packet_give_the_same(tmp_path, second, at, chunks):
    whole = response(BODY, chunks=chunks)
    flow = Flow().open().send(0, request("/a")).send(1, whole[:at], mss=500).send(0, second)
    flow.send(1, whole[at:], mss=500).send(1, response(b"the end")).close()
    rules, frames = rules_of(RULES, tmp_path), flow.frames()
    outcome = run(frames, rules)
    for other in ({"triage": False}, {"block": 1}):
        assert not difference(outcome, run(frames, rules, **other))
    assert {2, 3} <= set(outcome.sids)


@pytest.mark.parametrize("chunks", [(), (4000,)], ids=["sized", "chunked"])
def test_a_body_comes_at_once(tmp_path, monkeypatch, chunks):
    sizes, feed = [], HttpParser.feed

    def counted(parser, side, data, ts_ns):
        sizes.append(len(data))
        return feed(parser, side, data, ts_ns)

    monkeypatch.setattr(HttpParser, "feed", counted)
    talk = Flow().open().send(0, request("/a")).send(1, response(BODY, chunks=chunks), mss=100).close()
    run(talk.frames(), rules_of(RULES, tmp_path))
    assert len(sizes) < 9  # of sixty segments
