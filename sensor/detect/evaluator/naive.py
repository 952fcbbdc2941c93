"""The judge: does a rule's body hold? Compiled once per rule into closures; the only evaluator there is.

The meaning is the obvious one: a `BufferMatch` holds if some instance of its buffer admits positions for all
its tests; `All`, `Any` and `Not` are what they say. Variables of byte_extract and byte_math live for one
judgement and pass from one `BufferMatch` to those behind it. Effects on flow variables are carried out by
`apply_effects`, after the rule has matched.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sensor.detect.evaluator.chain import Step, accept, retry_helps
from sensor.detect.evaluator.conditions import (
    Check,
    bit_key,
    bits_check,
    condition_check,
    host_bit_check,
    int_check,
)
from sensor.detect.evaluator.conditions_ends import country_check, reputation_check
from sensor.detect.evaluator.tests_asn1 import asn1_step
from sensor.detect.evaluator.tests_base64 import base64_step
from sensor.detect.evaluator.tests_bytes import (
    compare_step,
    extract_step,
    isdataat_step,
    jump_step,
    math_step,
    size_step,
)
from sensor.detect.evaluator.tests_content import content_step
from sensor.detect.evaluator.tests_list import list_step
from sensor.detect.evaluator.tests_regex import capturing_step, regex_step
from sensor.detect.evaluator.transforms import Change, compile_transforms
from sensor.detect.regex import pcre
from sensor.detect.state.bits import change_bits, change_int
from sensor.detect.state.budget import Budget, BudgetExceededError, Meter
from sensor.errors import RuleError
from sensor.rules.nodes import (
    All,
    Any,
    AnyNode,
    AnyTest,
    Asn1,
    Base64,
    BufferMatch,
    BufferSize,
    ByteExtract,
    ByteJump,
    ByteMath,
    ByteTest,
    Content,
    Country,
    FlowBits,
    FlowInt,
    FlowVar,
    HeaderTest,
    HostBit,
    InList,
    IsDataAt,
    Not,
    PacketVar,
    Regex,
    Reputation,
    Rule,
)
from sensor.rules.outside import NOTHING, Outside
from sensor.rules.walk import captures, keeps, sets_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from sensor.detect.evaluator.context import Context

Effect = FlowBits | FlowInt | HostBit

MAX_TESTS = 200
"""Tests on one buffer: each is a Python frame while the last one runs."""
MAX_NESTING = 50
"""Levels of All, Any and Not."""


class CompiledRule:
    """A rule for judging. Its closures (1 kB and 20 us a test) are made by `prepare`, or at first use."""

    __slots__ = ("_compiler", "check", "effects", "index", "rule")

    def __init__(self, rule: Rule, index: int, compiler: RuleCompiler) -> None:
        self.rule = rule
        self.index = index
        """Number of the rule in its set: the key of budgets."""
        self._compiler = compiler
        self.effects: tuple[Effect, ...] = ()
        """Changes of variables; known once the rule is prepared."""
        self.check: Check = self._first
        """The body as a function."""

    def prepare(self) -> None:
        """Make the closures. Raises RuleError; the rule then never holds."""
        self.check = _never
        self.check = _Scope(self._compiler, depth=0, bound=set()).node(self.rule.body) or _always
        self.effects = tuple(_effects(self.rule.body))

    def _first(self, ctx: Context, meter: Meter) -> bool:
        self.prepare()
        return self.check(ctx, meter)


class RuleCompiler:
    """Compiles the rules of one set; equal regexes and transform chains are made once and shared.

    folded: names of buffers that are lowercase by normalisation (`BufferSpec.lowercase`): contents on them
    match as if `nocase`. outside: the operator's files that rules ask.
    """

    def __init__(
        self, folded: Collection[str] = (), lib: pcre.Pcre2Library | None = None, outside: Outside = NOTHING
    ) -> None:
        self.outside = outside
        self._folded = frozenset(folded)
        self._lib = lib or pcre.library()
        self._regexes: dict[tuple[str, str], pcre.Regex] = {}
        self._views: dict[tuple[object, ...], tuple[str, Change]] = {}

    def compile(self, rule: Rule, index: int = 0) -> CompiledRule:
        """Return the rule ready for judging. Raises RuleError where it makes no sense."""
        compiled = CompiledRule(rule, index, self)
        compiled.prepare()
        return compiled

    def defer(self, rule: Rule, index: int = 0) -> CompiledRule:
        """Return the rule to be prepared at first use: of 30,000 rules traffic reaches a few thousand."""
        return CompiledRule(rule, index, self)

    def regex(self, pattern: str, flags: str) -> pcre.Regex:
        """Return the compiled regex. Raises RuleError."""
        key = pattern, flags
        if key not in self._regexes:
            self._regexes[key] = pcre.Regex(pattern, flags, self._lib)
        return self._regexes[key]

    def buffer(self, node: BufferMatch, bound: set[str]) -> Check:
        """Return the check of tests on one buffer; names that they bind are added to `bound`."""
        if node.absent:
            if node.tests:
                raise RuleError(f"{node.buffer}: a buffer that must be absent cannot be tested")
            return _absent_check(node.buffer)
        for test in node.tests:
            _bind(test, bound)
        steps = self._chain(node.tests, node.buffer in self._folded and not node.transforms)
        check = self._on(node, steps)
        told = next((test.told for test in sets_of(node) if test.told >= 0), -1)
        return check if told < 0 else _told_check(check, told)

    def _on(self, node: BufferMatch, steps: Step) -> Check:
        if not node.transforms:
            return _buffer_check(node.buffer, steps)
        if node.transforms not in self._views:
            self._views[node.transforms] = compile_transforms(node.transforms)
        return _view_check(node.buffer, steps, *self._views[node.transforms])

    def _chain(self, tests: Sequence[AnyTest], fold: bool) -> Step:
        if len(tests) > MAX_TESTS:
            raise RuleError(f"more than {MAX_TESTS} tests on one buffer")
        steps: Step = accept
        for i in range(len(tests) - 1, -1, -1):
            steps = self._step(tests[i], steps, retry_helps(tests[i + 1 :]), fold)
        return steps

    def _step(self, test: AnyTest, follow: Step, retry: bool, fold: bool) -> Step:
        match test:
            case Content():
                return content_step(test, follow, retry, fold)
            case Regex():
                regex = self.regex(test.pattern, test.flags)
                if keeps(test):
                    return capturing_step(regex, test, follow, retry)
                return regex_step(regex, test.relative, test.negated, follow, retry)
            case ByteTest():
                return compare_step(test, follow)
            case ByteJump():
                return jump_step(test, follow)
            case ByteExtract():
                return extract_step(test, follow)
            case ByteMath():
                return math_step(test, follow)
            case IsDataAt():
                return isdataat_step(test, follow)
            case BufferSize():
                return size_step(test, follow)
            case InList():
                return list_step(test, follow)
            case Asn1():
                return asn1_step(test, follow)
            case Base64():
                return base64_step(test, self._chain(test.tests, fold=False), follow)


def compile_rule(rule: Rule, index: int = 0, compiler: RuleCompiler | None = None) -> CompiledRule:
    """Return the rule ready for judging. Raises RuleError."""
    return (compiler or RuleCompiler()).compile(rule, index)


def judge(rule: CompiledRule, ctx: Context, budget: Budget) -> bool:
    """Tell whether the rule's body holds here; no while it is suspended, and when it exceeds its budget.

    Raises RuleError once for a deferred rule that turns out not to compile.
    """
    if budget.suspended(rule.index, ctx.ts_ns):
        return False
    meter = budget.meter
    meter.left = budget.limits.steps
    if meter.pending:
        meter.pending = []
    if meter.captured:
        meter.captured = []
    if meter.told:
        meter.told = {}
    try:
        return rule.check(ctx, meter)
    except BudgetExceededError:
        budget.exceeded(rule.index, ctx.ts_ns)
        return False


def apply_sets(meter: Meter) -> None:
    """Carry out the changes of sets that the last judgement left pending. Call it after each match."""
    pending, meter.pending = meter.pending, []
    for found, value, there in pending:
        meter.sets.change(found, value, there=there)


def apply_captures(meter: Meter, ctx: Context) -> None:
    """Keep the texts that the last judgement has noted. Call it after each match."""
    captured, meter.captured = meter.captured, []
    for of_packet, name, value in captured:
        kept = ctx.packet_vars if of_packet else ctx.flow_vars
        if kept is not None:
            kept.set_text(name, value)


def told(meter: Meter) -> tuple[tuple[bytes, ...], ...]:
    """Return the values of the tests that are decided elsewhere, in the order of their numbers."""
    return tuple(tuple(meter.told[number]) for number in sorted(meter.told))


def apply_effects(rule: CompiledRule, ctx: Context) -> None:
    """Carry out the rule's changes of variables, in the order written. Call it after each match."""
    for effect in rule.effects:
        if isinstance(effect, HostBit):
            ctx.host_bits.change(effect, bit_key(effect, ctx), ctx.ts_ns)
        elif (flow_vars := ctx.flow_vars) is None:
            continue
        elif isinstance(effect, FlowBits):
            change_bits(effect, flow_vars)
        else:
            change_int(effect, flow_vars)


