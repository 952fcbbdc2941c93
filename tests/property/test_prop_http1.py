"""HTTP/1: no input raises, and what is found does not depend on how the stream is cut.

But for what stands behind a message in the same piece and begins no other: that belongs to it, and later it would not.
And for lines in front of a status line that came with it: they begin its body; and for a CR behind a bare LF in a
header: it is of the line end.
"""

import gzip
import json
import zlib

import pytest
from effort import effort
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sensor.model.anomaly import AppAnomaly
from sensor.model.app import TO_CLIENT, TO_SERVER
from sensor.proto.http1 import uri
from sensor.proto.http1.coding import codings, decode
from sensor.proto.http1.fields import SPEC
from sensor.proto.http1.responses import ResponseSide
from sensor.proto.http1.side import Side

QUICK = settings(max_examples=effort(150, 50), deadline=None)
NAMES = [buffer.name for buffer in SPEC.buffers]

REQUESTS = [
    b"GET /a/../b?x=%41 HTTP/1.1\r\nHost: Example.com:81\r\nUser-Agent: t\r\nCookie: a=b\r\n\r\n",
    b"POST /up HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\nhello=world",
    b"POST /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n4;x=y\r\nabcd\r\n0\r\nT: v\r\n\r\n",
    b"HEAD / HTTP/1.0\n\n",
    b"GET /old\r\n",
    b"CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n",
    b"\r\n\r\nGET / HTTP/1.1\r\nX: a\r\n b\r\n\r\n",
]
RESPONSES = [
    b"HTTP/1.1 200 OK\r\nServer: s\r\nContent-Length: 5\r\nSet-Cookie: c\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No\r\n\r\n",
    b"HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n",
    b"HTTP/1.0 200 OK\r\n\r\nuntil close",
    b"HTTP/1.1 200 ok\rA: b\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s"
    % (len(gzip.compress(b"zz" * 50, mtime=0)), gzip.compress(b"zz" * 50, mtime=0)),
    b"junk\r\nHTTP/1.1 301 Moved\nLocation: /x\n \nbody",
    b"plain old answer",
]
SPICE = [
    b"\r", b"\n", b"\r\n", b"\r\n\r\n", b"\n\n", b"\n \n", b"\r\r\n", b" ", b"\t", b"\0", b"%", b"//",
    b"Transfer-Encoding: chunked\r\n", b"Content-Length: 3\r\n", b"Content-Encoding: br\r\n", b"%u0041",
    b"HTTP/1.1 200 OK\r\n",
    b"GET / HTTP/1.1\r\n\r\n", b"ffffffffffffffffff\r\n", b"0\r\n", b"h", b"A" * 300, b":",
]  # fmt: skip


@st.composite
def conversations(draw):
    turns = []
    for _ in range(draw(st.integers(1, 3))):
        turns.append((TO_SERVER, draw(st.sampled_from(REQUESTS))))
        turns.append((TO_CLIENT, draw(st.sampled_from(RESPONSES))))
    for _ in range(draw(st.integers(0, 3))):
        index = draw(st.integers(0, len(turns) - 1))
        side, data = turns[index]
        at = draw(st.integers(0, len(data)))
        cut = draw(st.integers(0, 4))
        turns[index] = (side, data[:at] + draw(st.sampled_from([b"", *SPICE])) + data[at + cut :])
    return turns


def run(turns, pieces, gaps=()):
    parser = SPEC.new_parser()
    stages = []
    for number, (side, data) in enumerate(turns):
        for piece in pieces(data):
            stages += parser.feed(side, piece, 0)
        if number in gaps:
            stages += parser.gap(side, gaps[number], 0)
    stages += parser.finish(0)
    assert parser.done
    assert parser.finish(0) == []
    return stages, set(parser.anomalies())


