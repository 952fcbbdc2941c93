import pytest

from sensor.alert.protonames import NAMES, proto_name


@pytest.mark.parametrize(
    ("number", "name"),
    [(0, "HOPOPT"), (1, "ICMP"), (4, "IP-in-IP"), (6, "TCP"), (17, "UDP"), (41, "IPv6"), (44, "IPv6-Frag"),
     (50, "ESP"), (58, "IPv6-ICMP"), (89, "OSPF"), (112, "VRRP"), (132, "SCTP"), (143, "Ethernet")],
)  # fmt: skip
def test_a_protocol_has_the_name_of_its_number(number, name):
    assert proto_name(number) == name


@pytest.mark.parametrize("number", [144, 253, 255])
def test_what_has_no_name_is_its_number(number):
    assert proto_name(number) == str(number)


def test_each_number_of_the_registry_has_one_word():
    assert len(NAMES) == 144
    assert all(name.isprintable() for name in NAMES)
