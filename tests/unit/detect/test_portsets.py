"""Bitmaps of ports say what the plain test of a port set says."""

import numpy as np
from effort import effort
from headerkit import PORTS, port_sets
from hypothesis import given, settings
from hypothesis import strategies as st

from sensor.detect.headers.addresses import port_test
from sensor.detect.headers.kernels_headers import HEADER
from sensor.detect.headers.portsets import PortSets, port_classes
from sensor.rules.nodes import PortSet


def holds(bitmaps, number, port):
    return bool(bitmaps[number, port >> 3] >> (port & 7) & 1)


@settings(max_examples=effort(60, 20), deadline=None)
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


@settings(deadline=None, max_examples=effort(60, 20))
@given(st.lists(st.tuples(port_sets(), port_sets(), st.booleans()), min_size=1, max_size=70))
def test_classes_of_ports_tell_which_headers_take_a_port(ends):
    sets, kinds = PortSets(), np.zeros(len(ends), HEADER)
    for n, (source, destination, swap) in enumerate(ends):
        kinds[n]["sport"], kinds[n]["dport"], kinds[n]["swap"] = sets.number(source), sets.number(destination), swap
    bitmaps = sets.bitmaps()
    classes, *tables = port_classes(kinds, bitmaps)
    for port in PORTS:
        for table, name in zip(tables, ("sport", "dport"), strict=True):
            found = np.unpackbits(table[classes[port]].view(np.uint8), bitorder="little")[: kinds.size]
            held = [bitmaps[number, port >> 3] >> (port & 7) & 1 for number in kinds[name]]
            assert found.tolist() == [int(bool(one or swap)) for one, swap in zip(held, kinds["swap"], strict=True)]
