"""Community ID against the examples of the specification's baseline."""

from ipaddress import ip_address

import pytest

from sensor.alert.community import community_id

# https://github.com/corelight/community-id-spec/tree/master/baseline
BASELINE = [
    ("128.232.110.120", "66.35.250.204", 6, 34855, 80, "1:LQU9qZlK+B5F3KDmev6m5PMibrg="),
    ("66.35.250.204", "128.232.110.120", 6, 80, 34855, "1:LQU9qZlK+B5F3KDmev6m5PMibrg="),
    ("192.168.1.52", "8.8.8.8", 17, 54585, 53, "1:d/FP5EW3wiY1vCndhwleRRKHowQ="),
    ("8.8.8.8", "192.168.1.52", 17, 53, 54585, "1:d/FP5EW3wiY1vCndhwleRRKHowQ="),
    ("192.168.0.89", "192.168.0.1", 1, 8, 0, "1:X0snYXpgwiv9TZtqg64sgzUn6Dk="),
    ("192.168.0.1", "192.168.0.89", 1, 0, 0, "1:X0snYXpgwiv9TZtqg64sgzUn6Dk="),
]


@pytest.mark.parametrize(("src", "dest", "proto", "sport", "dport", "want"), BASELINE)
def test_baseline(src, dest, proto, sport, dport, want):
    assert community_id(ip_address(src).packed, ip_address(dest).packed, proto, sport, dport) == want


def test_one_way_icmp_keeps_its_direction():
    a, b = ip_address("10.0.0.1").packed, ip_address("10.0.0.2").packed
    assert community_id(a, b, 1, 3, 1) != community_id(b, a, 1, 3, 1)
