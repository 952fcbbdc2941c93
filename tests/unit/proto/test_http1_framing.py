"""Messages in frames whose bodies are coded are read by the parser, one by one."""

import gzip

import pytest
from enginekit import difference, load, run
from forgekit import Flow, request

from sensor.model.app import TO_CLIENT, TO_SERVER
from sensor.proto.http1.framing import whole_of

BODY = b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE"
CODED = gzip.compress(BODY, mtime=0)


def answer(head, body):
    return b"HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n%s" % (head, len(body), body)


def test_an_answer_by_itself_is_nothing_odd():
    tx = whole_of(answer(b"Content-Encoding: gzip\r\n", CODED), TO_CLIENT)
    assert tx is not None
    assert list(tx.buffer("file.data@to_client")) == [BODY]
    assert whole_of(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx", TO_SERVER) is not None


def test_what_is_odd_or_cut_short_is_not_understood():
    assert whole_of(answer(b"Content-Encoding: gzip\r\n", CODED)[:-1], TO_CLIENT) is None
    assert whole_of(answer(b"Content-Encoding: nonsense\r\n", CODED), TO_CLIENT) is None


@pytest.mark.parametrize(
    ("head", "body", "found"),
    [
        (b"Content-Encoding: gzip\r\n", CODED, [1]),
        (b"Content-Encoding: gzip\r\n", gzip.compress(b"another", mtime=0), []),
        (b"Content-Encoding: nonsense\r\n", BODY, [1]),
        (b"", BODY, [1]),
    ],
)
def test_rules_on_coded_bodies(tmp_path, head, body, found):
    path = tmp_path / "x.rules"
    path.write_text('alert http any any -> any any (file.data; content:"EICAR-STANDARD"; sid:1;)\n')
    frames = Flow().open().send(0, request()).send(1, answer(head, body)).close().frames()
    outcome = run(frames, load(path), types=("alert",))
    assert not difference(outcome, run(frames, load(path), types=("alert",), triage=False))
    assert sorted(outcome.sids) == found
