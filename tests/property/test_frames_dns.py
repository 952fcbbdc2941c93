"""DNS over TCP, cut by its lengths: flows in which no question has a rule's literal are not parsed, none is missed."""

import forgekit
import pytest
from cutting import changed
from effort import effort
from enginekit import difference, load, run
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sensor.model.app import TO_CLIENT, TO_SERVER

SLOW = settings(max_examples=effort(100, 15), deadline=None, suppress_health_check=[HealthCheck.too_slow])


def question(name, kind=1):
    labels = b"".join(bytes((len(label),)) + label for label in name.split(b"."))
    return labels + b"\0" + kind.to_bytes(2, "big") + b"\0\1"


def message(*names, response=False, answers=b"", count=None, identifier=0x1234):
    count = len(names) if count is None else count
    flags = b"\x81\x80" if response else b"\1\0"
    head = identifier.to_bytes(2, "big") + flags + count.to_bytes(2, "big") + bytes((0, int(bool(answers)), 0, 0, 0, 0))
    return head + b"".join(map(question, names)) + answers


def framed(*messages):
    return b"".join(len(one).to_bytes(2, "big") + one for one in messages)


TEXT = b"\xc0\x0c\0\x10\0\1\0\0\0\x3c\1\x2c" + b"\xff" + b"t" * 255 + b"\x2b" + b"u" * 43
LONG = message(b"www.example.org", response=True, answers=TEXT)
WWW = message(b"www.example.org", response=True)
PLAIN = [(TO_SERVER, framed(message(b"www.example.org"))), (TO_CLIENT, framed(WWW))]
EVIL = [
    (TO_SERVER, framed(message(b"www.example.org"), message(b"c2.Evil.test", identifier=0x4321))),
    (TO_CLIENT, framed(LONG, message(b"c2.Evil.test", response=True))),
    (TO_SERVER, framed(message(b"next.one"))),
]  # fmt: skip
LATE = [
    (TO_SERVER, framed(message(b"a.b"))), (TO_CLIENT, framed(message(b"a.b", response=True, answers=TEXT))),
    (TO_SERVER, framed(message(b"ab.xq", b"EFEDEJFPEEEPENEBEJEOCACACACACABM"))),
    (TO_CLIENT, framed(message(b"evil.test", response=True))),
]  # fmt: skip
ODD = [
    (TO_SERVER, framed(b"", message(b"a.b"), b"short")), (TO_CLIENT, message(b"bare.evil.test", response=True)),
    (TO_SERVER, framed(message(b"evil.test", count=3))),
]  # fmt: skip
BARE = [(TO_SERVER, message(b"c2.evil.test")), (TO_CLIENT, message(b"c2.evil.test", response=True))]
TALKS = [PLAIN, EVIL, LATE, ODD, BARE]

RULES = """
alert dns any any -> any any (msg:"in"; dns.query; content:"evil.test"; nocase; sid:1;)
alert dns any any -> any any (msg:"whole"; dns.query; content:"www.example.net"; bsize:15; sid:2;)
alert dns any any -> any any (msg:"end"; dns.query; content:".one"; endswith; sid:3;)
alert dns any any -> any any (msg:"netbios"; dns.query; content:"ECI_DOMAIN"; sid:4;)
"""
SHORT = (
    RULES
    + """
alert dns any any -> any any (msg:"short"; dns.query; content:"xq"; sid:5;)
"""
)
BACK = (
    SHORT
    + """
alert dns any any -> any any (msg:"back"; flow:to_client; dns.query.name; content:"evil"; sid:6;)
alert tcp any any -> any any (msg:"stream"; content:"uuuuuuuu"; sid:7;)
"""
)


@pytest.fixture(scope="module")
def rules(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dns")
    out = {}
    for name, text in {"long": RULES, "short": SHORT, "back": BACK}.items():
        path = folder / f"{name}.rules"
        path.write_text(text)
        out[name] = load(path)
    return out


def frames_of(talk, cuts=(), lost=-1):
    """Return the frames of a conversation; of message `lost` the capture missed the first bytes."""
    flow = forgekit.Flow(dport=53)
    flow.open()
    for n, (side, octets) in enumerate(talk):
        gone = min(20, len(octets)) if n == lost else 0
        flow.lose(side, gone)
        if octets[gone:]:
            flow.send(side, octets[gone:], tuple(sorted({cut for cut in cuts if 0 < cut < len(octets) - gone})))
    return flow.close().frames()


def assert_none_missed(rules, frames, sizes):
    wanted = run(frames, rules, types=("alert",), triage=False)
    for size in sizes:
        found = run(frames, rules, types=("alert",), block=size)
        assert not (wrong := difference(wanted, found)), f"blocks of {size}\n{wrong}"


@SLOW
@given(
    changed(TALKS), st.lists(st.integers(1, 120), max_size=3), st.sampled_from(["long", "short", "back"]),
    st.integers(1, 9), st.integers(-6, 3),
)  # fmt: skip
def test_no_alert_is_lost(rules, talk, cuts, which, block, lost):
    assert_none_missed(rules[which], frames_of(talk, cuts, lost), (16_384, block, 1))


@pytest.mark.parametrize("talk", [EVIL, LATE])
def test_nor_where_a_segment_ends_at_any_byte(rules, talk):
    for cut in range(1, max(len(octets) for _, octets in talk), effort(3, 13)):
        assert_none_missed(rules["back"], frames_of(talk, (cut,)), (16_384, 1))


def test_the_rules_match_something(rules):
    found = {sid for talk in TALKS for sid in run(frames_of(talk), rules["back"], types=("alert",)).sids}
    assert found == {1, 3, 4, 5, 6, 7}


def parsed(frames, rules, block=16_384):
    """Return (flows parsed, those that a rule may match, those that are not plain)."""
    pipeline = run(frames, rules, types=("alert",), block=block).pipeline
    counters = pipeline.frame_counters
    return pipeline.walk.apps.counters.flows, counters.dns_flows_matched, counters.dns_flows_not_plain


def test_flows_are_parsed_where_a_rule_may_match(rules):
    assert parsed(frames_of(PLAIN), rules["back"]) == (0, 0, 0)
    assert parsed(frames_of(EVIL), rules["back"]) == (1, 1, 0)
    assert parsed(frames_of([*PLAIN, *ODD[2:]]), rules["back"]) == (1, 0, 1)
    assert parsed(frames_of([*PLAIN, *ODD[2:]], lost=1), rules["back"]) == (1, 0, 1)


def test_a_message_may_go_on_in_the_next_block(rules):
    talk = [PLAIN[0], (TO_CLIENT, framed(LONG, WWW)), PLAIN[0], (TO_CLIENT, framed(LONG, WWW))]
    for block in (1, 2, 3, 16_384):
        assert parsed(frames_of(talk, (100, 200, 250)), rules["back"], block) == (0, 0, 0)
    assert parsed(frames_of(talk, (1,)), rules["back"], 1) == (1, 0, 1)
