"""Parsers tell what they hold, whatever a guest has sent."""

import hoards
import pytest

from sensor.engine.apps import AppLayer
from sensor.proto.registry import APP_ID, PROTOCOLS, TRAITS

SMALL = {"dhcp", "telnet", "tftp", "snmp", "sip", "ntp", "bittorrent-dht", "ike"}
"""Parsers that hold some kilobytes at most: of one line, or nothing from one datagram to the next."""
SEGMENT = 1400


def fed(name, layer, slot=1):
    """Return a flow that has said all of a hoard, and the largest part of it that is no more than a segment's."""
    proto, make = hoards.TALKS[name]
    flow = layer.start(slot, APP_ID[proto])
    for side, data in make():
        for at in range(0, len(data), SEGMENT):
            for stage in layer.feed(slot, side, data[at : at + SEGMENT], 0):
                flow.note(stage)
    return flow


@pytest.mark.parametrize("name", hoards.TALKS)
def test_what_is_told_is_what_is_held(name):
    layer = AppLayer()
    flow = fed(name, layer)
    weight = hoards.weight(flow)
    assert flow.held * 2 + 8000 > weight
    assert flow.held < weight * 2.5 + 5000
    assert abs(layer.memory.held - flow.held) < 30_000
    layer.drop([1])
    assert layer.memory.held == 0


@pytest.mark.parametrize("name", hoards.TALKS)
def test_one_flow_is_bounded_by_itself(name):
    """Whatever little a guest sends, it takes no more than some megabytes: the largest are two sides of a stream."""
    assert hoards.weight(fed(name, AppLayer())) < 5 << 20


def test_every_parser_tells():
    assert {spec.name for spec in PROTOCOLS if not TRAITS[spec.name].holds} <= SMALL
