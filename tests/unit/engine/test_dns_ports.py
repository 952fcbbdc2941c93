"""DNS is on port 53 unless the operator says otherwise; its relatives are no `dns`, as in Suricata."""

import forgekit as forge
import pytest
from enginekit import run, settings_of
from forgekit import Flow

from sensor.proto.limits_ports import DnsPorts
from sensor.rules.load import load_rules
from sensor.rules.ruleset import build

RULES = """
alert dns any any -> any any (msg:"dns"; dns.query; content:"wpad"; sid:1;)
alert ip any any -> any any (msg:"not dns"; app-layer-protocol:!dns; sid:2;)
"""
WPAD = forge.dns("wpad.local")
ANSWER = forge.dns("wpad.local", answers=("wpad.local",), response=True)


@pytest.fixture
def rules(tmp_path):
    (tmp_path / "dns.rules").write_text(RULES)
    return build(load_rules([str(tmp_path / "dns.rules")]).rules)[0]


def found(frames, rules, dns):
    outcome = run(frames, rules, settings=settings_of(dns=dns))
    (flow,) = outcome.of("flow")
    return sorted(set(outcome.sids)), flow["app_proto"], len(outcome.of("dns"))


def over_udp(sport, dport):
    return Flow(sport=sport, dport=dport).datagram(0, WPAD).datagram(1, ANSWER).frames()


def over_tcp(sport, dport):
    data = [len(one).to_bytes(2, "big") + one for one in (WPAD, ANSWER)]
    return Flow(sport=sport, dport=dport).open().send(0, data[0]).send(1, data[1]).close().frames()


@pytest.mark.parametrize("frames", [over_udp, over_tcp])
@pytest.mark.parametrize(
    ("sport", "dport", "ports", "is_dns"),
    [
        (40000, 53, (53,), True),
        (53, 53, (53,), True),
        (53, 40000, (53,), False),
        (5355, 5355, (53,), False),
        (40000, 5300, (53,), False),
        (40000, 5300, (53, 5300), True),
        (40000, 53, (5300,), False),
        (40000, 5300, None, True),
    ],
)
def test_ports_of_servers_decide(frames, sport, dport, ports, is_dns, rules):
    sids, app, records = found(frames(sport, dport), rules, DnsPorts(ports, ports))
    assert (sids, app, records) == (([1], "dns", 2) if is_dns else ([2], "failed", 0))


def test_port_53_is_the_default(rules):
    assert found(over_udp(5353, 5353), rules, DnsPorts())[1] == "failed"
    assert found(over_udp(5353, 53), rules, DnsPorts())[1] == "dns"


def test_ports_are_ports():
    with pytest.raises(ValueError, match="1-65535"):
        DnsPorts(udp=(70000,))
