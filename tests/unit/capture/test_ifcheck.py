"""Findings about an interface, read from a made-up /sys and /proc."""

import pytest

from sensor.capture import ifcheck, uapi


@pytest.fixture
def machine(tmp_path):
    """Return a function that makes an interface and returns its findings."""

    def make(flags=uapi.IFF_UP | uapi.IFF_NOARP, mtu=1500, kind=1, ipv6="1", addresses="", **options):
        state = tmp_path / "sys/class/net/test0"
        conf = tmp_path / "proc/sys/net/ipv6/conf/test0"
        for folder in (state, conf, tmp_path / "proc/net"):
            folder.mkdir(parents=True, exist_ok=True)
        (state / "flags").write_text(f"{flags:#x}\n")
        (state / "mtu").write_text(f"{mtu}\n")
        (state / "type").write_text(f"{kind}\n")
        (conf / "disable_ipv6").write_text(ipv6)
        (tmp_path / "proc/net/if_inet6").write_text(addresses)
        return ifcheck.check("test0", sys=str(tmp_path / "sys"), proc=str(tmp_path / "proc"), **options)

    return make


def test_a_good_interface(machine):
    assert machine() == []


@pytest.mark.parametrize(("state", "text", "mend"), [
    ({"flags": uapi.IFF_NOARP}, "down", "ip link set dev test0 up"),
    ({"flags": uapi.IFF_UP}, "ARP", "ip link set dev test0 arp off"),
    ({"mtu": 1400}, "MTU of 1400", "ip link set dev test0 mtu 1500"),
    ({"ipv6": "0"}, "IPv6", "sysctl -w net.ipv6.conf.test0.disable_ipv6=1"),
    ({"addresses": f"fe80{'0' * 27}1 02 40 20 80 test0\n"}, "fe80::1", "ip address flush dev test0"),
    ({"capturing": True}, "promiscuous", "ip link set dev test0 promisc on"),
])  # fmt: skip
def test_each_finding_names_its_remedy(machine, state, text, mend):
    found = machine(**state)
    assert [(f.state, f.mend) for f in found] == [("warning", mend)]
    assert text in found[0].text
    assert str(found[0]).endswith(f"(mend: {mend})")


def test_loopback_may_have_addresses(machine):
    assert machine(kind=uapi.ARPHRD_LOOPBACK, ipv6="0", flags=uapi.IFF_UP) == []


@pytest.mark.parametrize("name", ["none0", "../net"])
def test_no_such_interface(machine, name):
    assert [f.state for f in ifcheck.check(name)] == ["error"]


def test_real_questions_to_a_driver_do_not_fail():
    assert ifcheck.receive_queues("lo") >= 0
    assert ifcheck.receive_ring("lo") == (0, 0)


@pytest.mark.parametrize(("now", "most", "findings"), [(256, 4096, 1), (4096, 4096, 0), (0, 0, 0)])
def test_a_driver_s_ring_that_could_be_larger(machine, monkeypatch, now, most, findings):
    rings = uapi.ETHTOOL_RINGS.pack(uapi.ETHTOOL_GRINGPARAM, most, 0, 0, 0, now, 0, 0, 0)
    asked = rings[:4]
    monkeypatch.setattr(ifcheck, "_ethtool_call", lambda _name, data: rings if data[:4] == asked else None)
    found = machine()
    assert len(found) == findings
    assert all(f.mend == "ethtool -G test0 rx 4096" for f in found)
