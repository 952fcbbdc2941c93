"""Rules about what is odd in packets, streams and messages: with triage or without, in blocks of any size, the same."""

import random

import pytest
from effort import effort
from enginekit import difference, load, run
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_decode_parity import Forge
from trafficgen import traffic

from sensor.model.block import LINKTYPE_ETHERNET
from sensor.rules import fields


@pytest.fixture(scope="module")
def of_packets(tmp_path_factory):
    """A rule for each value of `decode.event`, one for two of them, one for what is not odd in one way."""
    names = [name.removeprefix("decoder.") for name in fields.BY_NAME["decode.event"].names]
    lines = [f"alert pkthdr any any -> any any (decode-event:{name}; sid:{n};)" for n, name in enumerate(names, 1)]
    lines.append('alert tcp any any -> any any (content:"|00 00|"; decode-event:tcp.opt_duplicate; sid:1000;)')
    path = tmp_path_factory.mktemp("rules") / "events.rules"
    path.write_text("\n".join(lines))
    return load(path)


@settings(max_examples=effort(12, 5), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 1 << 32), st.sampled_from([1, 7, 1 << 14]))
def test_odd_packets(of_packets, seed, block):
    forge = Forge(seed)
    frames = [frame for frame, linktype in (forge.frame() for _ in range(60)) if linktype == LINKTYPE_ETHERNET]
    timed = [(n * 10**6, frame) for n, frame in enumerate(frames)]
    expected = run(timed, of_packets, types=("alert",), triage=False)
    assert expected.sids
    assert not difference(expected, run(timed, of_packets, types=("alert",), block=block))


@pytest.fixture(scope="module")
def of_segments(tmp_path_factory):
    """A rule for each value of `tcp.event`, one with a literal as well."""
    names = [name.removeprefix("stream.") for name in fields.BY_NAME["tcp.event"].names]
    lines = [f"alert tcp any any -> any any (stream-event:{name}; sid:{n};)" for n, name in enumerate(names, 1)]
    lines.append('alert tcp any any -> any any (content:"GET"; stream-event:pkt_spurious_retransmission; sid:1000;)')
    path = tmp_path_factory.mktemp("rules") / "segments.rules"
    path.write_text("\n".join(lines))
    return load(path)


def shaken(seed):
    """Traffic with frames lost, late, and with bytes of their TCP headers changed."""
    rng = random.Random(seed)
    out = []
    for when, frame in traffic(seed):
        raw = bytearray(frame)
        if rng.random() < 0.1 and len(raw) > 54:
            raw[rng.randrange(38, 48)] = rng.choice((0, 1, 2, 4, 18, 255))
        if rng.random() > 0.05:
            out.append((when, bytes(raw)))
        if rng.random() < 0.05 and len(out) > 1:
            late = rng.randrange(max(0, len(out) - 20), len(out))
            out.append((when, out[late][1]))
    return out


@settings(max_examples=effort(10, 5), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 1 << 32), st.sampled_from([1, 7, 1 << 14]))
def test_odd_segments(of_segments, seed, block):
    frames = shaken(seed)
    expected = run(frames, of_segments, types=("alert",), triage=False)
    assert not difference(expected, run(frames, of_segments, types=("alert",), block=block))


def test_the_traffic_has_odd_segments(of_segments):
    raised = {sid for seed in range(20) for sid in run(shaken(seed), of_segments, types=("alert",)).sids}
    assert len(raised) > 5