def has_extra(turns, gaps=()):
    """Whether something stands where it depends on cuts how it reads (see above)."""
    found = []

    def noting(take):
        def note(side, *what):
            found.append(side)
            return take(side, *what)

        return note

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Side, "_take_extra", noting(Side._take_extra))
        patch.setattr(ResponseSide, "_begin_with", noting(ResponseSide._begin_with))
        patch.setattr(Side, "_with_cr", noting(Side._with_cr))
        run(turns, whole, gaps)
    return bool(found)


def view(stages):
    order = [(stage.stage, stage.side, stage.tx.id) for stage in stages]
    transactions = {stage.tx.id: stage.tx for stage in stages}
    buffers = {key: {n: list(tx.buffer(n)) for n in NAMES} for key, tx in transactions.items()}
    eve = {key: tx.eve() for key, tx in transactions.items()}
    json.dumps(eve)
    return order, buffers, eve


def whole(data):
    return [data]


def bytewise(data):
    return [data[i : i + 1] for i in range(len(data))]


TOGETHER = {(AppAnomaly.HTTP_REQUEST_BODY_UNEXPECTED, TO_SERVER)}
"""What is odd only where it comes together with the end of a request, as in Suricata."""


@QUICK
@given(conversations(), st.lists(st.integers(1, 40), min_size=1, max_size=5))
def test_the_cuts_do_not_matter(turns, sizes):
    def cut(data):
        out, pos, turn = [], 0, 0
        while pos < len(data):
            out.append(data[pos : pos + sizes[turn % len(sizes)]])
            pos += sizes[turn % len(sizes)]
            turn += 1
        return out

    assume(not has_extra(turns))
    stages, odd = run(turns, whole)
    for pieces in (bytewise, cut):
        other, other_odd = run(turns, pieces)
        assert view(other) == view(stages)
        assert other_odd - TOGETHER == odd - TOGETHER


@QUICK
@given(conversations(), st.dictionaries(st.integers(0, 5), st.integers(1, 300)))
def test_losses_do_not_raise_and_stages_keep_their_order(turns, gaps):
    stages, _ = run(turns, whole, gaps)
    order, buffers, _ = view(stages)
    assert len(order) == len(set(order))
    for number in buffers:
        for side in (TO_SERVER, TO_CLIENT):
            mine = [stage for stage, at, key in order if key == number and at == side]
            assert mine == sorted(mine)
    if not has_extra(turns, gaps):
        other, _ = run(turns, bytewise, gaps)
        assert view(other) == view(stages)


@QUICK
@given(st.lists(st.tuples(st.sampled_from([TO_SERVER, TO_CLIENT]), st.binary(max_size=200)), max_size=6))
def test_random_bytes_do_not_raise(turns):
    view(run(turns, whole)[0])


@QUICK
@given(st.binary(max_size=200))
def test_normalised_targets_are_no_longer_and_stay_so(target):
    once = uri.normalise(target)
    assert len(once) <= len(target) + 1
    assert b"/../" not in once.partition(b"?")[0].partition(b"#")[0]


@pytest.mark.parametrize(
    ("data", "names", "found"),
    [(b"\xff" * 9, ["deflate"], [b"\xff" * 9]), (b"\0", ["deflate"], []), (b"", [], []), (b"a", [], [b"a"])],
)
def test_what_cannot_be_decoded_is_seen_as_it_is_and_what_decodes_to_nothing_is_none(data, names, found):
    assert decode(data, names, 1000)[0] == found


@QUICK
@given(st.binary(max_size=400), st.lists(st.sampled_from(["deflate", "br"]), max_size=4))
def test_decoding_garbage_gives_it_back(data, names):
    forms, _ = decode(data, names, 1000)
    assert forms or names or not data
    assert all(len(form) <= max(1000, len(data)) for form in forms)


@QUICK
@given(st.binary(max_size=3000), st.integers(0, 60), st.integers(0, 255))
def test_damaged_streams_keep_what_precedes_the_damage(data, at, value):
    packed = bytearray(zlib.compress(data))
    packed[min(at + 2, len(packed) - 1)] = value
    forms, _ = decode(bytes(packed), codings(b"deflate"), 5000)
    assert all(isinstance(form, bytes) for form in forms)
