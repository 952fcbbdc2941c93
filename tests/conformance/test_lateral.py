"""Remote execution on real captures: the interface and the operation that are called tell it, over TCP and in pipes."""

from __future__ import annotations

from collections import Counter

import cases
import pytest

from sensor.capture.files import open_source
from sensor.config.settings import Settings
from sensor.engine.options import EngineOptions
from sensor.engine.pipeline import Pipeline
from sensor.model.scene import Match
from sensor.rules.load import load_rules
from sensor.rules.ruleset import build

ATTACKS = cases.SHARED / "captures/attacks"
REPLICATION, SERVICE, DRIVER = 9000195, 9000196, 9000197
RULE = """
  - id: {id}
    title: call
    protocol: dcerpc
    flow: to_server
    severity: high
    classification: attempted-admin
    match:
      - dcerpc.iface: {{content: "{interface} ", startswith: true}}
      - dcerpc.opnum: {operations}
"""
CALLS = (
    (REPLICATION, "e3514235-4b06-11d1-ab04-00c04fc2dcd2", "[3]"),
    (SERVICE, "367abb81-9844-35f1-ad32-98f038001003", "[12, 24]"),
    (DRIVER, "12345678-1234-abcd-ef00-0123456789ab", "[89]"),
)

pytestmark = [
    pytest.mark.corpus,
    pytest.mark.skipif(not ATTACKS.is_dir(), reason=f"the captures are not here: {ATTACKS}"),
]


@pytest.fixture(scope="module")
def rules(tmp_path_factory):
    path = tmp_path_factory.mktemp("rules") / "calls.yaml"
    made = (RULE.format(id=sid, interface=interface, operations=numbers) for sid, interface, numbers in CALLS)
    path.write_text("rules:" + "".join(made))
    loaded = load_rules([path])
    assert not loaded.errors
    return build(loaded.rules, loaded.suppressions)[0]


@pytest.mark.parametrize("triage", [True, False])
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ad-credential/t176-dcsync.pcapng", {REPLICATION: 1}),
        ("ad-lateral/t162-psexec_calc.pcap", {SERVICE: 1}),
        ("ad-exploit/t071-PrintNightmare.pcap", {DRIVER: 3}),
        ("ad-discovery/t094-Discovery_privgroups_domain_admins_samr_lookupnames_req.pcapng", {}),
    ],
)
def test_calls_tell_what_is_done(rules, name, expected, triage):
    found = Counter()
    pipeline = Pipeline(
        rules,
        EngineOptions(Settings(), triage=triage),
        lambda record: found.update([record.rule.sid] if isinstance(record, Match) else []),
    )
    source = open_source([str(ATTACKS / name)])
    for block in source.blocks():
        pipeline.process(block)
    pipeline.finish()
    source.close()
    assert found == expected
