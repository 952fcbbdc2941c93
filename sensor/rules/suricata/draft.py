"""A rule while its options are read: tests collect in groups, one for each buffer, until the rule is whole."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sensor.rules.nodes import AnyNode, AnyTest, Content, Threshold, Transform
from sensor.rules.suricata.refusal import Refused

if TYPE_CHECKING:
    from sensor.rules.context import Context

DEFAULT = ""
"""Buffer of tests in front of which no buffer is named: payload or stream, settled when the rule is whole."""

# Each use of these keywords may be about another instance (another certificate, another query).
_PER_INSTANCE = frozenset(
    {"dns.query", "dns.query.name", "dns.answer.name", "dns.response.rrname", "http.request_header",
     "http.response_header", "tls.certs", "tls.subjectaltname", "tls.alpn"}
)  # fmt: skip


class Pending:
    """A content whose modifiers are still to come."""

    __slots__ = ("values",)

    def __init__(self, pattern: bytes, negated: bool) -> None:
        self.values: dict[str, Any] = {"pattern": pattern, "negated": negated}

    def content(self) -> Content:
        """Return the node."""
        return Content(**self.values)


@dataclass(slots=True)
class Decoding:
    """`base64_decode`, whose tests follow behind `base64_data`."""

    nbytes: int
    offset: int
    relative: bool
    tests: list[AnyTest | Pending] = field(default_factory=list)


@dataclass(slots=True)
class Group:
    """Tests on one buffer."""

    buffer: str
    transforms: tuple[Transform, ...]
    tests: list[AnyTest | Pending | Decoding] = field(default_factory=list)


@dataclass(slots=True)
class Draft:
    """What the options read so far have said."""

    ctx: Context
    proto: str
    values: dict[str, Any] = field(default_factory=dict)
    """Fields of `Rule`."""
    conditions: list[AnyNode] = field(default_factory=list)
    """All but tests of buffers."""
    thresholds: list[Threshold] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    content: Pending | None = None
    """The last content: modifiers are about it."""
    decoding: Decoding | None = None
    """The last `base64_decode`."""
    only: str = ""
    """`stream` or `packet`: what `flow` restricts the default buffer to."""
    by_option: bool = False
    """`app-layer-protocol` names the protocol, not the header."""
    skipped: bool = False
    """The rule asks for what this version does not have: left out, and not an error."""
    _buffer: str = DEFAULT
    _transforms: tuple[Transform, ...] = ()
    _group: Group | None = None
    """Where the next test goes; None: there is no test of the named buffer yet."""
    _last: Group | None = None
    """Where the last test went."""

    @property
    def selected(self) -> str:
        """The buffer that a sticky keyword chose."""
        return self._buffer

    def select(self, buffer: str) -> None:
        """Make a buffer the subject of the tests to come (a sticky buffer). Raises Refused."""
        self._check_used()
        self._buffer, self._transforms, self._group = buffer, (), None

    def select_decoded(self) -> None:
        """Make the bytes of the last `base64_decode` the subject of the tests to come. Raises Refused."""
        self._check_used()
        if self.decoding is None:
            raise Refused("needs base64_decode before it")
        made = Group("base64_data", ())
        made.tests = self.decoding.tests  # type: ignore[assignment]  # shared: what is put here belongs there
        self._buffer, self._transforms, self._group = made.buffer, (), made

    def transform(self, change: Transform) -> None:
        """Change the selected buffer before the tests to come; those before see it as it was. Raises Refused."""
        if self._buffer == DEFAULT:
            raise Refused("a transform needs a buffer before it", "file.data; to_lowercase; …")
        self._transforms += (change,)
        self._group = None

    def add(self, test: AnyTest | Pending | Decoding, *, relative: bool = False) -> None:
        """Add a test to the selected buffer; without one, a relative test follows the last one."""
        if self._buffer == DEFAULT and relative and self._last is not None:
            self._put(self._last, test)
            return
        if self._group is None:
            self._group = self._find(self._buffer, self._transforms)
        self._put(self._group, test)

    def add_to(self, buffer: str, test: AnyTest | Pending | Decoding) -> None:
        """Add a test that names its buffer itself (of HTTP). Raises Refused where another one is selected."""
        if self._buffer not in (DEFAULT, buffer):
            raise Refused(f"the test is about {buffer}, but {self._buffer} is selected")
        if self._buffer == buffer:
            self.add(test)
        else:
            self._put(self._find(buffer, ()), test)
        self._old_style()

    def _old_style(self) -> None:
        """Note that the rule names a buffer of HTTP as rules did before there was HTTP/2: it is about HTTP/1 alone."""
        if self.proto in ("http", "tcp", "ip"):
            self.proto = "http1"

    def add_aside(self, buffer: str, test: AnyTest | Pending | Decoding) -> None:
        """Add a test of a keyword that is about a buffer of its own, whatever is selected."""
        group = self._find(buffer, ())
        group.tests.append(test)
        if self._buffer == buffer and not self._transforms:
            self._group = group

    def give_up(self) -> None:
        """Go on without the test that was refused, and without complaints that would follow from its absence."""
        if self._group is None:
            self._group = Group(self._buffer, self._transforms)

    def move(self, buffer: str) -> None:
        """Move the last content to a buffer: what a modifier such as `http_uri` says. Raises Refused."""
        if self._buffer != DEFAULT:
            raise Refused(f"a modifier of contents, but {self._buffer} is selected")
        moved = self.last()
        home = next((group for group in self.groups if any(test is moved for test in group.tests)), None)
        if home is None or home.buffer != DEFAULT:
            raise Refused("the content has a buffer already")
        home.tests = [test for test in home.tests if test is not moved]
        self._put(self._find(buffer, ()), moved)
        self._old_style()

    def last(self) -> Pending:
        """Return the content that a modifier is about. Raises Refused."""
        if self.content is None:
            raise Refused("a modifier needs a content before it")
        return self.content

    def end_of_last(self) -> bool:
        """Make a content that the next relative test would follow one of the end, wherever it is moved to.

        False: there is none, or it stays where it is and may be there.
        """
        group = self._last if self._buffer == DEFAULT else self._group
        content = self.content
        if group is None or content is None or not group.tests or group.tests[-1] is not content:
            return False
        if not content.values["negated"] and group.buffer != DEFAULT:
            return False
        content.values["endswith"] = True
        return True

    def close(self) -> list[Group]:
        """Return the groups with something in them. Raises Refused where a selected buffer has no test."""
        self._check_used()
        return [group for group in self.groups if group.tests]

    def _check_used(self) -> None:
        if self._buffer != DEFAULT and self._group is None:
            raise Refused(f"nothing is said of the buffer {self._buffer}")

    def _find(self, buffer: str, transforms: tuple[Transform, ...]) -> Group:
        if not (buffer in _PER_INSTANCE and buffer == self._buffer):
            found = next((g for g in self.groups if g.buffer == buffer and g.transforms == transforms), None)
            if found is not None:
                return found
        made = Group(buffer, transforms)
        self.groups.append(made)
        return made

    def _put(self, group: Group, test: AnyTest | Pending | Decoding) -> None:
        group.tests.append(test)
        self._last = group
        if isinstance(test, Pending):
            self.content = test
        elif isinstance(test, Decoding):
            self.decoding = test
