"""Captures with SMB: rules about contents raise the same alerts whether flows without any are parsed or not."""

import pytest
from enginekit import SHARED, difference, load, run

MOST = 3_000_000
"""Bytes of a capture that is tried."""
CAPTURES = sorted(
    path
    for path in (SHARED / "captures").rglob("*")
    if path.suffix in {".pcap", ".pcapng"} and path.stat().st_size < MOST and b"SMB" in path.read_bytes()
)
RULES = {
    "read": """
alert smb any any -> any any (msg:"read"; flow:to_client; file.data; content:"|00|"; sid:1;)
alert smb any any -> any any (msg:"program"; flow:to_client; file.data; content:"MZ"; depth:2; sid:2;)
""",
    "written": """
alert smb any any -> any any (msg:"written"; flow:to_server; file.data; content:"|00|"; sid:3;)
""",
    "calls": """
alert smb any any -> any any (msg:"name"; file.name; bsize:>0; sid:4;)
alert dcerpc any any -> any any (msg:"call"; dcerpc.stub_data; bsize:>0; sid:5;)
""",
}

pytestmark = [pytest.mark.corpus, pytest.mark.slow, pytest.mark.skipif(not CAPTURES, reason="no captures in ../shared")]


@pytest.mark.parametrize("which", sorted(RULES))
def test_nothing_is_left_out(which, tmp_path):
    path = tmp_path / "contents.rules"
    path.write_text(RULES[which])
    rules, sids, parsed = load(path), 0, [0, 0]
    for capture in CAPTURES:
        wanted = run(capture, rules, types=("alert",), triage=False)
        seen = run(capture, rules, types=("alert",))
        small = run(capture, rules, types=("alert",), block=37)
        assert not difference(wanted, seen), capture
        assert not difference(wanted, small), capture
        sids += len(wanted.sids)
        parsed[0] += seen.pipeline.walk.apps.counters.flows
        parsed[1] += wanted.pipeline.walk.apps.counters.flows
    assert sids, "some contents are carried"
    assert 2 * parsed[0] < parsed[1], "most flows carry nothing"
