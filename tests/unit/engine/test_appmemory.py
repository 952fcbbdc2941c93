"""What parsers hold together, and who gives way."""

from hypothesis import given
from hypothesis import strategies as st

from sensor.engine.appmemory import FREE, AppMemory
from sensor.engine.apps import MAX_UNLOGGED_BYTES, AppLayer
from sensor.model.app import TO_SERVER
from sensor.proto.registry import APP_ID

POST = b"POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 90000\r\n\r\n"

told = st.tuples(st.integers(0, 9), st.integers(-1, 40 * FREE))
"""A flow, and what it holds; -1: it ends."""


@given(st.lists(told, max_size=60), st.integers(0, 100 * FREE))
def test_the_sum_never_stays_above_the_limit_and_comes_back_to_nothing(turns, limit):
    memory, known, order = AppMemory(limit), {}, []
    for slot, nbytes in turns:
        order = [one for one in order if one != slot]
        known.pop(slot, None)
        if nbytes < 0:
            memory.leave(slot)
        else:
            known[slot] = max(0, nbytes - FREE)
            order += [slot] if known[slot] else []
            assert memory.note(slot, nbytes) is bool(known[slot])
        assert memory.held == sum(known.values())
        while memory.held > limit:
            assert memory.victim == order[0]
            memory.leave(order[0])
            known.pop(order.pop(0))
        assert memory.victim == -1
    for slot in range(10):
        memory.leave(slot)
    assert memory.held == 0


def layer_of(**limits):
    return AppLayer(memory=AppMemory(1 << 20), **limits)


def test_a_flow_counts_from_what_it_holds_until_it_ends():
    layer = layer_of()
    layer.start(7, APP_ID["http"])
    layer.feed(7, TO_SERVER, POST, 0)
    assert layer.memory.held == 0
    layer.feed(7, TO_SERVER, bytes(50_000), 0)
    assert 40_000 < layer.memory.held < 60_000
    layer.feed(7, TO_SERVER, bytes(30_000), 0)
    assert 70_000 < layer.memory.held < 100_000
    layer.drop([7])
    assert layer.memory.held == 0


def test_a_message_that_is_over_counts_no_more_though_little_comes_behind_it():
    layer = layer_of()
    layer.start(7, APP_ID["http"])
    layer.feed(7, TO_SERVER, POST + bytes(90_000), 0)
    layer.feed(7, 1, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 0)
    layer.feed(7, TO_SERVER, b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", 0)
    assert layer.memory.held == 0


def test_a_parser_that_has_done_its_work_holds_nothing():
    layer = layer_of()
    layer.start(7, APP_ID["http"])
    layer.feed(7, TO_SERVER, POST + bytes(50_000), 0)
    layer.spend(7)
    assert layer.memory.held == 0
    assert layer.feed(7, TO_SERVER, bytes(9), 0) == layer.gap(7, 0, 5, 0) == layer.finish(7, 0) == []
    assert layer.get(7).anomalies() == []
    layer.ask({"http"}, ())


def test_what_waits_for_its_log_is_bounded_by_its_bytes():
    layer = layer_of()
    flow = layer.start(7, APP_ID["http"])
    late = []
    for _ in range(40):
        for stage in layer.feed(7, TO_SERVER, POST + bytes(90_000), 0):
            late += [one] if (one := flow.note(stage)) is not None else []
        assert flow.held <= MAX_UNLOGGED_BYTES + 100_000
    assert [one.tx.id for one in late] == list(range(len(late)))
    assert len(late) + len(flow.clear()) == 40
    assert flow.held <= (1 << 20) + 100_000
