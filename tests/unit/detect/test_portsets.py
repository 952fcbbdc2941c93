"""Bitmaps of ports say what the plain test of a port set says."""

import numpy as np
from headerkit import PORTS, port_sets
from hypothesis import given, settings
from hypothesis import strategies as st

from sensor.detect.addresses import port_test
from sensor.detect.portsets import PortSets
from sensor.rules.nodes import PortSet


def holds(bitmaps, number, port):
    return bool(bitmaps[number, port >> 3] >> (port & 7) & 1)


@settings(max_examples=60, deadline=None)
@given(st.lists(port_sets(), max_size=5))
def test_bitmaps_hold_the_ports_of_their_sets(sets):
    table = PortSets()
    numbers = [table.number(one) for one in sets]
    bitmaps = table.bitmaps()
    assert bitmaps.shape == (max(numbers, default=0) + 1, 8192)
    for one, number in zip(sets, numbers, strict=True):
        inside = port_test(one)
        for port in {min(65535, max(0, port + step)) for port in PORTS for step in (-1, 0, 1)}:
            assert holds(bitmaps, number, port) == (inside is None or inside(port))


def test_equal_sets_share_a_number_and_any_port_is_0():
    table = PortSets()
    assert table.number(PortSet()) == 0
    assert table.number(PortSet(((80, 80),))) == table.number(PortSet(((80, 80),))) == 1
    assert table.number(PortSet((), ((80, 80),))) == 2
    assert table.bitmaps().shape[0] == 3


def test_the_first_row_holds_every_port():
    assert np.unpackbits(PortSets().bitmaps()[0]).sum() == 65536
