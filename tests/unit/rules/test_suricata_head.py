import pytest
from suricatakit import conditions, refused, rule, unit

from sensor.rules.nodes import HeaderTest
from sensor.rules.variables import Variables


@pytest.mark.parametrize("action", ["alert", "drop", "reject", "rejectsrc", "rejectboth", "pass"])
def test_actions(action):
    assert rule("", f"{action} tcp any any -> any any").action == action


@pytest.mark.parametrize(
    ("word", "proto"),
    [("ip", "ip"), ("TCP", "tcp"), ("tcp-pkt", "tcp-pkt"), ("icmp", "icmp"), ("pkthdr", "pkthdr"), ("sctp", "sctp"),
     ("http", "http"), ("http1", "http1"), ("ssl", "tls"), ("dns", "dns"), ("ipv6", "ip"), ("icmpv6", "icmp")],
)  # fmt: skip
def test_protocols(word, proto):
    assert rule("", f"alert {word} any any -> any any").proto == proto


def test_icmpv6_is_icmp_of_one_version():
    assert conditions("itype:135;", "alert icmpv6 any any -> any any")[0] == HeaderTest("ip.proto", "=", 58)


def test_versions_of_ip_narrow_one_address():
    assert rule("", "alert ipv4 any any -> any any").src == Variables().addresses("0.0.0.0/0")
    assert rule("", "alert ip6 any any -> any any").src == Variables().addresses("!0.0.0.0/0")
    made = rule("", "alert ipv6 [10.0.0.1,::1] any -> any any")
    assert (made.src.text, made.dst.text) == ("[10.0.0.1,::1]", "!0.0.0.0/0")
    made = rule("", "alert ipv6 [10.0.0.1,::1] any -> ::2 any")
    assert made.src.include == Variables().addresses("::1").include
    made = rule("", "alert ipv4 [10.0.0.1,::1] any -> ::2 any")
    assert made.src.include == Variables().addresses("10.0.0.1").include


def test_ends():
    made = rule("", "alert tcp [$HOME_NET, !10.0.0.1] 1024: <> !192.0.2.0/24 [80,!81]")
    assert made.bidirectional
    assert made.sport.include == ((1024, 65535),)
    assert made.dport.include == ((80, 80),)
    assert made.dst.exclude
    assert rule("", "alert tcp any !5938,!1433 -> any any").sport.exclude == ((1433, 1433), (5938, 5938))


@pytest.mark.parametrize(
    ("head", "why", "column"),
    [
        ("config tcp any any -> any any", "do not configure", 1),
        ("fire tcp any any -> any any", "unknown action", 1),
        ("alert bittorrent any any -> any any", "bittorrent is not parsed", 7),
        ("alert frob any any -> any any", "unknown protocol 'frob'", 7),
        ("alert tcp $NOBODY any -> any any", "$NOBODY is not defined", 11),
        ("alert tcp any 99999 -> any any", "is no port", 15),
        ("alert tcp any any <- any any", "unknown direction", 19),
        ("alert tcp any any -> 1.2.3 any", "1.2.3", 22),
    ],
)
def test_refused(head, why, column):
    found = unit(f"{head} (sid:1;)")
    assert not found.rules
    (problem,) = found.problems
    assert why in problem.message
    assert problem.column == column


def test_all_problems_of_a_header_are_reported():
    assert len(refused("", "fire frob $NOBODY any => any any")) == 4
