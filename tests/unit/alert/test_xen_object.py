"""The `xen` object: by the card first, by the address where the card is nobody's."""

from sensor.alert.guests import identity, names
from sensor.model.scene import Scene
from sensor.xen.directory import Directory
from sensor.xen.inventory import Guest, Inventory, Vif

WEB = Vif(Guest("web", "u-1", 5), "00:16:3e:00:00:01", "vif5.0", addresses=(bytes([10, 0, 0, 1]),))
DB = Vif(Guest("db"), "00:16:3e:00:00:02", addresses=(bytes([10, 0, 0, 2]),))
KNOWN = Directory().renewed(Inventory((WEB.guest, DB.guest), (WEB, DB), "xen-1"), 0)
ROUTER = "00:16:3e:00:00:99"


def scene(src_mac=WEB.mac, dest_mac=DB.mac, src=1, dest=2, ts=10):
    return Scene(
        ts=ts, number=1, source="x", ipv=4, src_ip=f"10.0.0.{src}", dest_ip=f"10.0.0.{dest}", proto=6, src_port=1,
        dest_port=2, src=bytes([10, 0, 0, src]), dest=bytes([10, 0, 0, dest]), src_mac=src_mac, dest_mac=dest_mac,
    )  # fmt: skip


def test_both_ends_by_their_cards():
    assert identity(KNOWN, scene()) == {
        "src_guest": "web", "src_uuid": "u-1", "src_domid": 5, "src_vif": "vif5.0", "src_by": "mac",
        "dest_guest": "db", "dest_by": "mac", "host": "xen-1",
    }  # fmt: skip
    assert names(KNOWN, scene()) == {"web", "db"}


def test_behind_a_router_the_address_tells():
    found = identity(KNOWN, scene(src_mac=ROUTER, dest_mac=""))
    assert (found["src_guest"], found["src_by"], found["dest_guest"], found["dest_by"]) == (
        "web", "address", "db", "address",
    )  # fmt: skip


def test_a_guest_that_speaks_with_the_address_of_another_is_named_with_both():
    found = identity(KNOWN, scene(src=2, dest=77))
    assert (found["src_guest"], found["src_by"], found["src_address_of"]) == ("web", "mac", "db")
    assert "dest_address_of" not in found
    assert names(KNOWN, scene(src=2, dest=77)) == {"web", "db"}


def test_nothing_is_said_of_strangers():
    assert identity(KNOWN, scene(ROUTER, ROUTER, 8, 9)) == {}
    assert names(KNOWN, scene(ROUTER, ROUTER, 8, 9)) == set()
    later = KNOWN.renewed(Inventory(), 100)
    assert identity(later, scene(ts=200)) == {}
    assert identity(later, scene(ts=50))["src_guest"] == "web"
