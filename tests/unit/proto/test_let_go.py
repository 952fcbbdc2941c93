"""Parsers of ended flows are gone at once: what holds itself waits for the collector of garbage, 100 MB under load."""

import gc

import pytest

from sensor.proto.registry import SPECS


@pytest.fixture
def uncollected(settled):
    gc.disable()
    yield
    gc.set_debug(0)
    gc.garbage.clear()
    gc.enable()


@pytest.mark.parametrize("spec", SPECS.values(), ids=lambda spec: spec.name)
@pytest.mark.usefixtures("uncollected")
def test_a_parser_holds_nothing_that_holds_it(spec):
    makers = [new for new in (spec.new_parser, spec.new_datagram_parser) if new]
    for new in makers:
        new()  # what is made once and kept
    gc.collect()
    gc.set_debug(gc.DEBUG_SAVEALL)
    for new in makers:
        new()
    gc.collect()
    assert not gc.garbage, [type(one).__name__ for one in gc.garbage]
