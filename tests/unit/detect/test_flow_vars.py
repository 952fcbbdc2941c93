from sensor.detect.state.bits import (
    MAX_INT,
    MAX_NAMES,
    MAX_TEXT,
    FlowVarCounters,
    FlowVars,
    change_bits,
    change_int,
)
from sensor.rules.nodes import FlowBits, FlowInt


def test_a_flow_holds_so_many_names_and_counts_the_rest():
    counters = FlowVarCounters()
    flow = FlowVars(counters)
    for i in range(MAX_NAMES - 1):
        flow.set_bit(f"b{i}")
    flow.set_int("n", 1)
    flow.set_bit("one more")
    flow.set_int("m", 1)
    flow.set_int("n", 2)
    flow.set_bit("b0")
    assert len(flow.bits) + len(flow.ints) == MAX_NAMES
    assert flow.ints == {"n": 2}
    assert counters.flow_names_dropped == 2
    change_bits(FlowBits("unset", ("b0",)), flow)
    flow.set_bit("one more")
    assert "one more" in flow.bits


def test_ints_have_32_bits():
    flow = FlowVars()
    change_int(FlowInt("n", "-", 3), flow)
    assert flow.ints == {}  # nothing is taken from what is not set
    change_int(FlowInt("n", "=", 1), flow)
    change_int(FlowInt("n", "-", 2), flow)
    assert flow.ints["n"] == MAX_INT
    change_int(FlowInt("n", "+", 3), flow)
    assert flow.ints["n"] == 2


def test_operands_may_be_names():
    flow = FlowVars()
    change_int(FlowInt("n", "+", "unset"), flow)
    assert flow.ints == {"n": 0}
    flow.set_int("step", 4)
    change_int(FlowInt("n", "+", "step"), flow)
    change_int(FlowInt("n", "+", "n"), flow)
    assert flow.ints["n"] == 8


def test_conditions_change_nothing():
    flow = FlowVars()
    change_bits(FlowBits("isset", ("a",)), flow)
    change_int(FlowInt("n", ">", 1), flow)
    assert not flow.bits
    assert not flow.ints


def test_flows_with_the_same_bits_share_them():
    """A set of its own for each of 262,144 flows took 73 MB."""
    one, other = FlowVars(), FlowVars()
    for flow in (one, other):
        for name in ("a", "b", "c"):
            flow.set_bit(name)
        flow.unset_bit("b")
        flow.unset_bit("never set")
    assert one.bits == {"a", "c"}
    assert one.bits is other.bits


def test_texts_are_bounded():
    counters = FlowVarCounters()
    flow = FlowVars(counters)
    flow.set_text("long", b"x" * (MAX_TEXT + 1))
    assert flow.texts == {"long": b"x" * MAX_TEXT}
    for i in range(MAX_NAMES):
        flow.set_text(f"t{i}", b"")
    assert len(flow.texts) == MAX_NAMES
    assert counters.flow_names_dropped == 2
    of_packet = FlowVars()
    for i in range(MAX_NAMES + 1):
        of_packet.set_text(f"t{i}", b"y")
    assert len(of_packet.texts) == MAX_NAMES
