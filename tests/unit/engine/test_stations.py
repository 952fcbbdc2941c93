"""MAC addresses of events: each beside the IP address of the same station."""

import ipaddress
from pathlib import Path

import numpy as np
import pytest
from enginekit import run, settings_of
from forgekit import Flow, request, response, stamp
from hypothesis import given, settings
from hypothesis import strategies as st

from sensor.engine.block.kernels_stations import ethernet_of
from sensor.engine.block.stations import of_row
from sensor.flow.limits import FlowLimits
from sensor.model.addr import mac
from sensor.model.block import LINKTYPE_ETHERNET, LINKTYPE_RAW, PacketBlock
from sensor.model.columns import Columns
from sensor.model.rows import FRAG_REASSEMBLED, new_rows

PCAPS = Path(__file__).resolve().parents[3] / "pcaps"
GUEST = "00:16:3e:20:00:"
"""The guests of the sample captures have one number, which their MAC and IP addresses end with (`pcaps/talk.py`)."""


def card(address):
    return GUEST + f"{ipaddress.ip_address(address).packed[-1]:02x}"


def is_guest(address):
    return ipaddress.ip_address(address) in ipaddress.ip_network(
        "fd00:20::/64" if ":" in address else "10.20.0.0/16"
    )  # fmt: skip


def pairs(event):
    """Yield (address, MAC) of both ends, where both are guests."""
    if not (is_guest(event["src_ip"]) and is_guest(event["dest_ip"])):
        return
    ether = event["ether"]
    for end in ("src", "dest"):
        yield event[f"{end}_ip"], ether.get(f"{end}_mac") or ether[f"{end}_macs"][0]


@pytest.mark.parametrize("block", [1, 7, 10_000])
@pytest.mark.parametrize("name", ["lateral", "web", "fragments", "windows", "vlan"])
def test_each_end_has_its_own_card(name, block):
    """Also where an event is about the side that did not send its packet, where none did, and behind fragments."""
    done = run(PCAPS / f"{name}.pcap", settings=settings_of(eve={"ethernet": True}), block=block)
    found = [pair for event in done.events if "ether" in event for pair in pairs(event)]
    assert {kind: done.of(kind) != [] for kind in ("flow", "alert")} == {"flow": True, "alert": True}
    assert all("ether" in event for event in done.of("flow"))
    assert len(found) > 20
    assert [(address, mac) for address, mac in found if card(address) != mac] == []


def test_a_block_with_more_flows_than_the_table_had_room_for():
    """The table grows within the block, and all that is kept per flow with it."""
    flows = [Flow(sport=20_000 + k).open().send(0, request("/x")).send(1, response()).close() for k in range(40)]
    frames = stamp([frame for flow in flows for _, frame in flow.frames()])
    wide, tight = (
        run(frames, settings=settings_of(eve={"ethernet": True}, flow=FlowLimits(max_flows=size, slack=size)))
        for size in (1000, 2)
    )
    assert tight.pipeline.table.flows.size >= len(flows)
    assert len(tight.of("http")) == len(tight.of("flow")) == len(flows)
    assert {card for event in tight.of("flow") for card in event["ether"]["src_macs"]} == {
        card for event in wide.of("flow") for card in event["ether"]["src_macs"]
    }
    assert tight.sids == wide.sids


def test_a_tunnel_without_ethernet_has_no_cards():
    done = run(PCAPS / "overlay.pcap", settings=settings_of(eve={"ethernet": True}))
    inside = [event for event in done.events if event.get("tunnel", {}).get("proto") == "IP-in-IP"]
    assert inside
    assert not any("ether" in event for event in inside)
    ethernet = [event for event in done.events if event.get("tunnel", {}).get("proto") == "UDP"]
    assert ethernet
    assert all(card(address) == mac for event in ethernet for address, mac in pairs(event))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 1 << 30))
def test_one_row_is_read_as_the_kernel_reads_all(seed):
    rng, rows = np.random.default_rng(seed), new_rows(9)
    ranges = {"caplen": (8, 16), "l2": (-1, 3), "l3": (10, 20), "tunnel": (0, 2), "parent": (-1, 2), "pkt": (0, 3)}
    for name, (low, high) in ranges.items():
        rows[name] = rng.integers(low, high, rows.size)
    rows["frag"][1:] = rng.choice((0, FRAG_REASSEMBLED), rows.size - 1)
    links = rng.choice((LINKTYPE_ETHERNET, LINKTYPE_RAW), 3).astype(np.uint16)
    buf, three = np.arange(64, dtype=np.uint8), np.zeros(3, np.int32)
    block = PacketBlock(buf, three.astype(np.int64), three, three, three.astype(np.int64), links)
    for row in range(rows.size):
        at = int(ethernet_of(rows, links, row))
        raw = buf[at : at + 12].tobytes()
        wanted = (mac(raw[6:]), mac(raw[:6])) if at >= 0 else ("", "")
        assert of_row(block, Columns(rows), buf, row) == wanted
