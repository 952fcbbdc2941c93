"""A coded request is found by its literal, wherever its bytes are cut between segments and blocks."""

import forgekit
import pytest
from effort import effort
from enginekit import difference, rules_of, run
from hypothesis import given, settings
from hypothesis import strategies as st

LONG = "/administration-of-many-guests"
"""Longer than any literal that is searched for besides."""

RULES = """
- {{id: 1, title: literal, protocol: http, flow: to_server, match: [{{http.uri: {{content: "{}"}}}}]}}
"""


@pytest.fixture(scope="module")
def rules(tmp_path_factory):
    """Rule sets of one rule each: no longer literal has more carried from block to block than this one needs."""
    folder = tmp_path_factory.mktemp("rules")
    return {text: rules_of(RULES.format(text), folder) for text in ("/admin", "u0063dA", LONG)}


def sids(rules, uri, cuts):
    flow = forgekit.Flow()
    flow.open()
    flow.send(0, b"GET " + uri + b" HTTP/1.1\r\nHost: a\r\n\r\n", cuts)
    flow.send(1, forgekit.response())
    flow.close()
    frames = flow.frames()
    plain = run(frames, rules, types=("alert",), triage=False)
    assert not (wrong := difference(plain, run(frames, rules, types=("alert",), block=1))), wrong
    return plain.sids


@pytest.mark.parametrize(
    ("uri", "text"),
    [
        (b"/%61dmin", "/admin"),
        (b"/?%u0063d%41", "u0063dA"),
        (LONG.replace("/a", "/%61").encode(), LONG),
        (LONG.replace("/a", "/%u0061").encode(), LONG),
    ],
)
def test_cut_anywhere(rules, uri, text):
    for cut in range(5, 5 + len(uri)):
        assert sids(rules[text], uri, (cut,)) == [1], cut


CODED = st.sampled_from((b"a", b"%61", b"%u0061")), st.sampled_from((b"d", b"%64")), st.just(b"min")


@settings(deadline=None, max_examples=effort(25, 10))
@given(st.tuples(*CODED).map(b"".join), st.lists(st.integers(4, 24), max_size=3).map(sorted))
def test_cut_often(rules, name, cuts):
    assert sids(rules["/admin"], b"/" + name, tuple(cuts)) == [1]
