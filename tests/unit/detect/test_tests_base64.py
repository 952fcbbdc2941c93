import base64

import pytest
from judgekit import holds

from sensor.detect.evaluator.naive import compile_rule
from sensor.detect.evaluator.tests_base64 import decode
from sensor.errors import RuleError
from sensor.rules.nodes import Base64, BufferMatch, ByteTest, Content, Rule


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"", b""),
        (b"Zg==", b"f"),
        (b"Zm8=", b"fo"),
        (b"Zm9v", b"foo"),
        (b"Zm9vYg", b"foob"),
        (b"Zm9vYm;Fy", b"foob"),
        (b"Zm9vY", b"foo"),
        (b";", b""),
        (b"Zm9v\r\nYmFy", b"foo"),
        # What Suricata 7 makes of padding in odd places, and of the last letters in front of other text.
        (b"Zm8=Zm9v", b"fofoo"),
        (b"Zg==Zm9v", b"ffoo"),
        (b"Zg=", b"f\0"),
        (b"Z===", b""),
        (b"Zm9vZ;", b"food"),
        (b"Zm9vZg;", b"foof"),
        (b"Zm9v==", b"foo\0"),
        (b"=Zm9v", b"\x01\x99"),
    ],
)
def test_decode(text, expected):
    assert decode(text) == expected


@pytest.mark.parametrize("size", range(12))
def test_decode_is_the_inverse_of_encoding(size):
    data = bytes(range(250, 250 - size, -1))
    assert decode(base64.b64encode(data) + b" tail") == data


def rule(*tests):
    return Rule(sid=1, msg="", proto="tcp", body=BufferMatch("payload", tests))


def test_decodings_do_not_nest():
    with pytest.raises(RuleError, match="inside base64"):
        compile_rule(rule(Base64((Base64((Content(b"x"),)),))))


def test_variables_of_the_outer_tests_are_known_inside():
    with pytest.raises(RuleError, match="before it is extracted"):
        compile_rule(rule(Base64((ByteTest(1, "=", "n"),))))


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        (Base64((Content(b"role=admin"),), relative=True), True),
        (Base64((Content(b"role=admin", startswith=True, endswith=True),), relative=True), True),
        (Base64((Content(b"role=user"),), relative=True), False),
        (Base64((Content(b"admin"),), nbytes=8, relative=True), False),
        (Base64((Content(b"=admin"),), offset=4, relative=True), True),
        (Base64((Content(b"role"),)), False),
        (Base64((Content(b"role"),), offset=2), True),
        (Base64((Content(b"role"),), offset=99), False),
    ],
)
def test_tests_of_decoded_bytes(test, expected):
    data = b"t=" + base64.b64encode(b"role=admin") + b"; x"
    assert holds(data, Content(b"t="), test) is expected


def test_the_cursor_stays_and_earlier_matches_are_tried_again():
    data = b"t=!! t=" + base64.b64encode(b"admin") + b";"
    behind = Content(b"YWRt", distance=0, within=4)
    assert holds(data, Content(b"t="), Base64((Content(b"admin"),), relative=True), behind)
    assert not holds(data, Content(b"t="), Base64((Content(b"nobody"),), relative=True))
