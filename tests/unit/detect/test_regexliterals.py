"""Literals of a regex: each match holds them, in this order and not overlapping."""

import re

import pytest
from effort import effort
from hypothesis import given, settings
from hypothesis import strategies as st

from sensor.detect.regex import pcre
from sensor.detect.regex.regexliterals import literals
from sensor.detect.state.budget import Meter

PIECES = (
    "a", "b", "\\x61", "\\.", "\\-", "\\n", ".", "^", "$", "[ab]", "[^]b]", "[]a]", "[a\\]b]", "[[:alpha:]b]", "\\d",
    "\\w", "\\b", "\\s", "(a|b)", "(?:ab)", "(a(b)[)]?)", "(?=a)", "(?!b)", "(?<=a)", "(?i:ab)", "é",
    "]", "}", "-",
)  # fmt: skip
TIMES = ("", "", "", "*", "+", "?", "{0}", "{2}", "{0,2}", "{1,}", "+?", "*?", "++", "??", "{1,2}?")
patterns = st.lists(st.tuples(st.sampled_from(PIECES), st.sampled_from(TIMES)), min_size=1, max_size=6).map(
    lambda parts: "".join(
        piece if piece in ("^", "$", "\\b", "(?=a)", "(?!b)", "(?<=a)") else piece + times for piece, times in parts
    )
)
subjects = st.lists(st.sampled_from(("a", "b", "A", ".", "-", "\n", "1", "]", "}", "é", " ")), max_size=14).map("".join)


def in_order(found, text):
    at = 0
    for one in found:
        at = text.find(one, at)
        if at < 0:
            return False
        at += len(one)
    return True


@settings(max_examples=effort(1500, 200), deadline=None)
@given(patterns, subjects, st.booleans())
def test_a_match_holds_the_literals_in_order(pattern, subject, fold):
    text = subject.encode()
    found = pcre.Regex(pattern, "i" if fold else "").search(text, 0, 0, Meter(1 << 20))
    if found is None:
        return
    members = literals(pattern.encode())
    assert in_order([one.lower() for one in members] if fold else members, text.lower() if fold else text)


@settings(max_examples=effort(200, 65), deadline=None)
@given(st.data())
def test_what_is_made_of_a_pattern_holds_its_literals(data):
    pattern = data.draw(
        st.sampled_from((rb"ab+c.*[xy]d?e{2,3}f", rb"^\x00.{2}GET (a|b) HTTP\n", rb"\[[^]]+\]=(?:a|)z"))
    )
    assert literals(pattern)
    assert in_order(literals(pattern), data.draw(st.from_regex(re.compile(pattern, re.DOTALL))))


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        (rb"a+b.*cd?[x]e(f|g)", [b"a", b"b", b"c", b"e"]),
        (rb"^\x3c\x2a[\x20-\x7e]+\x60\x2a$", [b"<*", b"`*"]),
        (rb"ab{0}c{3}d", [b"a", b"c", b"d"]),
        (rb"user-agent\x3a\s", [b"user-agent:"]),
        (rb"a]b}c", [b"a]b}c"]),
    ],
)
def test_literals_of_a_pattern(pattern, found):
    assert literals(pattern) == found


@pytest.mark.parametrize(
    "pattern",
    [
        rb"a|b", rb"(?i)abc", rb"a\1234", rb"\Qa+\E", rb"ab(?#x)c", rb"(a(?#))b)c", rb"(?x: a # )\n)b", rb"a\c(b",
        rb"ab\x{41}", rb"\x4", rb"a{,3}b", rb"(*UTF)ab", rb"a(bc", rb"a[bc", rb"\p{Lu}ab", rb"a{2}{3}", b"a" * 5000,
    ],
)  # fmt: skip
def test_of_what_is_not_understood_nothing_is_said(pattern):
    assert literals(pattern) == []
