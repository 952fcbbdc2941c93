"""An automaton never refuses what PCRE2 finds, and refuses what is plainly not there."""

import re

import numpy as np
import pytest
from effort import effort
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jitkit import from_python

from sensor.detect.regex import kernels_automata
from sensor.detect.regex.automata import Automata, automaton
from sensor.detect.regex.kernels_automata import BEGINS, FARTHEST, LED, PLACES
from sensor.detect.regex.pcre import Regex as Pcre
from sensor.detect.regex.regextree import tree
from sensor.detect.state.budget import BudgetExceededError
from sensor.errors import RuleError
from sensor.rules.nodes import Regex

may_match = from_python(kernels_automata.may_match)

_ATOMS = (
    "a", "b", "c", "\\n", "\\r", "\\x41", ".", "\\d", "\\D", "\\w", "\\s", "\\S", "[ab]", "[^a]", "[a-c\\n]",
    "[[:alpha:]]", "[]a]", "[^]a]",
    "\\.", "\\/", "{", "}", "\\b", "^", "$", "\\1", "(?=a)", "(?!b)", "(?<=a)", "(?<!a)", "(?i)",
    "\\K", "\\A", "\\z", "\\Z", "(?s)", "(?m)", "\\0", "\\012", "\\h", "\\N",
)  # fmt: skip
_TIMES = ("", "", "", "*", "+", "?", "*?", "++", "{2}", "{1,3}", "{0,2}", "{2,}", "{0}", "{70}", "{0,80}")
_OPENED = ("(", "(?:", "(?P<n>", "(?>", "(?i:", "(?|")


def _grouped(inner):
    return st.builds(lambda opened, text, times: f"{opened}{text}){times}", st.sampled_from(_OPENED), inner,
                     st.sampled_from(_TIMES))  # fmt: skip


def _chosen(inner):
    return st.lists(inner, min_size=1, max_size=4).map("".join) | st.lists(inner, min_size=2, max_size=3).map("|".join)


patterns = st.recursive(
    st.builds(lambda atom, times: atom + times, st.sampled_from(_ATOMS), st.sampled_from(_TIMES)),
    lambda inner: _grouped(inner) | _chosen(inner), max_leaves=12,
)  # fmt: skip
subjects = st.text(alphabet="abcABC1 \n\r./{}\x00", max_size=12).map(str.encode)


def accepts(test, data, start=0, first=0, last=None, **more):
    """Tell whether the automaton of a regex may match; None: it has none."""
    made = automaton(test, **more)
    if made is None:
        return None
    pool = Automata([made])
    end = len(data)
    if last is None:
        last = start if made.flags & BEGINS else end
    raw = np.frombuffer(data + b"\0", np.uint8)
    return bool(may_match(0, pool.table, pool.follow, pool.octets, pool.sets, raw, start, end, max(first, start), last))


def found(pattern, data, flags=""):
    """Tell whether PCRE2 finds a pattern; False as well where it is none, or takes too long."""
    try:
        return Pcre(pattern, flags).search(data) is not None
    except (RuleError, BudgetExceededError):
        return False


@settings(max_examples=effort(3000, 200))
@given(patterns, st.sets(st.sampled_from("imsAEG")).map(lambda f: "".join(sorted(f))), subjects)
@example("(?:a|^b)c", "", b"xac")
@example("a{70}$", "", b"a" * 71)
@example("(?i:a)[^b]", "", b"aB")
@example("a$\\n", "", b"a\n")
@example("(?m)a$", "", b"a\nb")
@example("^b", "m", b"a\nb")
@example("x|", "", b"")
def test_nothing_that_matches_is_refused(pattern, flags, data):
    if found(pattern, data, flags):
        assert accepts(Regex(pattern, flags), data) is not False


@settings(max_examples=effort(1000, 100))
@given(patterns, st.text(alphabet="abA1", min_size=1, max_size=3).map(str.encode), st.booleans(), subjects)
def test_behind_a_literal_neither(pattern, literal, nocase, data):
    """What begins at the end of a literal is one with it."""
    hits = re.finditer(b"(?=%s)" % re.escape(literal), data, re.IGNORECASE if nocase else re.NOFLAG)
    for hit in hits:
        if found("^" + pattern, data[hit.start() + len(literal) :]):
            test = Regex("^" + pattern, relative=True)
            got = accepts(test, data, first=hit.start(), last=hit.start(), behind=literal, nocase=nocase)
            assert got is not False


