"""Loading rules from text in tests."""

import textwrap

from sensor.rules.context import Context
from sensor.rules.parse import parse
from sensor.rules.problems import Problems
from sensor.rules.variables import Variables

VARIABLES = Variables()


def unit(text, variables=VARIABLES):
    return parse(textwrap.dedent(text), Context(Problems("a.yaml"), variables))


def rule(text, variables=VARIABLES):
    found = unit(text, variables)
    assert found.problems == (), list(map(str, found.problems))
    assert len(found.rules) == 1
    return found.rules[0]


def body(match, head=""):
    """Return the body of a rule with these lines under `match`."""
    lines = textwrap.indent(textwrap.dedent(match).strip("\n"), "    ")
    return rule(f"- id: 1\n{textwrap.indent(textwrap.dedent(head), '  ')}\n  match:\n{lines}\n").body


def problems(text):
    return [str(problem) for problem in unit(text).problems]
