"""Contents of files: whoever finds them without parsing misses none, and flows without any are not parsed."""

import sys
from pathlib import Path

import forgekit
import pytest
from effort import effort
from enginekit import difference, load, run
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path.append(str(Path(__file__).resolve().parents[1] / "unit" / "proto"))  # the forged bytes of the unit tests

import smbforge as smb
from contentskit import TALKS, cut_out, missed
from cutting import changed

SLOW = settings(max_examples=effort(60, 12), deadline=None, suppress_health_check=[HealthCheck.too_slow])


@settings(max_examples=effort(300, 50), deadline=None)
@given(changed(TALKS), st.integers(1, 300))
def test_none_is_missed(talk, size):
    assert not missed(talk, size)


@settings(max_examples=effort(300, 50), deadline=None)
@given(st.data(), changed(TALKS), st.integers(1, 300))
def test_none_is_missed_behind_missing_bytes(data, talk, size):
    n = data.draw(st.integers(0, len(talk) - 1))
    at = data.draw(st.integers(0, len(talk[n][1]) - 1))
    talk = cut_out(talk, n, at, data.draw(st.integers(1, 300)))
    assert not missed(talk, size)


@settings(max_examples=effort(200, 35), deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1), st.binary(max_size=200), st.booleans()), max_size=6), st.integers(1, 300))
def test_any_bytes(parts, size):
    marks = [(side, smb.nbss((b"\xfeSMB", b"\xffSMB")[old] + data)) for side, data, old in parts]
    assert not missed(marks, size)


NUMBER, SESSION, SHARE = (st.sampled_from([usual, usual, usual, other]) for usual, other in ((1, 2), (1, 2), (7, 8)))
STATUS = st.sampled_from([0, 0, 0, 0x80000005, 0x103, 0xC0000022])
PATH = st.sampled_from(["\\\\s\\IPC$"] * 4 + ["\\\\s\\ipc$", "\\\\s\\C$", "IPC$", "\\IPC$"])


def among_others(connect, connected, others, file):
    """Return a strategy of messages about few shares, with few numbers, among which a file of one is read."""
    some = st.lists(st.one_of(connect, connected, *others), max_size=2)
    parts = st.tuples(some, connect.map(_one), some, connected.map(_one), some, file)
    return parts.map(lambda all_: [(side, smb.nbss(message)) for part in all_ for side, message in part])


def _one(message):
    return [message]


def share_messages2():
    connect = st.builds(lambda m, s, p: (0, _in(s, smb.tree_connect2(p, m))), NUMBER, SESSION, PATH)
    connected = st.builds(
        lambda m, s, t, ok: (1, _in(s, smb.tree_connected2(2, m, t, ok))), NUMBER, SESSION, SHARE, STATUS
    )
    leave = st.builds(lambda m, s, t: (0, _in(s, smb.smb2(4, b"\4\0\0\0", m, tree=t))), NUMBER, SESSION, SHARE)
    left = st.builds(lambda m: (1, smb.smb2(4, b"\4\0\0\0", m, response=True)), NUMBER)
    file = st.builds(_file2, SESSION, SHARE, st.sampled_from([0, 0, 0, 2]))
    return among_others(connect, connected, (leave, left), file)


def _file2(session, tree, flags):
    """Return messages by which a file of a share is read."""
    return [
        (0, _in(session, smb.create2("a", 8, tree=tree), flags)), (1, smb.created2(message=8)),
        (0, _in(session, smb.read2(10, message=9))), (1, smb.did_read2(b"MZ" * 5, 9)),
    ]  # fmt: skip


def share_messages1():
    chained = st.sampled_from([smb.ANDX, smb.ANDX, smb.ANDX, b"\x2e\0\x60\0"])
    connect = st.builds(_connect1, PATH, chained, st.booleans(), st.sampled_from([0, 1, 6]), NUMBER)
    connected = st.builds(
        lambda m, t, ok, andx, words: (1, smb.smb1(
            0x75, (andx + bytes(10))[:words], b"IPC\0\0", response=True, status=ok, multiplex=m, tree=t
        )), NUMBER, SHARE, st.sampled_from([0, 0, 0, 0x80000005, 0xC0000016, 0xC0000022]), chained,
        st.sampled_from([14, 14, 0]),
    )  # fmt: skip
    leave = st.builds(lambda m, t: (0, smb.smb1(0x71, b"", b"", multiplex=m, tree=t)), NUMBER, SHARE)
    left = st.builds(lambda m, t: (1, smb.smb1(0x71, b"", b"", True, multiplex=m, tree=t)), NUMBER, SHARE)
    new = st.builds(lambda m, t: (0, smb.smb2(11, bytes(60), m, tree=t, session=0)), NUMBER, SHARE)
    file = st.builds(_file1, SHARE)
    return among_others(connect, connected, (leave, left, new), file)


def _connect1(path, andx, wide, secret, number):
    """Return a request for a share. secret: bytes of the password in front of the path."""
    odd = secret % 2 == 0 and wide  # the texts begin at an even place
    text = smb.wide(path + "\0") if wide else path.encode() + b"\0"
    words = andx + (0).to_bytes(2, "little") + secret.to_bytes(2, "little")
    return 0, smb.smb1(0x75, words, bytes(secret + odd) + text + b"?????\0", unicode=wide, multiplex=number)