@settings(max_examples=effort(1000, 100))
@given(patterns, subjects)
def test_what_was_lower_case_for_the_regex(pattern, data):
    if found(pattern, data.lower()):
        assert accepts(Regex(pattern), data, folded=True) is not False


@pytest.mark.parametrize(
    ("pattern", "flags", "yes", "no"),
    [
        ("^/(?:login|news)\\.php$", "", b"/news.php", b"/news.php5"),
        ("^[A-F0-9]{8}/", "i", b"00ffaa99/", b"00ffaag9/"),
        ("User-Agent\\x3a[^\\r\\n]+?(?:MSIE|rv\\x3a11)", "", b"x\r\nUser-Agent: rv:11", b"User-Agent: a\r\nMSIE"),
        ("^Host", "m", b"a\r\nHost", b"a Host"),
        ("a.c", "", b"abc", b"a\nc"),
        ("a.c", "s", b"a\nc", b"ac"),
        ("(?:ab|cd){2}e", "", b"xabcde", b"xabe"),
        ("[0-9]+x", "", b"123x", b"123"),
        ("[^a-z]{3}\\.", "", b"ABC.", b"abC."),
    ],
)
def test_it_tells_where_a_pattern_cannot_match(pattern, flags, yes, no):
    assert accepts(Regex(pattern, flags), yes)
    assert accepts(Regex(pattern, flags), no) is False


@pytest.mark.parametrize(
    ("pattern", "flags", "first"),
    [
        ("\\x06\\x03[a-z]", "", (6, 3, 0)), ("Ab.", "i", (97, 98, 32)), ("A[b]?c", "", None), ("[ab]c", "", None),
        ("@[Bb]", "", (96, 98, 32)), ("ab", "", (97, 98, 0)), ("a", "", None), ("(?:ab|ac)", "", None),
    ],
)  # fmt: skip
def test_two_bytes_that_each_match_begins_with_are_looked_for_first(pattern, flags, first):
    test = Regex(pattern, flags)
    pool = Automata([automaton(test)])
    found = pool.table[0]
    assert bool(found["flags"] & LED) == (first is not None)
    if first is not None:
        assert (found["first"], found["second"], found["blur"]) == first
    for data in (b"\6\3x", b"aB!", b"abc", b"@bx", b"@B", b"ac", b"ab", b"`b", b"b"):
        for size in (0, 1, 31, 32, 33, 100):
            whole = b"." * size + data
            assert accepts(test, whole) == found_at_all(pattern, whole, flags)
            assert accepts(test, whole + b"." * 40) == found_at_all(pattern, whole + b"." * 40, flags)


def found_at_all(pattern, data, flags):
    return re.search(pattern.encode(), data, re.DOTALL | (re.IGNORECASE if "i" in flags else 0)) is not None


@pytest.mark.parametrize(
    "pattern",
    ["(?R)", "(a)(?1)", "(?(1)a|b)", "(*CRLF)a$", "\\Qa\\E", "a{,2}", "(?x)a b", "\\p{L}", "(?-i)a"],
)
def test_patterns_that_are_not_understood_have_no_tree(pattern):
    assert tree(pattern.encode(), "") is None


def test_a_group_that_stood_before_may_be_anything():
    assert accepts(Regex("(a|b)x\\1"), b"axq")
    assert accepts(Regex("(a|b)x\\1"), b"cx") is False


def test_a_match_begins_where_it_may():
    test = Regex("^b+c", relative=True)
    assert accepts(test, b"aaabbc", first=3, last=4)
    assert accepts(test, b"aaabbc", first=0, last=2) is False


def test_long_patterns_and_long_runs_are_looked_at_so_far():
    longer = "a" * (PLACES + 5)
    assert accepts(Regex(longer + "b"), longer.encode())
    assert accepts(Regex(longer + "b"), longer[:50].encode()) is False
    assert accepts(Regex("a[^b]*b"), b"a" * FARTHEST)
    assert accepts(Regex("a[^b]*b"), b"a" * (FARTHEST // 5)) is False


def test_what_matches_nothing_at_all_has_no_automaton():
    assert automaton(Regex("a*")) is None
    assert automaton(Regex("(?=a)")) is None
