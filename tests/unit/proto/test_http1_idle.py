"""Bytes of which the parser says that they complete nothing: whatever they are, they do."""

import copy

import pytest
from effort import effort
from hypothesis import given, settings
from hypothesis import strategies as st

from sensor.model.app import TO_CLIENT, TO_SERVER
from sensor.proto.http1 import limits
from sensor.proto.http1.state import HttpParser

GET = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n"
HEAD = b"HTTP/1.1 200 OK\r\n"
BODIES = {
    "sized": b"Content-Length: 40\r\n\r\n" + bytes(40),
    "chunked": b"Transfer-Encoding: chunked\r\n\r\n1e\r\n" + bytes(30) + b"\r\n3\r\nabc\r\n0\r\n\r\n",
    "until the end": b"\r\n" + bytes(70),
    "plain after all": b"Transfer-Encoding: chunked\r\n\r\nno chunk size\r\n" + bytes(30),
}
POST = b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 30\r\n\r\n" + bytes(30)
JUNK = st.binary(max_size=8) | st.sampled_from([b"GET ", b"GET /b\r\n", b"\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n", GET])


def parts(data, size):
    return [data[at : at + size] for at in range(0, len(data), size)]


@settings(max_examples=effort(200, 65), deadline=None)
@given(
    st.lists(
        st.tuples(st.just(TO_SERVER), st.sampled_from([GET, POST]) | JUNK)
        | st.tuples(st.just(TO_CLIENT), st.sampled_from([HEAD + body for body in BODIES.values()]) | JUNK)
        | st.tuples(st.sampled_from([TO_SERVER, TO_CLIENT]), st.integers(1, 50)),
        max_size=6,
    ),
    st.integers(1, 60), st.sampled_from([20, 65]), st.data(),
)  # fmt: skip
def test_idle_bytes_complete_nothing(turns, cut, limit, data):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limits, "REQUEST_BODY", limit)
        patch.setattr(limits, "RESPONSE_BODY", limit)
        parser = HttpParser()
        for side, what in turns:
            for part in [what] if isinstance(what, int) else parts(what, cut):
                (parser.gap if isinstance(part, int) else parser.feed)(side, part, 0)
                parser.anomalies()
                n = parser.idle(side)
                assert n >= 0
                if n and not parser.done:
                    other = copy.deepcopy(parser)
                    size = data.draw(st.integers(1, min(n, 100)))
                    assert other.feed(side, data.draw(st.binary(min_size=size, max_size=size)), 0) == []
                    assert other.anomalies() == []
                    assert other.done == parser.done


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_most_of_a_body_is_idle(body):
    parser = HttpParser()
    parser.feed(TO_SERVER, GET, 0)
    head, zero, _ = (HEAD + body).partition(bytes(5))
    parser.feed(TO_CLIENT, head + zero, 0)
    assert parser.idle(TO_CLIENT) >= 24
    assert parser.idle(TO_SERVER) == 0


@pytest.mark.parametrize("begun", [b"GET /b\r\n", b"GET /b"], ids=["whole", "part"])
def test_an_answer_ends_a_request_that_has_only_begun(begun):
    """So the answer's bytes must be told at once."""
    parser = HttpParser()
    parser.feed(TO_SERVER, GET, 0)
    parser.feed(TO_CLIENT, HEAD + b"Content-Length: 40\r\n\r\n0", 0)
    assert parser.idle(TO_CLIENT) == 38
    parser.feed(TO_SERVER, begun, 0)
    assert parser.idle(TO_CLIENT) == 0
