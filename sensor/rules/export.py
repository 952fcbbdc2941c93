"""`Rule` nodes to YAML text: `load(export(rule)) == rule` apart from file, line and text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import yaml

from sensor.rules import header
from sensor.rules.body import write_body
from sensor.rules.nodes import All, Rule, Suppression

if TYPE_CHECKING:
    from collections.abc import Iterable

_WIDTH = 110
_DEFAULTS = {field.name: field.default for field in msgspec.structs.fields(Rule)} | {"references": (), "metadata": ()}
_ALWAYS = frozenset({"protocol", "severity"})
"""Written even where they have their default: the class may imply another severity."""


class _Dumper(yaml.CSafeDumper):
    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002 - PyYAML's signature
        return True


def rule_data(rule: Rule) -> dict[str, Any]:
    """Return the rule as the plain data of its YAML mapping, without what has its default."""
    out: dict[str, Any] = {}
    for key in header.RULE_KEYS:
        if key.name == "match":
            if rule.body != All(()):
                out["match"] = write_body(rule.body, rule.direction)
        elif key.name == "flow":
            if words := key.kind.write((rule.established, rule.direction)):
                out["flow"] = words
        elif key.name in _ALWAYS or getattr(rule, key.target) != _DEFAULTS[key.target]:
            out[key.name] = key.kind.write(getattr(rule, key.target))
    return out if rule.msg else {name: value for name, value in out.items() if name != "title"}


def export(rules: Iterable[Rule], suppressions: Iterable[Suppression] = ()) -> str:
    """Return the text of a rule file."""
    listed = [rule_data(rule) for rule in rules]
    suppressed = [header.SUPPRESSION.write(one) for one in suppressions]
    data: object = {"rules": listed, "suppress": suppressed} if suppressed else listed
    text: str = yaml.dump(data, Dumper=_Dumper, sort_keys=False, default_flow_style=None, width=_WIDTH)
    return text
