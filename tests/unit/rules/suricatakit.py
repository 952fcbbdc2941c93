"""Loading rules in Suricata's form in tests."""

from sensor.rules.context import Context
from sensor.rules.nodes import BufferMatch
from sensor.rules.problems import Problems
from sensor.rules.suricata.read import parse
from sensor.rules.variables import Variables
from sensor.rules.walk import leaves

VARIABLES = Variables()


def unit(text, variables=VARIABLES):
    return parse(text, Context(Problems("a.rules"), variables))


def rule(options, head="alert tcp any any -> any any"):
    found = unit(f"{head} ({options} sid:1;)")
    assert found.problems == (), list(map(str, found.problems))
    assert len(found.rules) == 1
    return found.rules[0]


def refused(options, head="alert tcp any any -> any any"):
    """Return the messages of a rule that is not taken over."""
    found = unit(f"{head} ({options} sid:1;)")
    assert not found.rules
    return [problem.message for problem in found.problems]


def matches(made):
    """Return the conditions on buffers."""
    return [leaf for leaf in leaves(made.body) if isinstance(leaf, BufferMatch)]


def steps_of(options, head="alert tcp any any -> any any"):
    """Return the tests of the one buffer of a rule."""
    (match,) = matches(rule(options, head))
    return match.tests


def conditions(options, head="alert tcp any any -> any any"):
    """Return everything that is not about a buffer."""
    return [leaf for leaf in leaves(rule(options, head).body) if not isinstance(leaf, BufferMatch)]
