"""From the draft to the rule: contents settled, sides of buffers chosen, defaults filled in."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from sensor.model.files import FILE_BUFFERS
from sensor.rules import buffers
from sensor.rules.body import default_buffer
from sensor.rules.check import NEVER
from sensor.rules.fields import APP_PROTOCOL, APP_TOLD
from sensor.rules.nodes import (
    All,
    AnyNode,
    AnyTest,
    Base64,
    BufferMatch,
    BufferSize,
    ByteExtract,
    ByteMath,
    FlowBits,
    HeaderTest,
)
from sensor.rules.suricata.content import settle
from sensor.rules.suricata.draft import DEFAULT, Decoding, Group, Pending
from sensor.rules.suricata.refusal import Refused
from sensor.rules.suricata.rpc import by_order

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from sensor.rules.suricata.draft import Draft

_FILE = "file.data"
_DIGITS = "tls.cert_serial"
"""Capital digits, which a rule may write in either case."""
_SIDES = ("to_server", "to_client")
_RESTRICTED: Mapping[tuple[str, str], str] = MappingProxyType(
    {("tcp", "stream"): "tcp-stream", ("tcp", "packet"): "tcp-pkt"}
)

_READERS = ("offset", "depth", "distance", "within", "nbytes", "value", "post_offset", "length", "low")
"""Fields of tests that may hold the name of a variable."""


def settle_contents(draft: Draft) -> None:
    """Check every content with its modifiers. Raises Refused."""
    for group in draft.groups:
        for test in group.tests:
            for each in test.tests if isinstance(test, Decoding) else (test,):
                if isinstance(each, Pending):
                    settle(each)
                    if group.buffer == _DIGITS:
                        each.values["nocase"] = True


def body(draft: Draft) -> AnyNode:
    """Return the rule's body; sets protocol and direction of the draft. Raises Refused."""
    groups = draft.close()
    if _asks_for_a_file(draft, groups):
        groups.append(Group(_FILE, (), [BufferSize(">", 0)]))
    if draft.only != "packet" or any(group.buffer == DEFAULT for group in groups):
        draft.proto = _RESTRICTED.get((draft.proto, draft.only), draft.proto)
    if draft.only == "stream" and not groups:
        draft.conditions.append(NEVER)  # nothing of it is looked for in a stream, and nowhere else may it hold
    direction = _direction(groups, draft.values.get("direction", ""))
    draft.values["direction"] = direction
    matches = [_match(group, draft, direction) for group in groups]
    if draft.ctx.defined:
        _check_variables(matches)
    if _asks_for_protocol_only(draft, matches):
        draft.conditions.append(HeaderTest(APP_TOLD, "=", 1))
    nodes = [*draft.conditions, *map(by_order, matches)]
    return nodes[0] if len(nodes) == 1 else All(tuple(nodes))


def _asks_for_a_file(draft: Draft, groups: list[Group]) -> bool:
    """Tell whether `filestore` is what asks for a file: without one such a rule does not hold, whatever is stored.

    Where it names a side and the rule says more of the exchange, it says whose files to keep: these may come later.
    """
    side, _, scope = draft.values.get("store", "").rpartition(" ")
    names = {group.buffer.partition("@")[0] for group in groups if group.buffer != DEFAULT}
    return bool(scope) and not (side and names) and not names & {_FILE, *FILE_BUFFERS}


def _asks_for_protocol_only(draft: Draft, matches: Iterable[BufferMatch]) -> bool:
    """Tell whether the rule is `app-layer-protocol` and nothing else: no state, no number, no content."""
    if not draft.by_option or list(matches) or draft.only or "established" in draft.values:
        return False
    return all(
        (isinstance(node, HeaderTest) and node.field == APP_PROTOCOL)
        or (isinstance(node, FlowBits) and node.action == "set")
        for node in draft.conditions
    )


def _match(group: Group, draft: Draft, direction: str) -> BufferMatch:
    tests = tuple(_tests(group.tests))
    if group.buffer == DEFAULT:
        return BufferMatch(_default(draft), tests)
    name = buffers.resolve(group.buffer, direction) or group.buffer
    either = not direction and "@" not in group.buffer and buffers.has_twin(name)
    return BufferMatch(name, tests, group.transforms, either=either)


def _check_variables(matches: Iterable[BufferMatch]) -> None:
    """Raise Refused where a variable is read before the test that defines it: buffers are judged one by one."""
    bound: set[str] = set()
    for test in (each for match in matches for outer in match.tests for each in getattr(outer, "tests", (outer,))):
        for name in _READERS:
            used = getattr(test, name, 0)
            if isinstance(used, str) and used not in bound:
                raise Refused(f"the variable '{used}' is defined behind the buffer that it is needed for")
        if isinstance(test, ByteExtract | ByteMath):
            bound.add(test.name)


def _tests(tests: Iterable[AnyTest | Pending | Decoding]) -> Iterator[AnyTest]:
    for test in tests:
        if isinstance(test, Pending):
            yield test.content()
        elif isinstance(test, Decoding):
            if not test.tests:
                raise Refused("base64_decode without base64_data: nothing is said of the decoded bytes")
            yield Base64(tuple(_tests(test.tests)), test.nbytes, test.offset, test.relative)
        else:
            yield test


def _default(draft: Draft) -> str:
    if draft.only:
        return buffers.STREAM if draft.only == "stream" else buffers.PAYLOAD
    if draft.proto == "tcp-stream":  # payload that is in no stream, too
        return buffers.EITHER
    return default_buffer(draft.proto)


def _direction(groups: Iterable[Group], given: str) -> str:
    """Return the direction of the rule: the given one, else that of its buffers which exist on one side only.

    Raises Refused where there are two: such a rule means nothing.
    """
    for group in groups:
        side = _only_side(group.buffer)
        if side and given not in ("", side):
            raise Refused(f"{group.buffer} exists {side} only, the rule or another buffer is about {given}")
        given = given or side
    return given


def _only_side(name: str) -> str:
    """Return the one side on which a buffer exists; empty: both, or its protocol has no sides."""
    found = buffers.find(name)
    if found is None or buffers.has_twin(name):
        return ""
    spec, buffer = found
    return _SIDES[spec.stages[buffer.stage].side] if len({stage.side for stage in spec.stages}) > 1 else ""
