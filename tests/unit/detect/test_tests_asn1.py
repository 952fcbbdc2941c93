"""Faults of BER elements."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from judgekit import holds

from sensor.detect.evaluator.tests_asn1 import MAX_ELEMENTS, elements, malicious
from sensor.errors import RuleError
from sensor.rules.nodes import Asn1, Content

BITS, REAL, SIZE = Asn1(bitstring_overflow=True), Asn1(double_overflow=True), Asn1(oversize=100)
EVERY = Asn1(bitstring_overflow=True, double_overflow=True, oversize=100)


def element(tag, body, length=None):
    size = len(body) if length is None else length
    head = bytes([size]) if size < 128 else b"\x84" + size.to_bytes(4, "big")
    return bytes([tag]) + head + body


def nested(inner, levels=3):
    for _ in range(levels):
        inner = element(0x30, element(0x02, b"\5") + inner)
    return inner


FAULTS = [
    (BITS, element(3, b"\x09\xff"), True),
    (BITS, element(3, b"\x08\xff"), False),
    (BITS, element(3, b"\x01"), True),
    (BITS, element(4, b"\x09\xff"), False),
    (BITS, element(0x83, b"\x09\xff"), False),
    (BITS, element(0x23, b"\x09\xff"), False),
    (REAL, element(9, b"\x03" + b"1" * 256), True),
    (REAL, element(9, b"\x03" + b"1" * 255), False),
    (REAL, element(9, b"\x80" + b"1" * 300), False),
    (REAL, element(9, b"\x03", 5000), True),
    (SIZE, element(4, b"", 101), True),
    (SIZE, element(4, b"", 100), False),
    (SIZE, element(0x30, b"x" * 101), True),
    (SIZE, b"\x04\x88" + b"\xff" * 8, True),
    (SIZE, b"\x04\x89" + b"\xff" * 9, False),
    (SIZE, b"\x1f\x81\x05" + element(0, b"", 500)[1:], True),
    (SIZE, b"\x1f" + b"\xff" * 20, False),
    (BITS, b"\x30\x80" + element(3, b"\x09\xff") + b"\0\0", True),
]


@pytest.mark.parametrize(("test", "data", "found"), FAULTS)
def test_faults(test, data, found):
    assert malicious(data, 0, test)[0] is found


@pytest.mark.parametrize(("test", "data", "found"), [fault for fault in FAULTS if fault[0] is not SIZE])
def test_faults_within_and_behind_others(test, data, found):
    assert malicious(nested(data), 0, test)[0] is found
    assert malicious(element(2, b"\5") + nested(element(4, b"abc")) + data, 0, test)[0] is found


def test_where_it_begins():
    fault = element(3, b"\x09\xff")
    assert holds(b"ab" + fault, Asn1(bitstring_overflow=True, offset=2))
    assert not holds(b"\x04\x7f" + fault, Asn1(bitstring_overflow=True))
    relative = Asn1(bitstring_overflow=True, offset=1, relative=True)
    assert holds(b"xxab-" + fault + b"c", Content(b"ab"), relative, Content(b"c"))
    assert not holds(b"xxab" + fault, Content(b"ab"), relative)
    assert holds(b"b" + fault, Asn1(bitstring_overflow=True, offset=7), base=6)
    assert not holds(fault, Asn1(bitstring_overflow=True, offset=-3, relative=True))


def test_elements_are_bounded():
    many = element(5, b"") * 1000 + element(3, b"\x09\xff")
    assert malicious(many, 0, BITS) == (False, MAX_ELEMENTS)
    assert malicious(b"\x30\x80" * 10_000, 0, BITS) == (False, MAX_ELEMENTS)


@pytest.mark.parametrize("test", [Asn1(), Asn1(oversize=5, offset=70_000), Asn1(relative=True)])
def test_what_makes_no_sense(test):
    with pytest.raises(RuleError):
        holds(b"", test)


WHOLE = st.builds(element, st.sampled_from([2, 3, 4, 9, 0x30, 0x84]), st.binary(max_size=6))
ODD = st.one_of(st.binary(max_size=3), st.sampled_from([b"\x30\x80", b"\x1f\x81\x01\x02", b"\x30\x82\x01\x00"]))


@given(st.lists(WHOLE | WHOLE | ODD, max_size=40).map(b"".join), st.integers(0, 20))
def test_nothing_raises_and_each_element_goes_on(data, at):
    starts = [found.start for found in elements(data, at)]
    assert starts == sorted(set(starts))
    assert malicious(data, at, EVERY)[1] <= MAX_ELEMENTS
