import pytest
from judgekit import FakeContext, body_holds, holds

from sensor.errors import RuleError
from sensor.rules.nodes import BufferMatch, ByteExtract, ByteMath, Content, IsDataAt

GET = b"GET /index.html HTTP/1.1"

CASES = [
    # plain, nocase, negated
    (b"abcdef", [Content(b"cd")], True),
    (b"abcdef", [Content(b"CD")], False),
    (b"abCdef", [Content(b"cD", nocase=True)], True),
    (b"ab\xc9", [Content(b"\xe9", nocase=True)], False),
    (b"abcdef", [Content(b"x", negated=True)], True),
    (b"abcdef", [Content(b"C", nocase=True, negated=True)], False),
    (b"", [Content(b"a")], False),
    (b"", [Content(b"a", negated=True)], True),
    (b"a\x00b", [Content(b"\x00b")], True),
    # depth: the whole pattern lies in the first bytes
    (b"abcdef", [Content(b"cd", depth=4)], True),
    (b"abcdef", [Content(b"cd", depth=3)], False),
    (b"abcdef", [Content(b"cd", depth=3, negated=True)], True),
    (b"abcdef", [Content(b"ab", depth=2)], True),
    # offset, and depth counted from it
    (b"abcabc", [Content(b"abc", offset=1)], True),
    (b"abcabc", [Content(b"abc", offset=4)], False),
    (b"abcdef", [Content(b"def", offset=3, depth=3)], True),
    (b"abcdef", [Content(b"def", offset=2, depth=3)], False),
    (b"abcdef", [Content(b"a", offset=9)], False),
    (b"abcdef", [Content(b"a", offset=9, negated=True)], True),
    (b"abcdef", [Content(b"f", offset=3, depth=99)], True),
    # startswith, endswith
    (GET, [Content(b"GET ", startswith=True)], True),
    (GET, [Content(b"/index", startswith=True)], False),
    (GET, [Content(b"/index", startswith=True, negated=True)], True),
    (GET, [Content(b"HTTP/1.1", endswith=True)], True),
    (GET, [Content(b"HTTP/1", endswith=True)], False),
    (b"abab", [Content(b"ab", endswith=True)], True),
    (b"www.google.com", [Content(b".google.com", endswith=True, negated=True)], False),
    (b"www.google.com.evil", [Content(b".google.com", endswith=True, negated=True)], True),
    (b"GET", [Content(b"GET", startswith=True, endswith=True)], True),
    (b"GET GET", [Content(b"GET", startswith=True, endswith=True)], False),
    (b"ab", [Content(b"xab", endswith=True)], False),
    (b"aab", [Content(b"a"), Content(b"b", endswith=True, within=1)], True),
    # distance: counted from the end of the last match
    (b"abcdef", [Content(b"ab"), Content(b"cd", distance=0)], True),
    (b"abcdef", [Content(b"ab"), Content(b"cd", distance=1)], False),
    (b"abXcd", [Content(b"ab"), Content(b"cd", distance=1)], True),
    (b"abcd", [Content(b"cd"), Content(b"ab", distance=0)], False),
    (b"abcd", [Content(b"cd"), Content(b"ab", distance=-4)], True),
    (b"abcd", [Content(b"cd"), Content(b"ab", distance=-3)], False),
    (b"abcd", [Content(b"ab"), Content(b"ab", distance=-99)], True),
    (b"abcd", [Content(b"ab"), Content(b"ab", distance=-3)], True),
    # within: the whole pattern lies in that many bytes
    (b"abXXcd", [Content(b"ab"), Content(b"cd", within=4)], True),
    (b"abXXcd", [Content(b"ab"), Content(b"cd", within=3)], False),
    (b"abXXcd", [Content(b"ab"), Content(b"cd", distance=2, within=2)], True),
    (b"abXXcd", [Content(b"ab"), Content(b"cd", distance=1, within=2)], False),
    (b"AllWorkADullBoy", [Content(b"AllWork"), Content(b"DullBoy", distance=1, within=7)], True),
    (b"abXXcd", [Content(b"cd"), Content(b"ab", distance=-6, within=2)], True),
    (b"abXXcd", [Content(b"ab", within=2)], True),
    (b"XabXcd", [Content(b"ab", within=2)], False),
    # relative negation: only the region counts, the cursor stays
    (b"Host: a\r\nX: b", [Content(b"Host:"), Content(b"b", within=4, negated=True)], True),
    (b"Host: a\r\nX: b", [Content(b"Host:"), Content(b"a", within=4, negated=True)], False),
    (b"ab", [Content(b"ab"), Content(b"c", distance=5, negated=True)], True),
    (b"abXcd", [Content(b"ab"), Content(b"Z", distance=0, negated=True), Content(b"X", within=1)], True),
    # a later occurrence of an earlier content serves
    (b"ab__ab12", [Content(b"ab"), Content(b"12", within=2)], True),
    (b"a1a2a3b", [Content(b"a"), Content(b"3", within=1), Content(b"b", within=1)], True),
    (b"aaab", [Content(b"aa"), Content(b"b", within=1)], True),
    (b"ax ay az", [Content(b"a"), Content(b"x", within=1, negated=True), Content(b"z", distance=0)], True),
    (b"ax ax", [Content(b"a"), Content(b"x", within=1, negated=True)], False),
    (b"a-b-c a-b+c", [Content(b"a"), Content(b"b", distance=0), Content(b"+c", within=2)], True),
    # a later absolute content starts afresh
    (b"abcd", [Content(b"cd"), Content(b"ab")], True),
    (b"cdab", [Content(b"cd"), Content(b"ab"), Content(b"cd", distance=0)], False),
    # offset and distance on one content: both hold
    (b"a_a_a", [Content(b"a"), Content(b"a", distance=0, offset=3)], True),
    (b"a_a_b", [Content(b"a"), Content(b"a", distance=0, offset=3)], False),
]


