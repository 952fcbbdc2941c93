import time

import pytest
from judgekit import holds

from sensor.detect.regex.pcre import NOTBOL, Pcre2Library, Regex, library
from sensor.detect.state.budget import BudgetExceededError, Meter
from sensor.errors import RuleError
from sensor.rules.nodes import Content
from sensor.rules.nodes import Regex as Pcre

FLAGS = [
    ("abc", "", b"xABC", False),
    ("abc", "i", b"xABC", True),
    ("^b", "", b"a\nb", False),
    ("^b", "m", b"a\nb", True),
    ("a.b", "", b"a\nb", False),
    ("a.b", "s", b"a\nb", True),
    ("a b # comment", "x", b"ab", True),
    ("b", "A", b"ab", False),
    ("a$", "", b"a\n", True),
    ("a$", "E", b"a\n", False),
    ("\\x00\\xff", "", b"\x00\xff", True),
    ("é", "", "é".encode(), True),
    ("a.b", "", "aéb".encode(), False),  # bytes, not characters
    ("\\w", "", b"\xe9", False),
]


@pytest.mark.parametrize(("pattern", "flags", "data", "expected"), FLAGS)
def test_flags(pattern, flags, data, expected):
    assert (Regex(pattern, flags).search(data) is not None) is expected


@pytest.mark.parametrize("flag", ["G", "U"])
def test_ungreedy(flag):
    assert Regex("a+").search(b"aaa") == (0, 3)
    assert Regex("a+", flag).search(b"aaa") == (0, 1)


def test_start_and_not_bol():
    regex = Regex("^a")
    assert regex.search(b"aa", 0) == (0, 1)
    assert regex.search(b"aa", 1) is None
    assert regex.search(b"aa", 0, NOTBOL) is None


def test_groups_and_anchoring():
    regex = Regex("(a)|(b)")
    assert regex.groups == 2
    assert regex.search(b"xb") == (1, 2)
    assert regex.group(1) is None
    assert regex.group(2) == (1, 2)
    assert regex.group(3) is None
    assert not regex.anchored
    assert Regex("^a").anchored
    assert not Regex("^a", "m").anchored


@pytest.mark.parametrize(("pattern", "message"), [("a(b", "offset 3"), ("[", "missing"), ("(*UTF)a", "UTF")])
def test_bad_patterns_say_where(pattern, message):
    with pytest.raises(RuleError, match=message):
        Regex(pattern)


def test_unknown_flag():
    with pytest.raises(RuleError, match="'Q'"):
        Regex("a", "Q")


@pytest.mark.parametrize("pattern", ["(a+)+$", "(?:a|aa)+$", "(.*.*)*b$"])
def test_catastrophic_patterns_are_cut_off(pattern):
    regex = Regex(pattern)
    begun = time.process_time()
    with pytest.raises(BudgetExceededError, match="limit"):
        regex.search(b"a" * 20_000 + b"b!")
    assert time.process_time() - begun < 1


def test_a_search_that_backtracks_is_charged():
    data = b"xy" * 500 + b"\n1"
    meter = Meter(1000)
    assert Regex("x[^\\n]{2}z").search(data, meter=meter) is None
    assert meter.left == 1000
    assert Regex("x.{0,50}y.{0,50}\\d").search(data, meter=meter) is None
    assert meter.left == 1000 - len(data) // 4
    with pytest.raises(BudgetExceededError, match="step"):
        Regex("x.{0,50}y.{0,50}\\d").search(data * 4, meter=meter)


def test_patterns_are_compiled_to_machine_code():
    before = library().jit_unavailable
    Regex("a[bc]+d")
    assert library().jit_unavailable == before


def test_a_library_of_its_own_with_another_limit():
    lib = Pcre2Library(match_limit=1_000_000)
    regex = Regex("a(b|c)*d", "", lib)
    data = b"a" + b"bc" * 3000
    assert regex.search(data + b"d") == (0, 6002)
    with pytest.raises(BudgetExceededError):
        Regex("a(?:b|c)*?d").search(data + b"!d" + data)
    regex.close()
    regex.close()
    lib.close()
    lib.close()


RELATIVE = [
    (b"User: abc", [Content(b"User: "), Pcre("^abc", relative=True)], True),
    (b"User: xabc", [Content(b"User: "), Pcre("^abc", relative=True)], False),
    (b"User: xabc", [Content(b"User: "), Pcre("abc", relative=True)], True),
    (b"abcUser: ", [Content(b"User: "), Pcre("abc", relative=True)], False),
    (b"abcUser: ", [Content(b"User: "), Pcre("abc")], True),
    (b"aXaY", [Content(b"a"), Pcre("^Y", relative=True)], True),  # the later content
    (b"a1b a2b", [Pcre("a\\d"), Content(b"b", within=1)], True),
    (b"a1c a2b", [Pcre("a\\d"), Content(b"b", within=1)], True),  # the later match of the regex
    (b"a1c a2c", [Pcre("a\\d"), Content(b"b", within=1)], False),
    (b"ab", [Pcre("x", negated=True)], True),
    (b"ab", [Pcre("b", negated=True)], False),
    (b"ab", [Content(b"a"), Pcre("^b", relative=True, negated=True)], False),
    (b"abac", [Content(b"a"), Pcre("^b", relative=True, negated=True), Content(b"c", within=1)], True),
    (b"a", [Content(b"a"), Pcre("^$", relative=True)], True),
    (b"", [Pcre("^$")], True),
    (b"xx", [Pcre("y*"), Content(b"x", within=1)], True),
]


@pytest.mark.parametrize(("data", "tests", "expected"), RELATIVE)
def test_in_a_chain(data, tests, expected):
    assert holds(data, *tests) is expected


def test_a_stream_window_does_not_begin_a_line():
    assert holds(b"GET", Pcre("^GET"))
    assert not holds(b"GET", Pcre("^GET"), base=7)
    assert holds(b"x\nGET", Pcre("^GET", "m"), base=7)
    assert holds(b"xGET", Content(b"x"), Pcre("^GET", relative=True), base=7)
    assert not holds(b"GET", Pcre("^GET", relative=True), base=7)
