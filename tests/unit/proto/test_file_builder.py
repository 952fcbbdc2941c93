import hashlib
import itertools
import random

import pytest

from sensor.proto import files
from sensor.proto.files import FileBuilder

DATA = bytes(random.Random(4).randbytes(5000))


def pieces(data, cuts):
    edges = [0, *sorted(cuts), len(data)]
    return [(a, data[a:b]) for a, b in itertools.pairwise(edges)]


@pytest.mark.parametrize("limit", [100, 4999, 5000, 6000])
def test_a_file_in_order_keeps_its_head_and_hashes_all_of_it(limit):
    builder = FileBuilder(b"a.bin", limit)
    for _, piece in pieces(DATA, [1, 2, 99, 100, 101, 3000]):
        builder.add(piece)
    info = builder.close()
    assert (info.name, info.data, info.size, info.complete) == (b"a.bin", DATA[:limit], 5000, True)
    for name in ("md5", "sha1", "sha256"):
        assert info.buffer(f"file.{name}") == (hashlib.new(name, DATA).hexdigest().encode(),)
    assert info.buffer("file.size") == (b"\0\0\0\0\0\0\x13\x88",)


@pytest.mark.parametrize("seed", range(20))
def test_pieces_in_any_order_with_overlaps_give_the_same_file(seed):
    rnd = random.Random(seed)
    parts = pieces(DATA, rnd.sample(range(1, 5000), 20))
    parts += [(a, DATA[a : a + rnd.randrange(1, 300)]) for a in rnd.sample(range(5000), 5)]
    rnd.shuffle(parts)
    builder = FileBuilder(limit=1000)
    for offset, piece in parts:
        builder.put(offset, piece)
    info = builder.close()
    assert (info.data, info.size, info.complete) == (DATA[:1000], 5000, True)
    assert info.digest("sha256") == hashlib.sha256(DATA).hexdigest().encode()


def test_the_first_copy_of_a_byte_counts():
    builder = FileBuilder()
    builder.put(0, b"abcd")
    builder.put(2, b"XXef")
    assert builder.close().data == b"abcdef"


def test_lost_bytes_end_what_rules_see_and_leave_no_hash():
    builder = FileBuilder()
    builder.add(b"before")
    builder.gap(10)
    builder.add(b"behind")
    info = builder.close()
    assert (info.data, info.size, info.complete) == (b"before", 22, False)
    assert info.buffer("file.md5") == ()


def test_a_file_whose_end_was_not_seen_is_incomplete():
    builder = FileBuilder()
    builder.add(b"x")
    assert not builder.close(ended=False).complete


def test_what_waits_is_bounded():
    many = FileBuilder()
    for i in range(1, 10 * files.MAX_PIECES):
        many.put(2 * i, b"x")
    assert len(many._waiting) == files.MAX_PIECES
    assert not many.sound
    big = FileBuilder()
    for i in range(1, 20):
        big.put(i * 200_000, bytes(190_000))
    assert big._waiting_bytes <= files.MAX_WAITING
    assert not big.close().complete
