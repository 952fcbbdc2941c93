"""Which transaction rules are judged: those of the stage whose literal stands in its buffer, in their order."""

from types import MappingProxyType

import msgspec
import pytest
from effort import effort
from hypothesis import given, settings
from hypothesis import strategies as st

from sensor.detect.evaluator.buffermatch import FEW, Matcher, TransactionIndex
from sensor.detect.evaluator.context import Window
from sensor.detect.kept import packed, unpacked
from sensor.detect.ruleplan import TX, RulePlan
from sensor.rules.nodes import All, BufferMatch, Content, Rule

LETTERS = st.lists(st.sampled_from(b"aB.\\*[\0\xff"), min_size=1, max_size=4).map(bytes)
NUMBERS = st.lists(st.integers(0, 30), min_size=1, max_size=3)
TABLES = st.dictionaries(LETTERS.map(bytes.lower), NUMBERS, max_size=2 * FEW)
TEXTS = st.lists(st.sampled_from(b"aAbB.\\*[\0\xff"), max_size=12).map(bytes)


@settings(deadline=None, max_examples=effort(60, 20))
@given(TABLES, st.lists(TEXTS, min_size=1, max_size=3))
def test_a_matcher_finds_what_a_plain_search_finds(table, texts):
    """With few literals it looks for one after the other, with many it has a database: the same is found."""
    matcher = Matcher(table)
    assert (not matcher._octets) == (len(table) <= FEW)
    for text in texts:
        found = {99}
        matcher.search(Window(text), found)
        assert found == {99, *(n for literal, rules in table.items() if literal in text.lower() for n in rules)}


@pytest.mark.parametrize("more", [0, FEW])
def test_letters_beyond_ascii_have_one_case(more):
    matcher = Matcher({b"\xe4\xc4": [1], **{b"filler%d" % n: [9] for n in range(more)}})
    for text, wanted in ((b"\xe4\xc4", {1}), (b"\xe4\xe4", set()), (b"\xc4\xc4", set())):
        found = set()
        matcher.search(Window(text), found)
        assert found == wanted


HTTP, DNS = 2, 3


def plan(number, *nodes, app=HTTP, stage=0, files=False):
    return RulePlan(number, Rule(number + 1, "", "http", All(nodes)), TX, app, stage, files=files)


def has(buffer, pattern, **more):
    return BufferMatch(buffer, (Content(pattern, **more),))


def chosen(index, buffers=MappingProxyType({}), *, app=HTTP, stage=0, file=False):
    windows = {name: [Window(text) for text in texts] for name, texts in buffers.items()}
    return sorted(index.candidates(app, stage, lambda name: windows.get(name, ()), file=file))


@pytest.fixture
def index():
    return TransactionIndex([
        plan(0, has("http.uri", b"/Admin")),
        plan(1, has("http.host", b"evil"), has("http.uri", b"x")),
        plan(2),
        plan(3, has("http.uri", b"gone", negated=True)),
        plan(4, has("http.uri", b"/admin"), has("file.name", b"exe"), files=True),
        plan(5, has("http.uri", b"/admin"), stage=1),
        plan(6, has("dns.query", b"evil"), app=DNS),
    ], 7)  # fmt: skip


def test_rules_without_a_literal_are_always_judged(index):
    assert chosen(index) == [2, 3]


def test_any_instance_of_the_buffer_will_do(index):
    assert chosen(index, {"http.uri": [b"/", b"/ADMIN/"]}) == [0, 2, 3, 4]
    assert chosen(index, {"http.host": [b"EVIL.example"]}) == [1, 2, 3]
    assert chosen(index, {"http.host": [b"/admin"]}) == [2, 3]


def test_stages_and_protocols_are_apart(index):
    assert chosen(index, {"http.uri": [b"/admin"]}, stage=1) == [5]
    assert chosen(index, {"dns.query": [b"evil"]}, app=DNS) == [6]
    assert chosen(index, {"http.uri": [b"/admin"]}, stage=2) == []


def test_of_a_file_only_rules_about_files_are_judged(index):
    assert chosen(index, {"http.uri": [b"/admin"]}, file=True) == [4]
    assert chosen(index, {}, file=True) == []
    assert index.everything(HTTP, 0, file=True) == (4,)
    assert index.everything(HTTP, 0, file=False) == (0, 1, 2, 3, 4)
    assert index.everything(DNS, 1, file=False) == ()


def test_a_rule_may_be_judged_at_two_stages():
    both = msgspec.structs.replace(plan(0, has("http.uri", b"/admin")), again=2)
    index = TransactionIndex([both, plan(1, stage=2)], 2)
    assert [chosen(index, {"http.uri": [b"/admin"]}, stage=n) for n in range(3)] == [[0], [], [0, 1]]
    assert [index.among(HTTP, n, (0, 1), file=False) for n in range(3)] == [{0}, set(), {0, 1}]


def test_of_some_rules_those_of_a_stage_are_taken(index):
    assert index.among(HTTP, 0, (0, 4, 5, 6), file=False) == {0, 4}
    assert index.among(HTTP, 0, (0, 4, 5, 6), file=True) == {4}
    assert index.among(HTTP, 2, (0, 4), file=True) == set()


def test_a_literal_stands_for_rules_of_all_stages(index):
    assert index.standing(HTTP, "http.uri", [Window(b"/ADMIN")]) == {0, 4, 5}
    assert index.standing(HTTP, "http.host", [Window(b"evil")]) == {1}
    assert index.standing(DNS, "http.uri", [Window(b"/admin")]) == set()


def test_written_down_and_had_back_it_chooses_the_same():
    plans = [plan(n, has("http.uri", b"/path-%02d" % n)) for n in range(4 * FEW)]
    made = TransactionIndex([*plans, plan(4 * FEW, has("http.host", b"few"))], 4 * FEW + 1)
    octets = msgspec.msgpack.encode(made, enc_hook=packed)
    back = msgspec.msgpack.decode(octets, type=TransactionIndex, dec_hook=unpacked)
    for n in range(4 * FEW):
        buffers = {"http.uri": [b"/PATH-%02d?" % n]}
        assert chosen(made, buffers) == chosen(back, buffers) == [n]
    assert chosen(back, {"http.host": [b"a FEW"]}) == [4 * FEW]
