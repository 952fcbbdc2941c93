"""What became of rule files: how many rules run, which are refused and why, which can never match, what they use."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from sensor.rules.nodes import BufferMatch, HeaderTest
from sensor.rules.suricata.split import SyntaxFault, head_and_options, statements
from sensor.rules.walk import leaves

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sensor.rules.nodes import Rule
    from sensor.rules.problems import Problem

_OWN_WORDS = re.compile(r"'[^']*'")


class Report(msgspec.Struct, frozen=True):
    """The report as plain data."""

    loaded: int
    """Rules that run."""
    refused: tuple[Problem, ...]
    """In the order of files and lines; a rule may have several."""
    reasons: dict[str, int]
    """Refusal, without what is of one rule → how often, most frequent first."""
    unmatchable: dict[str, tuple[str, ...]]
    """Why → `gid:sid` of the rules that load and can never match for it."""
    keywords: dict[str, int]
    """Keyword, buffer or field → rules that use it, most frequent first."""


def report(rules: Iterable[Rule], problems: Iterable[Problem]) -> Report:
    """Return the report of rules that loaded and of what was wrong with the others."""
    found, refused = tuple(rules), tuple(sorted(problems))
    never: dict[str, list[str]] = {}
    for rule in found:
        if rule.unmatchable:
            never.setdefault(rule.unmatchable, []).append(f"{rule.gid}:{rule.sid}")
    used = Counter(word for rule in found for word in set(_words(rule)))
    unmatchable = {why: tuple(ids) for why, ids in never.items()}
    return Report(len(found), refused, _ranked(Counter(map(_reason, refused))), unmatchable, _ranked(used))


def _ranked(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _reason(problem: Problem) -> str:
    """Return a message without what only its rule says: words in quotes but for the keyword's own."""
    keyword = re.match(r"keyword '[^']*'", problem.message)
    start = keyword.end() if keyword else 0
    return problem.message[:start] + _OWN_WORDS.sub("'…'", problem.message[start:])


def _words(rule: Rule) -> Iterator[str]:
    """Yield the keywords of a rule: its options as written, or what its conditions are about."""
    if rule.file.endswith(".rules"):
        for statement in statements(rule.text):
            try:
                yield from (option.name for option in head_and_options(statement)[1])
            except SyntaxFault:
                continue
        return
    for leaf in leaves(rule.body):
        if isinstance(leaf, BufferMatch):
            yield leaf.buffer.partition("@")[0]
            yield from (str(test.__struct_config__.tag) for test in leaf.tests)
            yield from (change.name for change in leaf.transforms)
        elif isinstance(leaf, HeaderTest):
            yield leaf.field
        else:
            yield str(leaf.__struct_config__.tag)
