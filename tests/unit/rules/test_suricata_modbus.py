import pytest
from suricatakit import conditions, refused

from sensor.detect.evaluator.conditions import number_holds
from sensor.rules.nodes import HeaderTest

HEAD = "alert modbus any any -> any any"


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("function 21", [HeaderTest("modbus.function", "=", 21)]),
        ("function 8, subfunction 4",
         [HeaderTest("modbus.function", "=", 8), HeaderTest("modbus.subfunction", "=", 4)]),
        ("function public", [HeaderTest("modbus.category", "any", 3)]),
        ("function !reserved", [HeaderTest("modbus.category", "none", 8)]),
        ("access read", [HeaderTest("modbus.access", "any", 1)]),
        ("access write coils", [HeaderTest("modbus.access", "any", 2), HeaderTest("modbus.access", "any", 8)]),
        ("unit 10", [HeaderTest("modbus.unit", "=", 10)]),
        ("unit 10<>20", [HeaderTest("modbus.unit", "<>", 10, 20)]),
        ("unit >10, function 3", [HeaderTest("modbus.unit", ">", 10), HeaderTest("modbus.function", "=", 3)]),
    ],
)  # fmt: skip
def test_modbus(value, found):
    assert conditions(f"modbus:{value};", HEAD) == found
    assert conditions(f'modbus: "{value}";', HEAD) == found


@pytest.mark.parametrize(
    ("address", "first", "last", "holds"),
    [
        ("100", 100, 100, True),
        ("100", 90, 110, True),
        ("100", 90, 99, False),
        ("<100", 99, 200, True),
        ("<100", 100, 200, False),
        (">100", 1, 101, True),
        (">100", 1, 100, False),
        ("100<>200", 1, 101, True),
        ("100<>200", 199, 300, True),
        ("100<>200", 200, 300, False),
        ("100<>200", 1, 100, False),
    ],
)
def test_addresses(address, first, last, holds):
    tests = conditions(f"modbus:access read holding, address {address};", HEAD)[2:]
    values = {"modbus.first": first, "modbus.last": last}
    assert all(number_holds(test)(values[test.field]) for test in tests) is holds


@pytest.mark.parametrize(
    ("value", "fits", "others"),
    [("200", [200], [0, 199, 201]), (">200", [201, 65535], [0, 200]), ("<200", [0, 199], [200, 65535]),
     ("100<>200", [101, 199], [100, 200])],
)  # fmt: skip
def test_values(value, fits, others):
    test = conditions(f"modbus:access write holding, address 500, value {value};", HEAD)[-1]
    holds = number_holds(test)
    assert all(holds(500 << 16 | one) for one in fits)
    assert not any(holds(500 << 16 | one) for one in others)
    assert not any(holds(address << 16 | one) for one in fits for address in (499, 501))


@pytest.mark.parametrize(
    "value",
    ["", "function 0", "function nope", "access", "access write input", "access read, address x", "unit",
     "access read holding, address 5, value 6", "access write holding, address >5, value 6", "unit 70000"],
)  # fmt: skip
def test_refused(value):
    assert refused(f"modbus:{value};", HEAD)
