import pytest

from sensor.rules.problems import Problems
from sensor.rules.yamlio import MAX_DEPTH, Map, Scalar, Seq, describe, read


def parse(text):
    problems = Problems("f")
    return read(text, problems), [str(problem) for problem in problems.found()]


def test_keys_and_values_know_their_place():
    root, problems = parse('- a: 1\n  "b c": [x, "5"]\n')
    assert problems == []
    assert isinstance(root, Seq)
    item = root.items[0]
    assert isinstance(item, Map)
    key, value = item.items["b c"]
    assert (key.line, key.column, value.line, value.column) == (2, 3, 2, 10)
    assert [part.kind for part in value.items] == ["str", "str"]
    assert item.get("a").kind == "int"


@pytest.mark.parametrize(
    ("text", "kind"),
    [("yes", "str"), ("true", "bool"), ("010", "str"), ("0x1f", "int"), ("1:30", "str"), ("~", "null"), ("'5'", "str")],
)
def test_plain_scalars_have_the_kinds_of_yaml_1_2(text, kind):
    assert parse(text)[0].kind == kind


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: 1\nb: 2\na: 3", "f:3:1: key 'a' is given twice (first at line 1)"),
        ("a: &x 1", "f:1:4: anchors are not supported (use `defaults:` of the file)"),
        ("a: *x", "f:1:4: aliases are not supported (use `defaults:` of the file)"),
        ("a: !!python/object 1", "f:1:4: tags are not supported: tag:yaml.org,2002:python/object"),
        ("<<: {a: 1}", "f:1:1: merge keys are not supported (use `defaults:` of the file)"),
        ("[a, b]: 1", "f:1:1: a key must be text (quote the key)"),
        ("a: 1\n---\nb: 2", "f:2:1: a file holds one document (remove the `---`)"),
        ("é: \x07", "f:1:4: not YAML: unacceptable character #x0007: control characters are not allowed"),
        ("a: b: c", "f:1:5: not YAML: mapping values are not allowed in this context (quote text that holds ': ')"),
        ("a: \ud800", "f: not YAML: the text holds lone surrogates"),
    ],
)
def test_what_is_refused_is_named_with_its_place(text, problem):
    assert problem in parse(text)[1]


def test_all_duplicate_keys_are_reported():
    assert len(parse("a: 1\na: 2\nb: {c: 1, c: 2}")[1]) == 2


def test_nesting_has_a_limit():
    good, bad = "[" * MAX_DEPTH, "[" * (MAX_DEPTH + 1)
    assert parse(good + "]" * MAX_DEPTH)[1] == []
    assert "nested deeper" in parse(bad + "]" * (MAX_DEPTH + 1))[1][0]


def test_an_empty_text_is_nothing():
    assert parse("# only a comment\n") == (None, [])


def test_values_are_named_for_messages():
    assert describe(Scalar(1, 1, "", plain=True)) == "nothing"
    assert describe(Seq(1, 1, 0)) == "a list"
