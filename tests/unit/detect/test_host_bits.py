import pytest
from judgekit import FakeContext, body_holds, rule

from sensor.detect.evaluator.naive import apply_effects, compile_rule
from sensor.detect.state.hostbits import HostBits
from sensor.rules.nodes import HostBit

S = 1_000_000_000
HERE, BACK, OTHER = (b"a", b"b"), (b"b", b"a"), (b"a", b"c")


def change(bits, action, track, ends=HERE, ts=0, seconds=0):
    node = HostBit(action, "n", track, seconds)
    apply_effects(compile_rule(rule(node)), FakeContext(ends=ends, ts_ns=ts, host_bits=bits))


def isset(bits, track, ends=HERE, ts=0, name="n"):
    context = FakeContext(ends=ends, ts_ns=ts, host_bits=bits)
    found = body_holds(HostBit("isset", name, track), context)
    assert found is not body_holds(HostBit("isnotset", name, track), context)
    return found


@pytest.mark.parametrize(("track", "here", "back", "other"), [
    ("by_src", True, False, True),
    ("by_dst", True, False, False),
    ("by_both", True, True, False),
])  # fmt: skip
def test_whose_bit_it_is(track, here, back, other):
    bits = HostBits()
    change(bits, "set", track)
    assert [isset(bits, track, ends) for ends in (HERE, BACK, OTHER)] == [here, back, other]
    assert not isset(bits, track, name="m")


def test_a_host_is_the_same_at_either_end():
    bits = HostBits()
    change(bits, "set", "by_src")
    assert isset(bits, "by_dst", BACK)


def test_bits_expire_in_packet_time():
    bits = HostBits()
    change(bits, "set", "by_src", ts=5 * S + 7, seconds=10)
    assert isset(bits, "by_src", ts=16 * S - 1)
    assert not isset(bits, "by_src", ts=16 * S)
    assert len(bits) == 0
    change(bits, "set", "by_src", ts=5 * S)
    assert isset(bits, "by_src", ts=10**18)


def test_set_again_keeps_its_time_and_unset_and_toggle_end_it():
    bits = HostBits()
    change(bits, "set", "by_src", seconds=10)
    change(bits, "set", "by_src", ts=9 * S, seconds=10)
    assert isset(bits, "by_src", ts=10 * S)
    assert not isset(bits, "by_src", ts=11 * S)
    change(bits, "set", "by_src", seconds=10)
    change(bits, "set", "by_src", ts=11 * S, seconds=10)
    assert isset(bits, "by_src", ts=21 * S)
    change(bits, "unset", "by_src")
    assert not isset(bits, "by_src")
    change(bits, "toggle", "by_src")
    assert isset(bits, "by_src")
    change(bits, "toggle", "by_src")
    assert not isset(bits, "by_src")


def test_the_cap_forgets_the_bit_set_first_and_counts():
    bits = HostBits(limit=3)
    for end in (b"1", b"2", b"3", b"1", b"4"):
        change(bits, "set", "by_src", (end, b""))
    assert [isset(bits, "by_src", (end, b"")) for end in (b"1", b"2", b"3", b"4")] == [False, True, True, True]
    assert bits.counters.host_bits_dropped == 1
