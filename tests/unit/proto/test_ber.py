import pytest
from bermake import field, integer, tlv

from sensor.proto import ber
from sensor.proto.ber import Ber
from sensor.proto.reader import WireError


@pytest.mark.parametrize("size", [0, 1, 127, 128, 255, 256, 70000])
def test_lengths(size):
    cursor = Ber(tlv(4, b"x" * size) + integer(5))
    assert len(cursor.octets()) == size
    assert cursor.integer() == 5
    assert not cursor.more()


@pytest.mark.parametrize("value", [0, 1, -1, 127, 128, -129, 2**63, -(2**63)])
def test_integers(value):
    assert Ber(integer(value)).integer() == value


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x04",
        b"\x04\x05abcd",
        b"\x04\x80abcd\0\0",
        b"\x04\x85\0\0\0\0\1a",
        b"\x04\x84\xff\xff\xff\xffa",
        b"\x1f\x85\x01\0",
    ],
)
def test_what_leaves_the_bytes_is_refused(data):
    with pytest.raises(WireError):
        Ber(data).next()


@pytest.mark.parametrize("data", [tlv(2), tlv(2, b"1" * (ber.MAX_INTEGER + 1)), tlv(4, b"1")])
def test_no_integer(data):
    with pytest.raises(WireError):
        Ber(data).integer()


def test_inner_elements_stay_inside():
    inside = Ber(tlv(0x30, b"\x04\x03ab") + b"c").enter(ber.SEQUENCE)
    with pytest.raises(WireError):
        inside.next()


def test_find_skips_lower_tags_and_keeps_higher_ones():
    cursor = Ber(field(0, integer(1)) + field(2, integer(3)) + field(4, integer(5)))
    assert cursor.find(ber.context(1)) is None
    assert cursor.find(ber.context(2)).integer() == 3
    assert cursor.find(ber.context(3)) is None
    assert cursor.find(ber.context(4)).integer() == 5
    assert cursor.find(ber.context(5)) is None
    assert cursor.peek() == -1
