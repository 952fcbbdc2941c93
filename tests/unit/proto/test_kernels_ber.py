import pytest
from jitkit import from_python

from sensor.proto import kernels_ber

behind_length = from_python(kernels_ber.behind_length)
inside = from_python(kernels_ber.inside)


@pytest.mark.parametrize(
    ("data", "found"),
    [(b"", 0), (b"\5", 1), (b"\x7f", 1), (b"\x80", -1), (b"\x81", 2), (b"\x84", 5), (b"\x85", -1), (b"\xff", -1)],
)
def test_lengths(data, found):
    assert behind_length(data, 0, len(data)) == found


@pytest.mark.parametrize(
    ("data", "found"), [(b"", 0), (b"\x31", -1), (b"\x30", 0), (b"\x30\5", 0), (b"\x30\5a", 2), (b"\x30\x82\1\0a", 4)]
)
def test_inside(data, found):
    assert inside(data, 0, len(data), 0x30) == found


def test_a_bad_length_is_no_element():
    assert inside(b"\x30\x80abc", 0, 5, 0x30) == -1
