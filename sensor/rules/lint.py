"""Lints: what is legal in a rule and yet likely a mistake. One small class each, with a recommendation."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

import msgspec

from sensor.model.app import RAW_DERIVED
from sensor.rules import buffers, fields
from sensor.rules.classification import DEFAULT
from sensor.rules.compile import fast_literal
from sensor.rules.nodes import BufferMatch, Content, FlowBits, HeaderTest, Regex, Rule
from sensor.rules.ruleset import unique
from sensor.rules.walk import buffers_of, leaves, required

if TYPE_CHECKING:
    from collections.abc import Iterator

MIN_LITERAL = 4
"""Bytes of a literal below which the scan finds it everywhere."""


class Finding(msgspec.Struct, frozen=True, order=True):
    """One remark on one rule."""

    file: str
    line: int
    code: str
    """Name of the lint."""
    gid: int
    sid: int
    message: str
    advice: str
    """What to do about it."""

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}: " if self.file else ""
        return f"{where}{self.gid}:{self.sid}: {self.message} ({self.advice}) [{self.code}]"


class Lint(ABC):
    """Looks at one rule at a time."""

    code: ClassVar[str]
    advice: ClassVar[str]

    @abstractmethod
    def check(self, rule: Rule) -> Iterator[str]:
        """Yield a message for each thing found."""


class MissingTitle(Lint):
    """The alert would say nothing."""

    code = "no-title"
    advice = "say what the alert means"

    def check(self, rule: Rule) -> Iterator[str]:
        """Yield a message where the title is empty."""
        if not rule.msg.strip():
            yield "the rule has no title"


class MissingExample(Lint):
    """Nothing proves that the rule works."""

    code = "no-example"
    advice = "add an example that must match, and one close to it that must not"

    def check(self, rule: Rule) -> Iterator[str]:
        """Yield a message where no example must match."""
        if not any(example.match for example in rule.examples) and not rule.noalert:
            yield "no example shows traffic that must match"


class MissingSeverity(Lint):
    """The severity is the default of a rule without a class."""

    code = "no-severity"
    advice = "give severity or classification"

    def check(self, rule: Rule) -> Iterator[str]:
        """Yield a message where neither class nor severity was given."""
        if not rule.classtype and rule.severity == 3 and "severity" not in rule.text:
            yield "severity is left to the default"


class UnknownClass(Lint):
    """The class is not among the usual ones."""

    code = "unknown-class"
    advice = "use a usual class, so that the alerts of different rules sort together"

    def check(self, rule: Rule) -> Iterator[str]:
        """Yield a message where the class is not in the default table."""
        if rule.classtype and rule.classtype not in DEFAULT:
            yield f"classification '{rule.classtype}' is not a usual one"


class Deprecated(Lint):
    """The author has given the rule up."""

    code = "deprecated"
    advice = "remove it, or take over its upkeep"

    def check(self, rule: Rule) -> Iterator[str]:
        """Yield a message where title or metadata say so."""
        labels = dict(rule.metadata)
        if "deprecated" in labels or "deprecated" in labels.get("status", ()) or "[deprecated]" in rule.msg.lower():
            yield "the rule is marked as deprecated"


class Unmatchable(Lint):
    """No traffic can match."""

    code = "unmatchable"
    advice = "mend the header, the variables or the conditions"

    def check(self, rule: Rule) -> Iterator[str]:
        """Yield the reason."""
        if rule.unmatchable:
            yield f"the rule can never match: {rule.unmatchable}"


class WeakLiteral(Lint):
    """The literal that chooses traffic for the rule is everywhere."""

    code = "weak-literal"
    advice = f"add a content of {MIN_LITERAL} bytes or more that must be there"

    def check(self, rule: Rule) -> Iterator[str]:
        """Yield a message where the best literal is short, or repeats one byte."""
        fast = fast_literal(rule)
        if fast and (len(fast.content.pattern) < MIN_LITERAL or len(set(fast.content.pattern)) == 1):
            yield f"its best literal is only {fast.content.pattern!r}"


class NoLiteral(Lint):
    """Every packet or transaction that passes the header is judged."""

    code = "no-literal"
    advice = "add a content that must be there, or narrow the header"

    def check(self, rule: Rule) -> Iterator[str]:
        """Yield a message where buffers are tested and no literal is certain."""
        tested = [node for node in buffers_of(rule.body) if node.tests]
        if (
            any(_could_have_literal(node) for node in tested)
            and fast_literal(rule) is None
            and not any(isinstance(leaf, HeaderTest) for leaf in required(rule.body))
        ):
            yield "no literal must be there for the rule to match"


def _could_have_literal(node: BufferMatch) -> bool:
    """Tell whether the buffer's bytes are on the wire at all: of computed ones (a JA3, a subject) none is."""
    found = buffers.find(node.buffer)
    return found is None or found[1].raw != RAW_DERIVED


class RegexWithoutLiteral(Lint):
    """A regex searches a whole buffer without anything that rules most buffers out."""

    code = "regex-without-literal"
    advice = "put a content in front of the regex, on the same buffer"

    def check(self, rule: Rule) -> Iterator[str]:
        """Yield a message for each buffer with a regex and no positive content."""
        for node in buffers_of(rule.body):
            contents = [test for test in node.tests if isinstance(test, Content) and not test.negated]
            if not contents and any(isinstance(test, Regex) and not test.negated for test in node.tests):
                yield f"{node.buffer} is searched by a regex without a content"