def _file1(tree):
    messages = [(0, smb.create1("\\a", 8)), (1, smb.created1(multiplex=8)), (0, smb.read1(10, multiplex=9)),
                (1, smb.did_read1(b"MZ" * 5, 9))]  # fmt: skip
    return [(side, message[:24] + bytes([tree, 0]) + message[26:]) for side, message in messages]


def _in(session, message, flags=0):
    """Return a message as one of another session, with more flags."""
    flagged = message[:16] + bytes([message[16] | flags]) + message[17:40]
    return flagged + session.to_bytes(8, "little") + message[48:]


@settings(max_examples=effort(1500, 300), deadline=None)
@given(st.one_of(share_messages1(), share_messages2()))
def test_shares_in_any_order(talk):
    assert not missed(talk, at_once=True)
    assert not missed(talk)


RULES = """
alert smb any any -> any any (msg:"read"; flow:to_client; file.data; content:"MZ"; depth:2; sid:1;)
alert smb any any -> any any (msg:"bytes"; flow:to_client; file.data; content:"|7f 80 81 82 83|"; sid:2;)
alert smb any any -> any any (msg:"name"; flow:to_client; file.name; content:"evil"; sid:3;)
"""
BOTH = RULES + """
alert smb any any -> any any (msg:"written"; flow:to_server; file.data; content:"|41 42 43 44|"; sid:4;)
alert dcerpc any any -> any any (msg:"call"; dcerpc.stub_data; content:"create service"; sid:5;)
alert tcp any any -> any 445 (msg:"stream"; content:"NTLMSSP"; sid:6;)
"""
ALL = BOTH + """
alert smb any any -> any any (msg:"share"; smb.share; content:"ADMIN$"; sid:7;)
"""
MIXED = """
alert smb any any -> any any (msg:"mixed"; content:"NTLMSSP"; smb.share; content:"nowhere"; sid:8;)
"""


@pytest.fixture(scope="module")
def rules(tmp_path_factory):
    folder = tmp_path_factory.mktemp("contents")
    out = {}
    for name, text in {"read": RULES, "both": BOTH, "all": ALL, "mixed": MIXED}.items():
        path = folder / f"{name}.rules"
        path.write_text(text)
        out[name] = load(path)
    return out


def frames_of(talk, cuts=(), lost=-1):
    """Return the frames of a conversation; of message `lost` the capture missed the first bytes."""
    flow = forgekit.Flow(dport=445)
    flow.open()
    for n, (side, octets) in enumerate(talk):
        gone = min(40, len(octets)) if n == lost else 0
        flow.lose(side, gone)
        if octets[gone:]:
            flow.send(side, octets[gone:], tuple(sorted({cut for cut in cuts if 0 < cut < len(octets) - gone})))
    return flow.close().frames()


@SLOW
@given(
    changed(TALKS), st.lists(st.integers(1, 200), max_size=3), st.sampled_from(["read", "both", "all"]),
    st.integers(1, 9), st.integers(-8, 12),
)  # fmt: skip
def test_no_alert_is_lost(rules, talk, cuts, which, block, lost):
    frames = frames_of(talk, cuts, lost)
    wanted = run(frames, rules[which], types=("alert",), triage=False)
    for size in (16_384, block, 1):
        seen = run(frames, rules[which], types=("alert",), block=size)
        assert not (wrong := difference(wanted, seen)), f"blocks of {size}\n{wrong}"


def test_the_rules_match_something(rules):
    sids = {sid for talk in TALKS for sid in run(frames_of(talk), rules["all"], types=("alert",)).sids}
    assert sids == {1, 2, 3, 4, 5, 6, 7}


def test_missing_bytes_have_no_flow_parsed_in_which_nothing_is_read(rules):
    frames = frames_of(TALKS[3], lost=4)
    done = {name: run(frames, rules[name], types=("alert",)) for name in ("read", "both", "all")}
    counts = {name: outcome.pipeline.walk.apps.counters.flows for name, outcome in done.items()}
    assert counts == {"read": 0, "both": 0, "all": 1}


def test_flows_that_are_parsed_are_counted_by_why(rules):
    """Where all are parsed there is no why."""
    none, each = [0] * 8, [1] * 8
    wanted = {
        "read": ([1, 0, 1, 0, 1, 1, 1, 1], none), "both": ([1, 1, 1, 0, 1, 1, 1, 1], none), "mixed": (none, each),
        "all": (none, none),
    }  # fmt: skip
    for which, counts in wanted.items():
        counters = [run(frames_of(talk), rules[which], types=("alert",)).pipeline.frame_counters for talk in TALKS]
        assert ([c.smb_flows_contents for c in counters], [c.smb_flows_matched for c in counters]) == counts


@pytest.mark.parametrize("which", ["read", "both", "all"])
def test_flows_without_contents_are_not_parsed(rules, which):
    assert bool(run([], rules[which], types=("alert",)).pipeline.plan.contents) == (which != "all")
    flows = [run(frames_of(talk), rules[which], types=("alert",)).pipeline.walk.apps.counters.flows for talk in TALKS]
    assert flows == [1, int(which != "read"), 1, int(which == "all"), 1, 1, 1, 1]
