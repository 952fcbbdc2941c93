import pytest
from judgekit import FakeContext, body_holds, holds

from sensor.detect.evaluator.tests_bytes import text_number
from sensor.errors import RuleError
from sensor.rules.nodes import (
    All,
    BufferMatch,
    BufferSize,
    ByteExtract,
    ByteJump,
    ByteMath,
    ByteTest,
    Content,
    IsDataAt,
)

A = Content(b"A")

BYTE_TEST = [
    (b"\x00\x10", ByteTest(2, "=", 16), True),
    (b"\x00\x10", ByteTest(2, "=", 4096, endian="little"), True),
    (b"\x00\x10", ByteTest(2, ">", 16), False),
    (b"\x00\x10", ByteTest(2, ">=", 16), True),
    (b"\x00\x10", ByteTest(2, "<=", 15), False),
    (b"\x00\x10", ByteTest(2, "!=", 16), False),
    (b"\x00\x10", ByteTest(2, "!", 15), True),
    (b"\x00\x10", ByteTest(1, "=", 16, offset=1), True),
    (b"\x00\x10", ByteTest(1, "=", 16, offset=2), False),
    (b"\x00\x10", ByteTest(1, "!=", 16, offset=2), False),  # not there: fails, negated or not
    (b"\x00\x10", ByteTest(1, "=", 0, offset=-1), False),
    (b"\xf0", ByteTest(1, "&", 0x80), True),
    (b"\x70", ByteTest(1, "&", 0x80), False),
    (b"\x70", ByteTest(1, "!&", 0x80), True),
    (b"\x70", ByteTest(1, "&", 0x80, negated=True), True),
    (b"\x70", ByteTest(1, "!<", 0x70), True),
    (b"\x07", ByteTest(1, "^", 7), False),
    (b"\x07", ByteTest(1, "^", 6), True),
    (b"H", ByteTest(1, "=", 9, bitmask=0xF8), True),
    (b"HT", ByteTest(2, "=", 0x90A, bitmask=0xF8F8), True),
    (b"42 ", ByteTest(3, "=", 42, base="dec"), True),
    (b"0x2a", ByteTest(4, "=", 42, base="hex"), True),
    (b"052", ByteTest(3, "=", 42, base="oct"), True),
    (b"x42", ByteTest(3, ">", 0, base="dec"), False),
]


@pytest.mark.parametrize(("data", "test", "expected"), BYTE_TEST)
def test_byte_test(data, test, expected):
    assert holds(data, test) is expected


def test_byte_test_relative_retries_content_and_leaves_the_cursor():
    assert holds(b"A\x01A\x02", A, ByteTest(1, "=", 2, relative=True))
    assert holds(b"A\x02", A, ByteTest(1, "=", 2, relative=True), Content(b"\x02", within=1))
    assert holds(b"\x02A", A, ByteTest(1, "=", 2, offset=-2, relative=True))
    assert holds(b"\x02", ByteTest(1, "=", 2, relative=True))


def test_byte_test_against_a_variable():
    assert holds(b"\x05\x05", ByteExtract(1, "v"), ByteTest(1, "=", "v", offset=1))
    assert not holds(b"\x05\x06", ByteExtract(1, "v"), ByteTest(1, "=", "v", offset=1))
    assert holds(b"\x01\x05", ByteExtract(1, "v"), ByteTest("v", "=", 5, offset=1))
    assert holds(b"\x00\x05", ByteExtract(1, "v"), ByteTest("v", "=", 0, offset=1))  # no bytes are 0, as in Suricata
    below_zero = ByteMath(1, "v", "-", 3, offset=3)
    assert holds(b"\x07x\x07\x01", below_zero, ByteTest(1, "=", 7, offset=0), ByteTest(1, "=", 7, "v", relative=True))
    assert not holds(b"\x07x\x07\x01", below_zero, ByteTest(1, "=", 7, "v"))