class OnlyNegated(Lint):
    """A rule that only says what is absent matches nearly everything."""

    code = "only-negated"
    advice = "add a condition that something is there"

    def check(self, rule: Rule) -> Iterator[str]:
        """Yield a message where buffers are tested, all in the negative."""
        found = [leaf for leaf in leaves(rule.body) if isinstance(leaf, (BufferMatch, HeaderTest, FlowBits))]
        if found and all(isinstance(leaf, BufferMatch) and _negative(leaf) for leaf in found):
            yield "the rule says only what must not be there"


def _negative(node: BufferMatch) -> bool:
    return node.absent or (bool(node.tests) and all(getattr(test, "negated", False) for test in node.tests))


class NoDirection(Lint):
    """A buffer of both sides means the request where the rule names no direction."""

    code = "no-direction"
    advice = "write flow: to_server or to_client, or BUFFER@to_client, or BUFFER@either"

    def check(self, rule: Rule) -> Iterator[str]:
        """Yield a message for each buffer with two sides in a rule without direction."""
        if rule.direction:
            return
        for name in dict.fromkeys(node.buffer for node in buffers_of(rule.body) if not node.either):
            if buffers.has_twin(name) and "@" not in name:
                yield f"{name} exists on both sides and means the client's here"


class PortsWithoutTransport(Lint):
    """Ports of packets that have none."""

    code = "ports-without-transport"
    advice = "protocol: tcp, udp or sctp; or no ports"

    def check(self, rule: Rule) -> Iterator[str]:
        """Yield a message where ports are given for icmp or arp."""
        if rule.proto in ("icmp", "arp", "pkthdr") and (rule.sport.text, rule.dport.text) != ("any", "any"):
            yield f"{rule.proto} has no ports"


class EncodedText(Lint):
    r"""Text beyond ASCII in a content is UTF-8: `"\xff"` is two bytes."""

    code = "encoded-text"
    advice = "write |ff| for the byte ff; otherwise it is meant"

    def check(self, rule: Rule) -> Iterator[str]:
        """Yield a message for each content that YAML text beyond ASCII made."""
        if rule.text.isascii() and "\\x" not in rule.text and "\\u" not in rule.text:
            return
        for node in buffers_of(rule.body):
            for test in node.tests:
                if isinstance(test, Content) and _is_encoded(test.pattern, rule.text):
                    yield f"the content {test.pattern!r} is UTF-8 of text beyond ASCII"


def _is_encoded(pattern: bytes, source: str) -> bool:
    try:
        text = pattern.decode()
    except UnicodeDecodeError:
        return False
    beyond = [char for char in text if char > "\x7f"]
    return any(char in source or f"\\x{ord(char):02x}" in source.lower() for char in beyond)


class PacketAndStream(Lint):
    """A field of one packet beside the stream: the rule is judged on packets and sees no reassembled data."""

    code = "packet-field"
    advice = "mean it with protocol: tcp-pkt, or drop the field"

    def check(self, rule: Rule) -> Iterator[str]:
        """Yield a message where `stream` stands beside a field that belongs to one packet."""
        used = {node.buffer for node in buffers_of(rule.body)}
        for leaf in leaves(rule.body):
            if isinstance(leaf, HeaderTest) and fields.BY_NAME[leaf.field].packet and buffers.STREAM in used:
                yield f"{leaf.field} belongs to a packet, 'stream' to none"


class UnusedBit(Lint):
    """`no_alert` on a rule that sets nothing."""

    code = "silent-and-idle"
    advice = "set a flowbit, or let the rule alert"

    def check(self, rule: Rule) -> Iterator[str]:
        """Yield a message where the rule neither alerts nor changes the flow."""
        writes = any(
            getattr(leaf, "action", "") in ("set", "unset", "toggle", "=", "+", "-") for leaf in leaves(rule.body)
        )
        if rule.noalert and not writes:
            yield "the rule neither alerts nor sets anything"


LINTS: tuple[Lint, ...] = (
    MissingTitle(),
    MissingExample(),
    MissingSeverity(),
    UnknownClass(),
    Deprecated(),
    Unmatchable(),
    WeakLiteral(),
    NoLiteral(),
    RegexWithoutLiteral(),
    OnlyNegated(),
    NoDirection(),
    PortsWithoutTransport(),
    EncodedText(),
    PacketAndStream(),
    UnusedBit(),
)


def lint(rules: tuple[Rule, ...], *, skip: frozenset[str] = frozenset()) -> tuple[Finding, ...]:
    """Return all findings, by file and line; `skip` names lints to leave out."""
    found = [
        _finding(rule, one.code, message, one.advice)
        for rule in rules
        for one in LINTS
        if one.code not in skip
        for message in one.check(rule)
    ]
    return tuple(sorted([*found, *(one for one in _of_the_set(rules) if one.code not in skip)]))


def _of_the_set(rules: tuple[Rule, ...]) -> Iterator[Finding]:
    """Yield what only the whole set shows: ids given twice, flowbits that nothing sets."""
    for problem, rule in unique(rules)[1]:
        yield _finding(rule, "duplicate-id", problem.message, problem.hint)
    bits = [(rule, leaf) for rule in rules for leaf in leaves(rule.body) if isinstance(leaf, FlowBits)]
    known = {name for _, leaf in bits if leaf.action in ("set", "toggle") for name in leaf.names}
    for rule, leaf in bits:
        missing = [name for name in leaf.names if name not in known]
        if leaf.action == "isset" and len(missing) == len(leaf.names):
            yield _finding(rule, "unset-bit", f"no rule sets the flowbit {missing[0]}", "load the rule that sets it")


def _finding(rule: Rule, code: str, message: str, advice: str) -> Finding:
    return Finding(rule.file, rule.line, code, rule.gid, rule.sid, message, advice)
