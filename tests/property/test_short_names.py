"""Names of DNS questions are looked at for literals that are too short for the scan; only what has one is parsed."""

import pytest
from effort import effort
from enginekit import difference, rules_of, run
from trafficgen import traffic

RULES = """
- {id: 1, title: short, protocol: dns, match: [{dns.query: {content: an, offset: 0, depth: 2}}]}
- {id: 2, title: folded, protocol: dns, match: [{dns.query: {content: DO, nocase: true}}]}
- {id: 3, title: answers, protocol: dns, flow: to_client, match: [{dns.query.name: {content: om}}]}
- {id: 4, title: never, protocol: dns, match: [{dns.query: {content: "~~"}}]}
"""


@pytest.mark.parametrize(("block", "seeds"), [(1, effort(60, 5)), (1000, effort(60, 10))])
def test_short_literals_of_questions(tmp_path, block, seeds):
    rules = rules_of(RULES, tmp_path)
    found = set()
    for seed in range(seeds):
        frames = traffic(seed)
        seen = run(frames, rules, types=("alert",), block=block)
        assert not (wrong := difference(run(frames, rules, types=("alert",), triage=False), seen)), wrong
        found |= set(seen.sids)
        assert not seen.pipeline.plan.always_tx
    assert found == {1, 2, 3}