JUMP = [
    # the number is 2: behind it 2 bytes are skipped
    (b"\x02abcd", ByteJump(1), Content(b"cd", within=2), True),
    (b"\x02abcd", ByteJump(1), Content(b"bc", within=2), False),
    (b"\x02abcd", ByteJump(1, multiplier=2), Content(b"d", within=1), False),  # 5: not inside
    (b"\x01abcd", ByteJump(1, multiplier=2), Content(b"cd", within=2), True),
    (b"\x01abcdef", ByteJump(1, align=True), Content(b"ef", within=2), True),
    (b"\x04abcdef", ByteJump(1, align=True), Content(b"ef", within=2), True),
    (b"\x02abcd", ByteJump(1, post_offset=-1), Content(b"bc", within=2), True),
    (b"\x02abcd", ByteJump(1, from_beginning=True), Content(b"bc", within=2), True),
    (b"\x00abcd", ByteJump(1, from_end=True, post_offset=-2), Content(b"cd", within=2), True),
    (b"\x00abcd", ByteJump(0, post_offset=-99), Content(b"\x00a", within=2), True),  # held at the start
    (b"\x06abcd", ByteJump(1, from_beginning=True), IsDataAt(0), False),
    (b"\x05abcd", ByteJump(1, from_beginning=True), IsDataAt(1, relative=True, negated=True), True),  # to the end
    (b"\x04abcd", ByteJump(1, from_beginning=True), IsDataAt(1, relative=True), True),
    (b"abcd\x00\x02", ByteJump(2, offset=4, from_beginning=True), Content(b"cd", within=2), True),
    (b"\x02\x00abcd", ByteJump(2, endian="little"), Content(b"cd", within=2), True),
    (b"2 abcd", ByteJump(2, base="dec"), Content(b"bc", within=2), True),  # one byte of text used
    (b"\x28abcd", ByteJump(1, bitmask=0x30), Content(b"cd", within=2), True),
    (b"\x02", ByteJump(2), IsDataAt(0), False),
    (b"-2 abcd", ByteJump(2, base="dec"), Content(b"-2", within=2), True),  # back, which text may say
    (b"xxxx-3 ab", ByteJump(2, offset=4, base="dec"), Content(b"x-3", within=3), True),
    (b"\xff" * 8 + b"a", ByteJump(8, from_beginning=True), Content(b"\xff\xff", within=2), True),
]


@pytest.mark.parametrize(("data", "jump", "then", "expected"), JUMP)
def test_byte_jump(data, jump, then, expected):
    assert holds(data, jump, then) is expected


def test_byte_jump_to_the_end_checks_a_length_field():
    tests = ByteJump(1, from_beginning=True), IsDataAt(1, relative=True, negated=True)
    assert holds(b"\x05abcd", *tests)
    assert not holds(b"\x05abc", *tests)
    assert not holds(b"\x05abcde", *tests)


def test_byte_jump_relative():
    assert holds(b"xA\x01.y", A, ByteJump(1, relative=True), Content(b"y", within=1))
    assert holds(b"\x04xxAy", A, ByteJump(1, offset=-4, relative=True, from_beginning=True), Content(b"y", within=1))


def test_byte_extract_moves_the_cursor():
    assert holds(b"A\x02xyz", A, ByteExtract(1, "n", relative=True), Content(b"z", distance="n"))
    assert holds(b"\x00\x00\x07abc", ByteExtract(1, "n", offset=2), Content(b"a", within=1))
    assert holds(b"\x03.......12", ByteExtract(1, "n", multiplier=2, align=4), Content(b"12", offset="n"))


MATH = [
    ("+", 3, 15),
    ("-", 2, 10),
    ("*", 2, 24),
    ("/", 5, 2),
    ("<<", 2, 48),
    (">>", 2, 3),
    ("<<", 64, 0),
    (">>", 99, 0),
    ("-", 13, (1 << 64) - 1),
]


@pytest.mark.parametrize(("op", "operand", "result"), MATH)
def test_byte_math(op, operand, result):
    assert holds(b"\x0c" + result.to_bytes(8, "big"), ByteMath(1, "r", op, operand), ByteTest(8, "=", "r", offset=1))


def test_byte_math_division_by_zero_fails():
    assert not holds(b"\x0c\x00", ByteExtract(1, "d", offset=1), ByteMath(1, "r", "/", "d"))
    assert holds(b"\x0c\x01", ByteExtract(1, "d", offset=1), ByteMath(1, "r", "/", "d"))


def test_byte_math_mask_comes_last():
    assert holds(b"\x0f\x01", ByteMath(1, "r", "+", 1, bitmask=0x10), ByteTest(1, "=", "r", offset=1))


def test_variables_pass_to_the_next_buffer():
    body = All(
        (
            BufferMatch("ipv4.hdr", (ByteMath(1, "r", "<<", 2, offset=1),)),
            BufferMatch("tcp.hdr", (ByteTest(1, "=", "r", offset=1, relative=True),)),
        )
    )
    assert body_holds(body, FakeContext({"ipv4.hdr": b"\x45\x22", "tcp.hdr": b"\x00\x88"}))
    assert not body_holds(body, FakeContext({"ipv4.hdr": b"\x45\x22", "tcp.hdr": b"\x00\x89"}))


