"""Decoder events about types and codes of ICMP; the expectations are what Suricata 7.0.10 raised for such packets."""

import pytest

from sensor.detect.evaluator.naive import RuleCompiler, judge
from sensor.detect.state.budget import Budget
from sensor.rules.flowwide import once
from sensor.rules.nodes import All, Rule
from sensor.rules.suricata.icmpevents import EVENTS

EVERY = {
    name: RuleCompiler().compile(Rule(sid=1, msg="", proto="pkthdr", body=All(nodes))) for name, nodes in EVENTS.items()
}


class Packet:
    """The numbers of a packet's headers."""

    ts_ns = 0

    def __init__(self, **numbers):
        self.known = numbers

    def header(self, field):
        return self.known.get(field.replace(".", "_"))


def raised(version, proto, kind, code, ttl=64, offset=0, bits=0):
    packet = Packet(
        ip_version=version, ip_proto=proto, icmp_type=kind, icmp_code=code, ip_ttl=ttl,
        ip_len=60, ip_fragoffset=offset, ip_fragbits=bits,
    )  # fmt: skip
    return {name.partition(".")[2] for name, rule in EVERY.items() if judge(rule, packet, Budget())}


@pytest.mark.parametrize(
    ("kind", "code", "events"),
    [
        (8, 0, set()),
        (8, 1, {"unknown_code"}),
        (3, 15, set()),
        (3, 16, {"unknown_code"}),
        (5, 3, set()),
        (5, 4, {"unknown_code"}),
        (9, 17, set()),
        (10, 0, {"unknown_type"}),
        (11, 2, {"unknown_code"}),
        (12, 1, {"unknown_code"}),
        (1, 0, {"unknown_type"}),
        (255, 9, {"unknown_type"}),
    ],
)
def test_version_4(kind, code, events):
    assert raised(4, 1, kind, code) == events
    assert raised(6, 1, kind, code) == {"icmpv4"}


@pytest.mark.parametrize(
    ("kind", "code", "ttl", "events"),
    [
        (128, 0, 64, set()),
        (128, 1, 64, {"unknown_code"}),
        (1, 6, 64, set()),
        (1, 7, 64, {"unknown_code"}),
        (138, 255, 64, set()),
        (138, 3, 64, {"unknown_code"}),
        (150, 9, 64, set()),
        (155, 4, 64, {"unknown_code"}),
        (130, 0, 1, set()),
        (131, 0, 64, {"mld_message_with_invalid_hl"}),
        (100, 0, 64, {"experimentation_type"}),
        (5, 0, 64, {"unassigned_type"}),
        (255, 0, 64, {"unassigned_type"}),
        (0, 0, 64, {"unknown_type"}),
        (127, 0, 64, {"unknown_type"}),
    ],
)
def test_version_6(kind, code, ttl, events):
    assert raised(6, 58, kind, code, ttl) == events
    assert raised(4, 58, kind, code, ttl) == {"icmpv6"}


def test_each_packet_of_the_wrong_version_counts_but_no_fragment():
    assert not any(map(once, (Rule(sid=1, msg="", proto="pkthdr", body=All(nodes)) for nodes in EVENTS.values())))
    assert raised(4, 58, 1, 0, bits=2) == {"icmpv6"}
    assert raised(4, 58, 1, 0, offset=1) == raised(4, 58, 1, 0, bits=1) == set()


def test_other_protocols_raise_none():
    assert raised(4, 6, 1, 1) == set()
