"""How many transactions of a flow are over: frames do not count."""

from enginekit import rules_of, run
from forgekit import Flow, client_hello, records, server_hello

from sensor.engine.walk import last_stage
from sensor.proto.registry import BY_NAME


def test_the_last_stage_is_no_frame():
    assert {name: BY_NAME[name].stages[last_stage(BY_NAME[name])].name for name in ("tls", "nfs", "rfb", "smb")} == {
        "tls": "established", "nfs": "response", "rfb": "server_init", "smb": "response",
    }  # fmt: skip


def test_a_handshake_counts_once_whatever_rules_ask(tmp_path):
    ccs = b"\x14\3\3\0\1\1"
    flow = Flow(dport=443).open().send(0, records(client_hello())).send(1, records(server_hello()) + ccs).send(0, ccs)
    rule = "- {id: 1, title: t, protocol: tls, match: [{frame.tls.pdu@either: {regex: '/^./s'}}]}\n"
    frames = flow.close().frames()
    for rules in (None, rules_of(rule, tmp_path)):
        (ended,) = run(frames, rules, types=("flow", "tls")).of("flow")
        assert ended["flow"]["tx_cnt"] == 1
