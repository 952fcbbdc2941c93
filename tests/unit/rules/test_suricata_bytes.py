import pytest
from suricatakit import matches, refused, rule, steps_of

from sensor.rules.nodes import (
    Asn1,
    Base64,
    BufferSize,
    ByteExtract,
    ByteJump,
    ByteMath,
    ByteTest,
    Content,
    IsDataAt,
)

HTTP = "alert http any any -> any any"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("byte_test:4,>,1000,20;", ByteTest(4, ">", 1000, 20)),
        ("byte_test:1,!&,0xF8,2,relative;", ByteTest(1, "&", 0xF8, 2, relative=True, negated=True)),
        ("byte_test:2,!=,7,0,little;", ByteTest(2, "!=", 7, 0, endian="little")),
        ("byte_test:2,!,7,-4;", ByteTest(2, "!=", 7, -4)),
        ("byte_extract:4,0,n,string;", ByteExtract(4, "n", 0, base="dec")),
        ("byte_test:5,<,255,0,string,hex;", ByteTest(5, "<", 255, 0, base="hex")),
        ("byte_test:0,<=,300,0,string,dec;", ByteTest(0, "<=", 300, 0, base="dec")),
        ("byte_test:2,=,568,0,bitmask 0x3FF0;", ByteTest(2, "=", 568, 0, bitmask=0x3FF0)),
        ("byte_jump:4,12,relative,multiplier 2,align;", ByteJump(4, 12, relative=True, multiplier=2, align=True)),
        ("byte_jump:2,0,little,post_offset -3;", ByteJump(2, 0, endian="little", post_offset=-3)),
        ("byte_jump:4,-10,from_beginning;", ByteJump(4, -10, from_beginning=True)),
        ("byte_jump:0,0,from_end,post_offset -8;", ByteJump(0, 0, from_end=True, post_offset=-8)),
        ("byte_extract:1,0,len;", ByteExtract(1, "len")),
        (
            "byte_extract:4,2,a.b,relative,multiplier 2,align 4,little;",
            ByteExtract(4, "a.b", 2, relative=True, multiplier=2, align=4, endian="little"),
        ),
        (
            "byte_math:bytes 4, offset 1, oper <<, rvalue 3, result n, relative, endian little, bitmask 0xff;",
            ByteMath(4, "n", "<<", 3, 1, relative=True, endian="little", bitmask=0xFF),
        ),
        (
            "byte_math:bytes 2, offset 0, oper -, rvalue 1, result n, string dec;",
            ByteMath(2, "n", "-", 1, base="dec"),
        ),
        ("isdataat:10;", IsDataAt(10)),
        ("isdataat:!1,relative;", IsDataAt(1, relative=True, negated=True)),
        ("bsize:10;", BufferSize("=", 10)),
        ("bsize:2<>10;", BufferSize("<>", 2, 10)),
        ("bsize:>=4;", BufferSize(">=", 4)),
    ],
)
def test_steps(options, expected):
    assert steps_of(options) == (expected,)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ("byte_test:4,>,1000;", "needs 4 values"),
        ("byte_test:9,>,1,0;", "out of range"),
        ("byte_test:0,>,1,0;", "out of range"),
        ("byte_test:4,~,1,0;", "unknown operator"),
        ("byte_test:4,>,1,0,dec;", "go together"),
        ("byte_test:4,>,1,0,hex;", "go together"),
        ("byte_test:4,>,x,0;", "nothing defines the variable 'x'"),
        ("byte_test:4,>,1,0,frobnicate;", "unknown option"),
        ("byte_extract:4,0,7up;", "is no name"),
        ("byte_extract:4,0,x,align 3;", "2 or 4"),
        ("byte_math:bytes 4,offset 0,oper %,rvalue 1,result x;", "unknown operator"),
        ("byte_math:bytes 4,offset 0,oper +,rvalue 1;", "needs 5 values"),
        ("isdataat:1,absolute;", "unknown option"),
        ("bsize:big;", "no number"),
        ("bsize:3<>4;", "nothing lies strictly between"),
        ('base64_data; content:"x";', "needs base64_decode"),
        ("base64_decode;", "nothing is said of the decoded bytes"),
        ('base64_decode:bytes x; base64_data; content:"x";', "no number"),
    ],
)
def test_refused_steps(options, why):
    assert any(why in message for message in refused(options))


def test_variables_reach_later_tests():
    found = steps_of('byte_extract:1,0,n; content:"x"; offset:n; byte_test:n,>,n,n; isdataat:n,relative;')
    assert found[1:] == (Content(b"x", offset="n"), ByteTest("n", ">", "n", "n"), IsDataAt("n", relative=True))


def test_variables_of_one_rule_are_unknown_to_the_next():
    rule("byte_extract:1,0,n;")
    assert "nothing defines" in refused("isdataat:n;")[0]


def test_a_variable_defined_in_a_buffer_that_is_judged_later_is_refused():
    options = 'http.uri; content:"a"; http.header; byte_extract:1,0,n; http.uri; content:"b"; offset:n;'
    assert "is defined behind the buffer" in refused(options, HTTP)[0]


def test_relative_tests_follow_the_last_test_into_its_buffer():
    (match,) = matches(rule('content:"a"; http_uri; isdataat:!1,relative;', HTTP))
    assert (match.buffer, len(match.tests)) == ("http.uri", 2)
    assert len(matches(rule('content:"a"; http_uri; isdataat:!1;', HTTP))) == 2


@pytest.mark.parametrize(
    ("value", "buffer", "expected"),
    [
        ("10", "http.uri", BufferSize("=", 10)),
        ("5<>10,raw", "http.uri.raw", BufferSize("<>", 5, 10)),
        ("<20,norm", "http.uri", BufferSize("<", 20)),
    ],
)
def test_urilen(value, buffer, expected):
    (match,) = matches(rule(f"urilen:{value};", HTTP))
    assert (match.buffer, match.tests) == (buffer, (expected,))


def test_urilen_does_not_change_the_selected_buffer():
    found = matches(rule('http.method; content:"GET"; urilen:>1; nocase;', HTTP))
    assert [m.buffer for m in found] == ["http.method", "http.uri"]
    assert found[0].tests == (Content(b"GET", nocase=True),)


def test_base64():
    decode = "base64_decode:bytes 8, offset 1, relative; base64_data;"
    (match,) = matches(rule(f'http.uri; content:"q="; {decode} content:"x"; nocase;', HTTP))
    assert match.tests == (Content(b"q="), Base64((Content(b"x", nocase=True),), 8, 1, relative=True))


@pytest.mark.parametrize(
    ("options", "test"),
    [
        ("bitstring_overflow", Asn1(bitstring_overflow=True)),
        ("double_overflow, oversize_length 2048", Asn1(double_overflow=True, oversize=2048)),
        ("oversize_length 5, absolute_offset 7", Asn1(oversize=5, offset=7)),
        ("bitstring_overflow,relative_offset -3", Asn1(bitstring_overflow=True, offset=-3, relative=True)),
    ],
)
def test_asn1(options, test):
    assert steps_of(f'content:"a"; asn1:{options};')[1:] == (test,)


@pytest.mark.parametrize("options", ["", "frob", "oversize_length 0", "double_overflow 5", "relative_offset 3",
                                     "oversize_length 5,absolute_offset 1,relative_offset 1"])  # fmt: skip
def test_asn1_that_is_refused(options):
    assert "keyword 'asn1'" in refused(f"asn1:{options};")[0]
