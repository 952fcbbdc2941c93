import pytest

from sensor.errors import SensorError
from sensor.proto.reader import Reader, WireError


def test_reads_big_endian_and_moves():
    r = Reader(bytes(range(1, 19)))
    assert (r.u8(), r.u16(), r.u24(), r.u32(), r.u64()) == (
        1,
        0x0203,
        0x040506,
        0x0708090A,
        0x0B0C0D0E0F101112,
    )
    assert r.left() == 0
    assert r.rest() == b""


@pytest.mark.parametrize(("name", "size"), [("u8", 1), ("u16", 2), ("u24", 3), ("u32", 4), ("u64", 8)])
def test_short_reads_raise_with_offset_and_do_not_move(name, size):
    r = Reader(b"\0" * (size + 3), pos=4)
    with pytest.raises(WireError) as caught:
        getattr(r, name)()
    assert caught.value.offset == 4
    assert isinstance(caught.value, SensorError)
    assert r.pos == 4


def test_take_skip_restrict():
    r = Reader(b"abcdefgh")
    assert r.take(2) == b"ab"
    r.skip(1)
    sub = r.restrict(3)
    assert (sub.pos, sub.end, r.pos) == (3, 6, 6)
    assert sub.rest() == b"def"
    with pytest.raises(WireError):
        sub.u8()
    assert r.rest() == b"gh"


@pytest.mark.parametrize("count", [-1, 9])
def test_no_length_escapes_the_bounds(count):
    for name in ("take", "skip", "restrict", "uint"):
        r = Reader(b"abcdefgh")
        with pytest.raises(WireError):
            getattr(r, name)(count)
        assert r.pos == 0


def test_constructor_clamps_to_the_data():
    assert Reader(b"abc", 1, 99).rest() == b"bc"
    assert Reader(b"abc", 7).left() == 0
    assert Reader(b"abc", 2, 1).left() == 0
    assert Reader(b"abc", -5, -1).left() == 0