@pytest.mark.parametrize(("data", "tests", "expected"), CASES)
def test_contents(data, tests, expected):
    assert holds(data, *tests) is expected


STREAM = [
    # window b"cdef" begins at stream offset 2
    ([Content(b"cd")], True),
    ([Content(b"cd", offset=2)], True),
    ([Content(b"cd", offset=3)], False),
    ([Content(b"de", depth=5)], True),
    ([Content(b"de", depth=4)], False),
    ([Content(b"cd", startswith=True)], False),
    ([Content(b"cd", depth=2)], False),
    ([Content(b"ef", endswith=True)], True),
    ([Content(b"cd", within=4)], True),
    ([Content(b"cd", within=3)], False),
    ([Content(b"cd"), Content(b"ef", within=2)], True),
    ([Content(b"zz", depth=2, negated=True)], False),  # the region is out of sight: nothing can be said
    ([Content(b"zz", depth=3, negated=True)], True),
    ([Content(b"cd", offset=3, negated=True)], True),
]


@pytest.mark.parametrize(("tests", "expected"), STREAM)
def test_offsets_count_from_the_start_of_the_stream(tests, expected):
    assert holds(b"cdef", *tests, base=2) is expected


def test_variables_place_contents():
    size = ByteExtract(1, "size")
    assert holds(b"\x02abcd", size, Content(b"cd", offset="size"))
    assert not holds(b"\x04abcd", size, Content(b"cd", offset="size"))
    assert holds(b"\x02abcd", size, Content(b"ab", within="size"))
    assert not holds(b"\x01abcd", size, Content(b"ab", within="size"))
    assert holds(b"\x02abcd", size, Content(b"cd", distance="size"))
    assert holds(b"\x03abcd", size, Content(b"ab", depth="size"))
    assert not holds(b"\x02abcd", size, Content(b"ab", depth="size"))
    below_zero = ByteMath(1, "size", "-", 4)
    assert holds(b"\x02abcd", below_zero, Content(b"d"), Content(b"cd", distance="size"))
    assert holds(b"\x02abcd", below_zero, Content(b"ab", depth="size"))
    assert not holds(b"\x02abcd", below_zero, Content(b"ab", offset="size"))


def test_variables_bind_anew_on_retry():
    tests = Content(b"L"), ByteExtract(1, "n", relative=True), Content(b"!", distance="n", within=1)
    assert holds(b"L\x05..L\x02xy!", *tests)
    assert not holds(b"L\x05..L\x03xy!", *tests)


def test_a_negated_content_in_between_ends_the_search_for_another_place():
    short = IsDataAt(2, relative=True, negated=True)
    assert holds(b"a..a.", Content(b"a"), short)
    assert not holds(b"a..a.", Content(b"a"), Content(b"b", negated=True), short)
    assert holds(b"a..a.", Content(b"a"), Content(b"b", negated=True, within=9), short)


def test_folded_buffer_matches_as_nocase():
    ctx = FakeContext({"http.host": b"evil.example", "http.uri": b"/evil"})
    upper = Content(b"EVIL")
    assert body_holds(BufferMatch("http.host", (upper,)), ctx, folded=("http.host",))
    assert not body_holds(BufferMatch("http.uri", (upper,)), ctx, folded=("http.host",))


def test_empty_content_is_refused():
    with pytest.raises(RuleError, match="empty"):
        holds(b"", Content(b""))