ISDATAAT = [
    (b"abc", [IsDataAt(2)], True),
    (b"abc", [IsDataAt(3)], False),
    (b"abc", [IsDataAt(3, negated=True)], True),
    (b"abA", [A, IsDataAt(1, relative=True)], False),
    (b"abA", [A, IsDataAt(1, relative=True, negated=True)], True),
    (b"abAc", [A, IsDataAt(1, relative=True)], True),
    (b"abAc", [A, IsDataAt(1, relative=True, negated=True)], False),
    (b"AbA", [A, IsDataAt(1, relative=True, negated=True)], True),  # the later A
    (b"A", [A, IsDataAt(0, relative=True)], True),
    (b"\x02ab", [ByteExtract(1, "n"), IsDataAt("n")], True),
    (b"\x03ab", [ByteExtract(1, "n"), IsDataAt("n")], False),
]


@pytest.mark.parametrize(("data", "tests", "expected"), ISDATAAT)
def test_isdataat(data, tests, expected):
    assert holds(data, *tests) is expected


BSIZE = [("=", 3, 0, True), ("=", 4, 0, False), ("<", 3, 0, False), ("<=", 3, 0, True), (">", 2, 0, True)]
BSIZE += [("!=", 3, 0, False), ("<>", 2, 4, True), ("<>", 3, 5, False), ("<>", 1, 3, False)]


@pytest.mark.parametrize(("op", "low", "high", "expected"), BSIZE)
def test_bsize(op, low, high, expected):
    assert holds(b"abc", BufferSize(op, low, high)) is expected


def test_bsize_matches_an_empty_buffer():
    assert holds(b"", BufferSize("=", 0))


STREAM = [
    (ByteTest(1, "=", 0x63, offset=2), True),  # b"cdef" from stream offset 2
    (ByteTest(1, "=", 0x61, offset=0), False),
    (IsDataAt(5), True),
    (IsDataAt(6), False),
    (ByteTest(1, "=", 0x63, relative=True), False),  # the start of the stream is out of sight
]


@pytest.mark.parametrize(("test", "expected"), STREAM)
def test_stream_windows(test, expected):
    assert holds(b"cdef", test, base=2) is expected


def test_jump_from_beginning_in_a_stream_window():
    jump = ByteJump(1, offset=2, from_beginning=True)
    assert holds(b"\x04d!f", jump, Content(b"!", within=1), base=2)
    assert holds(b"\x01d!f", jump, Content(b"!", within=4), base=2)  # in front of the window: the distance counts
    assert not holds(b"\x01d!f", jump, Content(b"!", within=3), base=2)
    assert holds(b"\x06d!f", jump, base=2)
    assert not holds(b"\x07d!f", jump, base=2)


TEXT = [
    (b"12ab", "dec", (12, 2)),
    (b"12ab", "hex", (0x12AB, 4)),
    (b" \t-1", "dec", (2**64 - 1, 4)),
    (b"+7", "oct", (7, 2)),
    (b"0x", "hex", (0, 1)),
    (b"0Xfg", "hex", (15, 3)),
    (b"8", "oct", None),
    (b"18446744073709551616", "dec", None),
    (b"1\x002", "dec", (1, 1)),
    (b"", "dec", None),
]


@pytest.mark.parametrize(("data", "base", "expected"), TEXT)
def test_text_numbers_are_read_like_strtoull(data, base, expected):
    assert text_number(data, base) == expected


BAD = [
    (ByteTest(9, "=", 1), "bytes"),
    (ByteTest(0, "=", 1), "bytes"),
    (ByteTest(24, "=", 1, base="dec"), "bytes"),
    (ByteTest(1, "~", 1), "operator"),
    (ByteTest(1, "=", 1, endian="middle"), "endianness"),
    (ByteTest(1, "=", 1, base="binary"), "base"),
    (ByteTest(1, "=", "nobody"), "before it is extracted"),
    (ByteMath(1, "r", "%", 1), "operator"),
    (BufferSize("~", 1), "operator"),
]


@pytest.mark.parametrize(("test", "message"), BAD)
def test_senseless_tests_are_refused(test, message):
    with pytest.raises(RuleError, match=message):
        holds(b"", test)
