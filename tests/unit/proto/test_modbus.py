import pytest
from handshakes import TO_CLIENT, TO_SERVER
from modbusmake import COILS, READ, READ_ANSWER, WRITE, WRITE_ANSWER, modbus, words
from test_probe import APP_UNDECIDED, stream

from sensor.proto.ids import MODBUS
from sensor.proto.modbus import parse, state
from sensor.proto.modbus.fields import SPEC


def run(*pieces):
    parser = SPEC.new_parser()
    stages = [stage for side, data in pieces for stage in parser.feed(side, data, 0)]
    return parser, [stage.tx for stage in stages], [odd.event for odd, _ in parser.anomalies()]


def numbers(tx):
    return {one.name: tx.numbers(one.name) for one in SPEC.numbers if tx.numbers(one.name)}


def test_read():
    _, (request, response), odd = run((TO_SERVER, READ), (TO_CLIENT, READ_ANSWER))
    assert odd == []
    assert numbers(request) == {
        "modbus.function": (3,),
        "modbus.unit": (17,),
        "modbus.category": (parse.ASSIGNED,),
        "modbus.access": (parse.READ | parse.HOLDING,),
        "modbus.first": (100,),
        "modbus.last": (109,),
    }
    assert numbers(response) == {}
    shown = {"transaction_id": 1, "protocol_id": 0, "unit_id": 17, "function_raw": 3, "function_code": "RdHoldRegs"}
    assert request.eve() == {"request": shown | {"address": 99, "quantity": 10}}
    assert response.eve() == {"response": shown}


def test_write():
    _, (tx, _), odd = run((TO_SERVER, WRITE), (TO_CLIENT, WRITE_ANSWER))
    assert odd == []
    assert tx.numbers("modbus.written") == (500 << 16 | 7, 501 << 16 | 201)


@pytest.mark.parametrize(
    ("message", "written"),
    [
        (COILS, [1, 0, 1, 0, 0, 0, 0, 0, 0, 1]),
        (modbus(5, words(9, 0xFF00)), [0xFF00]),
        (modbus(6, words(9, 1234)), [1234]),
        (modbus(23, words(1, 2, 9, 1) + b"\2" + words(77)), [77]),
    ],
)
def test_values_written(message, written):
    _, (tx,), odd = run((TO_SERVER, message))
    assert odd == []
    assert tx.numbers("modbus.written") == tuple(10 + n << 16 | value for n, value in enumerate(written))
    assert tx.numbers("modbus.access")[0] & parse.WRITE


@pytest.mark.parametrize(
    ("message", "category"),
    [
        (modbus(7), parse.ASSIGNED),
        (modbus(8, b"\0\4\0\0"), parse.ASSIGNED),
        (modbus(8, b"\0\x13\0\0"), parse.RESERVED),
        (modbus(43, b"\x0e\1\0"), parse.ASSIGNED),
        (modbus(43, b"\x01"), parse.RESERVED),
        (modbus(90), parse.RESERVED),
        (modbus(66), parse.USER),
        (modbus(110), parse.USER),
        (modbus(25), parse.UNASSIGNED),
    ],
)
def test_categories(message, category):
    _, (tx,), odd = run((TO_SERVER, message))
    assert odd == []
    assert tx.numbers("modbus.category") == (category,)


@pytest.mark.parametrize(
    ("message", "odd"),
    [
        (modbus(3, words(1, 1), protocol=5), "modbus.invalid_protocol_id"),
        (modbus(3, words(1, 126)), "modbus.invalid_value"),
        (modbus(3, words(1, 0)), "modbus.invalid_value"),
        (modbus(5, words(1, 7)), "modbus.invalid_value"),
        (modbus(3, b"\1"), "modbus.invalid_length"),
        (modbus(3, words(1, 1, 1)), "modbus.invalid_length"),
        (modbus(8, b"\1"), "modbus.invalid_length"),
        (modbus(8, words(1, 7)), "modbus.invalid_value"),
        (modbus(8, words(4, 1)), "modbus.invalid_value"),
        (modbus(17, b"\1"), "modbus.invalid_length"),
        (modbus(16, words(1, 2) + b"\4" + words(1)), "modbus.invalid_length"),
        (modbus(23, words(1, 2, 9)), "modbus.invalid_length"),
        (modbus(22, words(1, 2)), "modbus.invalid_length"),
        (modbus(90, b"x" * 300), "modbus.invalid_length"),
        (modbus(0), "modbus.invalid_function_code"),
    ],
)
def test_odd_requests(message, odd):
    assert run((TO_SERVER, message))[2] == [odd]


@pytest.mark.parametrize(
    ("request_", "response", "odd"),
    [
        (READ, modbus(0x83, b"\2"), []),
        (READ, modbus(0x83, b"\7"), ["modbus.invalid_exception_code"]),
        (READ, modbus(0x83), ["modbus.invalid_exception_code"]),
        (READ, modbus(3, b"\x12" + b"v" * 18), ["modbus.value_mismatch"]),
        (READ, modbus(3, b"\x14" + b"v" * 18), ["modbus.value_mismatch"]),
        (READ, modbus(3, b"\x14" + b"v" * 20, transaction=9), ["modbus.unsolicited_response"]),
        (WRITE, modbus(16, words(499, 3), 2), ["modbus.value_mismatch"]),
        (modbus(6, words(9, 5)), modbus(6, words(9, 6)), ["modbus.value_mismatch"]),
        (modbus(6, words(9, 5)), modbus(6, words(9, 5)), []),
    ],
)
def test_responses(request_, response, odd):
    assert run((TO_SERVER, request_), (TO_CLIENT, response))[2] == odd


def test_a_flood():
    requests = [(TO_SERVER, modbus(3, words(1, 1), transaction=n)) for n in range(state.MAX_PENDING + 1)]
    parser, transactions, odd = run(*requests)
    assert odd == ["modbus.flooded"]
    assert len(transactions) == state.MAX_PENDING + 1
    assert parser.held == state.MAX_PENDING * state._REQUEST


def test_what_is_no_message_ends_the_side():
    parser, _, odd = run((TO_SERVER, b"\0\1\0\0\0\1\1\1"))
    assert odd == ["modbus.invalid_length"]
    assert parser.feed(TO_SERVER, READ, 0) == []


def test_detection():
    assert stream(READ) == MODBUS
    assert stream(WRITE, port=502) == MODBUS
    assert stream(b"", READ_ANSWER, port=502) == MODBUS
    assert stream(READ[:7]) == APP_UNDECIDED
    assert stream(WRITE + b"x" * 30) != MODBUS
    assert stream(b"", READ + b"x" * 30) != MODBUS
    assert stream(modbus(3, words(1, 1), protocol=1) + b"x" * 30, port=502) != MODBUS
