from capture_forge import collect

from sensor.capture.memory import POISON, MemorySource

FRAMES = [(10, b"one"), (20, b""), (30, b"three")]


def test_frames_come_back_in_blocks():
    source = MemorySource(FRAMES, 101, block_packets=2, source="m", wirelens=[3, 0, 99])
    assert collect(source) == [
        ("m", 1, 10, 3, 101, b"one"),
        ("m", 2, 20, 0, 101, b""),
        ("m", 3, 30, 99, 101, b"three"),
    ]


def test_no_frames_no_blocks():
    assert collect(MemorySource([])) == []


def test_columns_have_the_types_of_the_contract():
    (block,) = MemorySource(FRAMES).blocks()
    kinds = [getattr(block, c).dtype.name for c in ("buf", "off", "caplen", "wirelen", "ts", "linktype")]
    assert kinds == ["uint8", "int64", "int32", "int32", "int64", "uint16"]
    assert not block.buf.flags.writeable


def test_a_released_block_is_poison():
    blocks = MemorySource(FRAMES, block_packets=2).blocks()
    first = next(blocks)
    assert first.buf[first.off[0]] == ord("o")
    second = next(blocks)
    assert set(first.buf.tolist()) == {POISON}
    assert second.buf[second.off[0]] == ord("t")


def test_bytes_beside_a_frame_are_poison():
    (block,) = MemorySource(FRAMES).blocks()
    for off, length in zip(block.off, block.caplen, strict=True):
        assert block.buf[off - 1] == POISON
        assert block.buf[off + length] == POISON
