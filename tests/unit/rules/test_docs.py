"""docs/rules.md is the whole language: its examples load, and it names every key."""

import re
from pathlib import Path

import jsonschema
import pytest
import yaml
from rulekit import unit

from sensor.proto.registry import PROTOCOLS
from sensor.rules import buffers, fields, header, schema
from sensor.rules.conditions import TRANSFORMS
from sensor.rules.lint import LINTS, lint
from sensor.rules.steps import STEPS
from sensor.rules.walk import leaves

DOCS = (Path(__file__).resolve().parents[3] / "docs/rules.md").read_text()
BLOCKS = re.findall(r"^```yaml\n(.*?)^```", DOCS, re.DOTALL | re.MULTILINE)
QUIET = frozenset({"no-example", "no-severity"})


@pytest.mark.parametrize("text", BLOCKS)
def test_examples_load_without_a_remark(text):
    found = unit(text)
    assert list(map(str, found.problems)) == []
    assert found.rules
    serious = [f for f in lint(found.rules, skip=QUIET) if f.code in ("unmatchable", "unset-bit", "no-direction")]
    assert [str(f) for f in serious if "login.form" not in f.message] == []
    jsonschema.Draft202012Validator(schema.schema()).validate(yaml.safe_load(text))


def test_examples_use_distinct_ids_and_most_of_the_language():
    rules = [rule for text in BLOCKS for rule in unit(text).rules]
    assert len({rule.sid for rule in rules}) == len(rules)
    assert len({type(leaf) for rule in rules for leaf in leaves(rule.body)}) == 5


def keys():
    for table in (header.RULE_KEYS, header.THRESHOLD.keys, header.EXAMPLE.keys, header.SUPPRESSION.keys):
        yield from (key.name for key in table)
    for kind in STEPS.values():
        yield from (key.name for key in getattr(kind, "inner", kind).keys)
    yield from header.FILE_KEYS
    yield from header.CORE_PROTOCOLS
    yield from TRANSFORMS
    for field in fields.FIELDS:
        values = field.names if not field.name.endswith(".event") else ()
        yield from (name for name in (field.name, *field.aliases, *values) if len(name) > 1)
    yield from buffers.CORE
    yield from (buffer.name for spec in PROTOCOLS for buffer in spec.buffers if "@" not in buffer.name)
    yield from (one.code for one in LINTS)


def documented(name):
    quoted = re.search(rf"`[^`\n]*(?<![\w.-]){re.escape(name)}(?![\w-])[^`\n]*`", DOCS)
    return quoted or f"{name}:" in "".join(BLOCKS)


def test_every_name_of_the_language_is_documented():
    names = sorted(set(keys()))
    assert len(names) > 700
    assert not [name for name in names if not documented(name)]


def test_aliases_of_fields_are_unique():
    for kind in fields.FIELDS:
        assert fields.BY_NAME[kind.name] is kind, kind.name
        assert not set(kind.aliases) & set(buffers.names()), kind.name