@dataclass(slots=True)
class _Scope:
    """Where in a body we are: nesting, and the variables that are bound whenever a node here is judged."""

    compiler: RuleCompiler
    depth: int
    bound: set[str] = field(default_factory=set)
    maybe: bool = False
    """Below Any or Not: what is judged here need not hold where the rule does."""

    def node(self, node: AnyNode) -> Check | None:
        """Return the check of a node; None: it is an effect, not a condition."""
        if self.depth > MAX_NESTING:
            raise RuleError(f"conditions are nested deeper than {MAX_NESTING} levels")
        match node:
            case BufferMatch():
                if self.maybe and (captures(node) or any(test.action for test in sets_of(node))):
                    raise RuleError("text is kept, and values are added and taken away, below `all` only")
                return self.compiler.buffer(node, self.bound)
            case HeaderTest() | FlowBits() | FlowInt() | FlowVar() | PacketVar() | HostBit():
                return condition_check(node)
            case Reputation():
                return reputation_check(node, self.compiler.outside)
            case Country():
                return country_check(node, self.compiler.outside)
            case All():
                return self._all(node)
            case Any():
                return _any_check([self._branch(child) or _always for child in node.children])
            case Not():
                inner = self._branch(node.child) or _always
                return lambda ctx, meter: not inner(ctx, meter)

    def _branch(self, node: AnyNode) -> Check | None:
        """Compile a child whose variables may stay unbound: they are not visible outside."""
        return _Scope(self.compiler, self.depth + 1, set(self.bound), maybe=True).node(node)

    def _all(self, node: All) -> Check | None:
        """Cheap conditions first; the order of those on buffers is that of the rule: they bind variables."""
        self.depth += 1
        checks = [(_cost(child), self.node(child)) for child in node.children]
        self.depth -= 1
        ordered = [check for _, check in sorted(checks, key=lambda pair: pair[0]) if check is not None]
        return _all_check(ordered)


