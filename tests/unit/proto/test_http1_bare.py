"""What a server says without a status line is a body; behind whole lines of it a response may begin."""

import pytest

from sensor.model.app import TO_CLIENT, TO_SERVER
from sensor.proto.http1.state import HttpParser
from sensor.proto.http1.transaction import RESPONSE_COMPLETE

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\ntwo"


def answers(*pieces, asked=True, cut=0):
    """Return (target, status, body) of what answers a request, and another one if `asked`; pieces: the first answer."""
    parser = HttpParser()
    parser.feed(TO_SERVER, b"GET /1 HTTP/1.1\r\nHost: h\r\n\r\n", 0)
    stages = [one for piece in pieces for one in parser.feed(TO_CLIENT, piece, 0)]
    if asked:
        parser.feed(TO_SERVER, b"GET /2 HTTP/1.1\r\nHost: h\r\n\r\n", 0)
    assert parser.idle(TO_CLIENT) == 0
    stages += parser.feed(TO_CLIENT, ANSWER[:cut], 0) + parser.feed(TO_CLIENT, ANSWER[cut:], 0) + parser.finish(0)
    names = ("http.uri", "http.stat_code", "http.response_body")
    return [tuple(b"".join(one.tx.buffer(name)) for name in names) for one in stages if one.stage == RESPONSE_COMPLETE]


@pytest.mark.parametrize("pieces", [
    (b"<html>\r\n", b"junk\r\n"), (b"<html>\r\nx", b"junk\r\n"), (b"<html>\r\nx\r\n",), (b"<html>\r\nx", b"y\r\nz\n"),
    (b"HTT/1.1 200 OK\r\nContent-", b"Length: 3\r\n\r\n"),
])  # fmt: skip
@pytest.mark.parametrize("asked", [True, False])
@pytest.mark.parametrize("cut", [0, 5, 12])
def test_behind_whole_lines_a_response_begins(pieces, asked, cut):
    """Otherwise one odd answer hides all that follow, where Suricata sees them."""
    body = b"".join(pieces)
    assert answers(*pieces, asked=asked, cut=cut) == [(b"/1", b"", body), (b"/2" * asked, b"200", b"two")]


@pytest.mark.parametrize("cut", [5, 12])
def test_behind_an_empty_line_a_response_goes_on(cut):
    found = answers(b"HTT/1.1 200 OK\r\nX: y\r\n\r\n", cut=cut)
    assert [status for _, status, _ in found] == [b"200"]


@pytest.mark.parametrize("pieces", [
    (b"<html>\r\nx",), (b"<html>\r\nx", b"y\r\nz", b"w\r\nv"), (b"<html>\r\nx", b"yy"),
])  # fmt: skip
def test_behind_part_of_a_line_none_does(pieces):
    assert answers(*pieces)[0] == (b"/1", b"", b"".join(pieces) + ANSWER)
