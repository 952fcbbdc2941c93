import ipaddress

import pytest

from sensor.detect.headers.addresses import HeaderMatcher, address_test, key16, port_test, widen
from sensor.model.addr import words
from sensor.rules.nodes import AddressSet, All, PortSet, Rule


def key(text):
    return key16(*words(text))


def span(network):
    net = ipaddress.ip_network(network)
    return key(str(net[0])), key(str(net[-1]))


def spans(*networks):
    return tuple(sorted(span(n) for n in networks))


def test_keys():
    assert key("10.0.0.1") == widen(b"\x0a\0\0\1") == ipaddress.ip_address("::ffff:10.0.0.1").packed
    assert key("2001:db8::1") == ipaddress.ip_address("2001:db8::1").packed == widen(key("2001:db8::1"))


HOME = AddressSet(
    include=spans("10.0.0.0/8", "192.168.0.0/16", "2001:db8::/32"), exclude=spans("10.0.0.5/32")
)


@pytest.mark.parametrize(
    ("text", "inside"),
    [
        ("10.0.0.0", True),
        ("10.255.255.255", True),
        ("9.255.255.255", False),
        ("11.0.0.0", False),
        ("10.0.0.5", False),
        ("192.168.3.4", True),
        ("2001:db8::5", True),
        ("2001:db9::", False),
        ("::a00:1", False),
    ],
)
def test_addresses(text, inside):
    assert address_test(HOME)(key(text)) is inside


def test_any_exclusion_and_single_addresses():
    assert address_test(AddressSet()) is None
    outside = address_test(AddressSet(exclude=spans("10.0.0.0/8")))
    assert outside(key("11.0.0.1"))
    assert not outside(key("10.0.0.1"))
    one = address_test(AddressSet(include=spans("10.0.0.1/32", "10.0.0.9/32")))
    assert one(key("10.0.0.9"))
    assert not one(key("10.0.0.5"))


def test_ports():
    ports = port_test(PortSet(include=((80, 80), (1024, 2048)), exclude=((1500, 1500),)))
    assert [p for p in (-1, 0, 79, 80, 81, 1023, 1024, 1500, 2048, 2049) if ports(p)] == [80, 1024, 2048]
    assert port_test(PortSet()) is None
    no_http = port_test(PortSet(exclude=((80, 80),)))
    assert no_http(81)
    assert not no_http(80)
    assert not no_http(-1)


def matcher(**more):
    return HeaderMatcher(Rule(sid=1, msg="", proto="tcp", body=All(()), **more))


A, B = key("10.0.0.1"), key("172.16.0.1")


def test_one_way_and_both_ways():
    header = {"src": HOME, "dport": PortSet(include=((80, 80),))}
    assert matcher(**header).matches(A, B, 5000, 80)
    assert not matcher(**header).matches(B, A, 5000, 80)
    assert not matcher(**header).matches(A, B, 80, 5000)
    assert not matcher(**header).matches(B, A, 80, 5000)
    assert matcher(**header, bidirectional=True).matches(B, A, 80, 5000)
    assert not matcher(**header, bidirectional=True).matches(A, B, 80, 5000)
    assert matcher(dst=HOME, sport=PortSet(include=((80, 80),))).matches(B, A, 80, 5000)


def test_packets_without_ports_match_only_any():
    assert matcher().matches(A, B, -1, -1)
    assert not matcher(dport=PortSet(include=((0, 65535),))).matches(A, B, -1, -1)


def test_direction_and_state_need_a_flow():
    to_server = matcher(direction="to_server")
    assert [to_server.matches(A, B, 1, 2, side) for side in (-1, 0, 1)] == [False, True, False]
    to_client = matcher(direction="to_client")
    assert [to_client.matches(A, B, 1, 2, side) for side in (-1, 0, 1)] == [False, False, True]
    for wanted, expected in ((True, [False, False, True]), (False, [False, True, False]), (None, [True] * 3)):
        found = [matcher(established=wanted).matches(A, B, 1, 2, 0, state) for state in (None, False, True)]
        assert found == expected