def _cost(node: AnyNode) -> int:
    """0: looks at no buffer; 1: may."""
    if isinstance(node, Not):
        return _cost(node.child)
    if isinstance(node, All | Any):
        return max((_cost(child) for child in node.children), default=0)
    return int(isinstance(node, BufferMatch))


def _bind(test: AnyTest, bound: set[str]) -> None:
    """Check that the variables a test reads are bound, and note the one it binds."""
    for name in ("offset", "depth", "distance", "within", "nbytes", "value", "post_offset", "length", "low"):
        used = getattr(test, name, None)
        if isinstance(used, str) and used not in bound:
            raise RuleError(f"variable {used!r} is used before it is extracted")
    if isinstance(test, ByteExtract | ByteMath):
        bound.add(test.name)
    elif isinstance(test, Base64):
        if any(isinstance(inner, Base64) for inner in test.tests):
            raise RuleError("base64 inside base64 is not decoded")
        for inner in test.tests:
            _bind(inner, bound)


def _effects(node: AnyNode) -> Iterator[Effect]:
    if isinstance(node, All | Any):
        for child in node.children:
            yield from _effects(child)
    elif isinstance(node, FlowBits):
        if bits_check(node) is None:
            yield node
    elif isinstance(node, FlowInt):
        if int_check(node) is None:
            yield node
    elif isinstance(node, HostBit) and host_bit_check(node) is None:
        yield node


def _never(_ctx: Context, _meter: Meter) -> bool:
    return False


def _always(_ctx: Context, _meter: Meter) -> bool:
    return True


def _all_check(checks: list[Check]) -> Check | None:
    if len(checks) < 2:
        return checks[0] if checks else None

    def check(ctx: Context, meter: Meter) -> bool:
        for each in checks:  # noqa: SIM110 -- all() with a generator takes twice as long
            if not each(ctx, meter):
                return False
        return True

    return check


def _any_check(checks: list[Check]) -> Check:
    def check(ctx: Context, meter: Meter) -> bool:
        for each in checks:  # noqa: SIM110 -- any() with a generator takes twice as long
            if each(ctx, meter):
                return True
        return False

    return check


def _absent_check(buffer: str) -> Check:
    return lambda ctx, _meter: not ctx.instances(buffer)


def _buffer_check(buffer: str, steps: Step) -> Check:
    def check(ctx: Context, meter: Meter) -> bool:
        for window in ctx.instances(buffer):  # noqa: SIM110 -- any() with a generator takes twice as long
            if steps(window, -window.base, meter):
                return True
        return False

    return check


def _view_check(buffer: str, steps: Step, key: str, change: Change) -> Check:
    def check(ctx: Context, meter: Meter) -> bool:
        for window in ctx.instances(buffer):  # noqa: SIM110 -- any() with a generator takes twice as long
            if steps(window.view(key, change), 0, meter):
                return True
        return False

    return check


def _told_check(check: Check, number: int) -> Check:
    """Return the check of a buffer with a test that is decided elsewhere."""

    def told_of(ctx: Context, meter: Meter) -> bool:
        check(ctx, meter)
        return bool(meter.told.get(number))

    return told_of
