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

SLOW = settings(max_examples=effort(60, 25), deadline=None, suppress_health_check=[HealthCheck.too_slow])


@settings(max_examples=effort(300, 100), deadline=None)
@given(changed(TALKS), st.integers(1, 300))
def test_none_is_missed(talk, size):
    assert not missed(talk, size)


@settings(max_examples=effort(300, 100), deadline=None)
@given(st.data(), changed(TALKS), st.integers(1, 300))
def test_none_is_missed_behind_missing_bytes(data, talk, size):
    n = data.draw(st.integers(0, len(talk) - 1))
    at = data.draw(st.integers(0, len(talk[n][1]) - 1))
    talk = cut_out(talk, n, at, data.draw(st.integers(1, 300)))
    assert not missed(talk, size)


@settings(max_examples=effort(200, 70), deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1), st.binary(max_size=200), st.booleans()), max_size=6), st.integers(1, 300))
def test_any_bytes(parts, size):
    marks = [(side, smb.nbss((b"\xfeSMB", b"\xffSMB")[old] + data)) for side, data, old in parts]
    assert not missed(marks, size)


def share_messages():
    """Return a strategy of messages about few shares, with few numbers, among which a file of one is read."""
    number, session, tree = st.sampled_from([1, 1, 1, 2]), st.sampled_from([1, 1, 1, 2]), st.sampled_from([7, 7, 7, 8])
    status = st.sampled_from([0, 0, 0, 0x80000005, 0x103, 0xC0000022])
    path = st.sampled_from(["\\\\s\\IPC$"] * 4 + ["\\\\s\\ipc$", "\\\\s\\C$", "IPC$"])
    connect = st.builds(lambda m, s, p: (0, _in(s, smb.tree_connect2(p, m))), number, session, path)
    connected = st.builds(
        lambda m, s, t, ok: (1, _in(s, smb.tree_connected2(2, m, t, ok))), number, session, tree, status
    )
    leave = st.builds(lambda m, s, t: (0, _in(s, smb.smb2(4, b"\4\0\0\0", m, tree=t))), number, session, tree)
    left = st.builds(lambda m: (1, smb.smb2(4, b"\4\0\0\0", m, response=True)), number)
    some = st.lists(st.one_of(connect, connected, leave, left), max_size=2)
    file = st.builds(_file, session, tree, st.sampled_from([0, 0, 0, 2]))
    parts = st.tuples(some, connect.map(_one), some, connected.map(_one), some, file)
    return parts.map(lambda all_: [(side, smb.nbss(message)) for part in all_ for side, message in part])


def _one(message):
    return [message]


def _file(session, tree, flags):
    """Return messages by which a file of a share is read."""
    return [
        (0, _in(session, smb.create2("a", 8, tree=tree), flags)), (1, smb.created2(message=8)),
        (0, _in(session, smb.read2(10, message=9))), (1, smb.did_read2(b"MZ" * 5, 9)),
    ]  # fmt: skip


def _in(session, message, flags=0):
    """Return a message as one of another session, with more flags."""
    flagged = message[:16] + bytes([message[16] | flags]) + message[17:40]
    return flagged + session.to_bytes(8, "little") + message[48:]


@settings(max_examples=effort(1500, 300), deadline=None)
@given(share_messages())
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
