"""Inventories: what is read, what is refused, and who had an address when."""

import contextlib
import json
from ipaddress import ip_address

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sensor.xen.directory import PAST_MAX, Directory
from sensor.xen.inventory import MAX_BYTES, MAX_GUESTS, Guest, Inventory, Vif, parse
from sensor.xen.report import ReportError

HAND_WRITTEN = """
host: xen-1
guests:
  - name: web-01
    uuid: 6A1C0000-0000-0000-0000-000000000001
    domid: 5
    vifs:
      - {mac: 52:54:00:12:34:56, name: vif5.0, bridge: xenbr0, addresses: [10.0.0.5, "fd00::5"]}
      - mac: 00-16-3E-00-00-02
  - name: bare
"""


def vif(name, mac, *addresses, domid=1):
    return Vif(Guest(name, domid=domid), mac, addresses=addresses)


def known(*vifs):
    return Inventory(tuple({one.guest: None for one in vifs}), vifs)


def test_a_file_written_by_hand():
    """A MAC address of digits is a number in base 60 to YAML, if one lets it."""
    found = parse(HAND_WRITTEN)
    web = Guest("web-01", "6a1c0000-0000-0000-0000-000000000001", 5)
    assert found.guests == (web, Guest("bare"))
    addresses = ip_address("10.0.0.5").packed, ip_address("fd00::5").packed
    assert found.vifs == (
        Vif(web, "52:54:00:12:34:56", "vif5.0", "xenbr0", addresses),
        Vif(web, "00:16:3e:00:00:02"),
    )  # fmt: skip
    assert found.host == "xen-1"


def test_json_means_the_same():
    whole = {"host": "h", "guests": [{"name": "a", "domid": 3, "vifs": [{"mac": "00:16:3e:00:00:01"}]}]}
    text = "host: h\nguests: [{name: a, domid: 3, vifs: [{mac: 00:16:3e:00:00:01}]}]"
    assert parse(json.dumps(whole)) == parse(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "an inventory must be a mapping"),
        ("[]", "an inventory must be a mapping"),
        ("{", "no JSON"),
        ("a: [", "no YAML"),
        ('{"guests":' * 5000, "no JSON"),
        ("[" * 5000, "no YAML"),
        ("guests: 3", "the inventory: guests must be a list of at most 1024"),
        ("guests: [{vifs: []}]", "guest 1 has no name"),
        ("guests: [{name: a, domid: -1}]", "guest 1: '-1' is no domid"),
        ("guests: [{name: a, domid: 99999}]", "guest 1: '99999' is no domid"),
        ("guests: [{name: [a]}]", "guest 1: name must be text"),
        ("guests: [{name: a, vifs: [x]}]", "a vif of guest 1 must be a mapping"),
        ("guests: [{name: a, vifs: [{mac: 00:16}]}]", "guest 1 (a): '00:16' is no MAC address"),
        ("guests: [{name: a, vifs: [{mac: 00:16:3e:00:00:01, addresses: [10.0.0]}]}]", "guest 1 (a): '10.0.0' does"),
        ("guests: [" + "{name: a}, " * (MAX_GUESTS + 1) + "]", "at most 1024"),
        ("#" * (MAX_BYTES + 1), "longer than"),
    ],
)
def test_what_is_no_inventory_is_refused_as_a_whole(text, why):
    with pytest.raises(ReportError) as refused:
        parse(text)
    assert why in str(refused.value)


def test_an_address_has_the_owner_of_its_time():
    old, new = vif("old", "m1", b"ip"), vif("new", "m1", b"ip")
    then = Directory().renewed(known(old), 100)
    now = then.renewed(known(new), 200)
    assert (then.find("m1", 300), then.find(b"ip", 300)) == (old, old)
    assert [now.find("m1", ts) for ts in (50, 150, 199, 200, 900)] == [old, old, old, new, new]
    gone = now.renewed(known(), 1000)
    assert [gone.find("m1", ts) for ts in (150, 999, 1000)] == [old, new, None]
    assert gone.guests == ()
    back = gone.renewed(known(old), 2000)
    assert [back.find("m1", ts) for ts in (999, 1500, 2000)] == [new, None, old]


def test_a_guest_is_known_before_dom0_has_told_of_it():
    first = Directory().renewed(known(), 100)
    assert first.find("m1", 150) is None
    assert first.renewed(known(vif("a", "m1")), 200).find("m1", 150) == vif("a", "m1")


def test_a_guest_that_restarts_is_the_same_guest_with_another_domid():
    found = Directory().renewed(known(vif("a", "m1", domid=3)), 1).renewed(known(vif("a", "m1", domid=9)), 50)
    assert [found.find("m1", ts).guest.domid for ts in (10, 60)] == [3, 9]


def test_an_address_that_two_claim_says_nothing():
    found = Directory().renewed(known(vif("a", "m1", b"ip"), vif("b", "m2", b"ip")), 1)
    assert found.find(b"ip", 5) is None
    assert (found.find("m1", 5), found.find("m2", 5)) == (vif("a", "m1", b"ip"), vif("b", "m2", b"ip"))


def test_what_is_remembered_of_guests_that_are_gone_is_bounded():
    found = Directory().renewed(known(vif("stays", "kept")), 0)
    for n in range(0, PAST_MAX + 1000, 500):
        fresh = [vif(f"g{k}", f"m{k}") for k in range(n, n + 500)]
        found = found.renewed(known(vif("stays", "kept"), *fresh), n)
    assert len(found.tenures) == PAST_MAX + 500 + 1
    assert found.find("kept", 1 << 60) == vif("stays", "kept")
    assert found.find("m0", 10) is None
    same = found
    for n in range(50):
        same = same.renewed(known(vif("stays" if n % 2 else "other", "kept")), 10**6 + n)
    assert len(same.tenures["kept"]) <= 4


NAMES = st.sampled_from(["name", "uuid", "domid", "vifs", "mac", "addresses", "bridge"])
PIECES = st.recursive(
    st.none() | st.integers() | st.text(max_size=20) | st.sampled_from(["00:16:3e:00:00:01", "10.0.0.1", "5"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.dictionaries(st.sampled_from(["guests", "host", "version"]), PIECES, max_size=3))
def test_nothing_but_the_declared_error(whole):
    try:
        found = parse(json.dumps(whole))
    except ReportError:
        return
    assert all(guest.name for guest in found.guests)
    assert Directory().renewed(found, 1).guests == found.guests


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.text(max_size=80))
def test_no_text_does_harm(text):
    with contextlib.suppress(ReportError):
        parse(text)
