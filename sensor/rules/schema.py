"""The JSON Schema of rule files, made from the tables that the loader reads by.

`rule.schema.json` beside this module is the published copy: editors read it; a test holds it current.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sensor.rules import buffers, header
from sensor.rules.conditions import BY_KEY, FIELD_KINDS, TRANSFORM_LIST
from sensor.rules.fields import FIELDS
from sensor.rules.record import object_schema
from sensor.rules.steps import STEP_LIST, STEPS

PUBLISHED = Path(__file__).with_name("rule.schema.json")
_ID = "https://xensor.invalid/rule.schema.json"


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/$defs/{name}"}


def _subjects() -> dict[str, Any]:
    """Return what a condition may be about: name → schema of its value."""
    out: dict[str, Any] = {}
    conditions = {"type": "array", "items": _ref("condition")}
    out["all"] = conditions | {"description": "every condition holds"}
    out["any"] = conditions | {"minItems": 1, "description": "at least one condition holds"}
    out["not"] = {"anyOf": [_ref("condition"), conditions], "description": "the condition does not hold"}
    out |= {name: kind.schema() for name, (_, kind) in BY_KEY.items()}
    name = {"enum": list(buffers.names())}
    out["present"] = name | {"description": "the buffer exists"}
    out["absent"] = name | {"description": "the buffer does not exist"}
    for field in FIELDS:
        for alias in (field.name, *field.aliases):
            out[alias] = {"description": field.help, "$ref": f"#/$defs/field:{field.name}"}
    for buffer in buffers.names():
        out[buffer] = {"description": _help(buffer), "$ref": "#/$defs/tests"}
    out["transforms"] = TRANSFORM_LIST.schema()
    return out


def _help(buffer: str) -> str:
    found = buffers.find(buffer) or buffers.find(buffers.base(buffer))
    return found[1].help if found else buffers.CORE[buffer]


def schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a rule file."""
    rules = {"type": "array", "items": _ref("rule")}
    defaults = [key for key in header.RULE_KEYS if key.name not in header.NOT_DEFAULTABLE]
    condition = {
        "type": "object",
        "additionalProperties": False,
        "minProperties": 1,
        "properties": _subjects(),
    }
    file = {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "rules": rules,
            "defaults": object_schema(defaults) | {"description": "keys for all rules of the file that lack them"},
            "suppress": {"type": "array", "items": header.SUPPRESSION.schema()},
        },
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": _ID,
        "title": "Xensor rules",
        "anyOf": [rules, file],
        "$defs": {
            "rule": object_schema(header.RULE_KEYS),
            "match": {"anyOf": [{"type": "array", "items": _ref("condition")}, _ref("condition")]},
            "condition": {"anyOf": [*(_ref(name) for name in STEPS), condition]},
            "tests": STEP_LIST.schema(),
            **{name: kind.schema() for name, kind in STEPS.items()},
            **{f"field:{name}": kind.schema() for name, kind in FIELD_KINDS.items()},
        },
    }


def text() -> str:
    """Return the schema as published."""
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"
