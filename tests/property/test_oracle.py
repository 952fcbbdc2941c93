"""Triage proves that what it leaves out cannot matter: with it or without, in blocks of any size, the same EVE."""

import pytest
from effort import effort
from enginekit import BLOCK, EVERYTHING, difference, oracle_rules, oracle_variants, run
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from trafficgen import traffic

TYPES = (
    EVERYTHING,
    ("alert",),
    ("alert", "anomaly"),
    ("alert", "flow"),
    ("alert", "http"),
    ("anomaly",),
    ("flow", "dns"),
)

QUICK = settings(max_examples=effort(20, 6), deadline=None, suppress_health_check=[HealthCheck.too_slow])


@QUICK
@given(
    seed=st.integers(0, 1 << 32),
    variant=st.sampled_from(["all", "lazy", "single"]),
    types=st.sampled_from(TYPES),
    plain=st.sampled_from([1, 7, BLOCK]),
    cuts=st.lists(st.integers(1, 400), min_size=1, max_size=4),
)
def test_neither_triage_nor_the_cut_into_blocks_shows(seed, variant, types, plain, cuts):
    frames, rules = traffic(seed), oracle_variants()[variant]
    expected = run(frames, rules, types=types)
    others = {
        f"no triage, blocks of {plain}": run(frames, rules, types=types, triage=False, block=plain),
        "blocks of 1": run(frames, rules, types=types, block=1),
        "blocks of 7": run(frames, rules, types=types, block=7),
        f"cut at {cuts}": run(frames, rules, types=types, block=cuts),
    }
    for name, other in others.items():
        assert not (found := difference(expected, other)), f"{name}\n{found}"


RAISING = (35, 147, 61, 122, 181, 133, 76, 120, 210, 56, 0, 7, 22, 23, 31, 34, 75, 101, 251, 298)
"""Seeds that once raised all rules: others are tried once the traffic or the rules have changed."""


def test_the_traffic_raises_every_oracle_rule():
    silent = {rule.sid for rule in oracle_rules().rules if not rule.noalert}
    for seed in (*RAISING, *range(1000)):
        silent -= set(run(traffic(seed), types=("alert",)).sids)
        if not silent:
            return
    assert not silent


@pytest.mark.parametrize("seed", range(3))
def test_the_seed_of_the_hash_does_not_show(seed):
    frames = traffic(seed)
    assert not difference(run(frames, seed=1), run(frames, seed=2))
