"""Keywords of DCE/RPC: the interface and the operation that are called, and numbers in its byte order."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from sensor.rules.nodes import All, Any, AnyNode, BufferMatch, ByteExtract, ByteMath, ByteTest, Content, HeaderTest
from sensor.rules.suricata.numbers import comparison, integer
from sensor.rules.suricata.refusal import Refused

if TYPE_CHECKING:
    from sensor.rules.nodes import AnyTest
    from sensor.rules.suricata.draft import Draft

IFACE, OPNUM, ORDER = "dcerpc.iface", "dcerpc.opnum", "dcerpc.byte_order"

DCE = "dce"
"""Byte order of a test until `by_order` settles it."""

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TOP = 0xFFFF


def iface(draft: Draft, value: str) -> None:
    """`dce_iface:UUID[,<|>|=|!version][,any_frag]`. Interfaces are those of whole binds, so `any_frag` says nothing."""
    uuid, *options = [word.strip() for word in value.strip('" ').lower().split(",")]
    if not _UUID.fullmatch(uuid):
        raise Refused(f"'{uuid[:40]}' is no UUID", "367abb81-9844-35f1-ad32-98f038001003")
    if options and options[-1] == "any_frag":
        options.pop()
    if len(options) > 1:
        raise Refused(f"unknown option '{options[1][:20]}'", "UUID, version, any_frag")
    draft.add_aside(IFACE, Content(f"{uuid} ".encode(), startswith=True))
    if options:
        found = comparison(options[0], _TOP)
        if found.op == "<>":
            raise Refused("a range of versions")
        draft.add_aside(IFACE, ByteTest(0, found.op, found.low, len(uuid) + 1, base="dec"))


def opnum(draft: Draft, value: str) -> None:
    """`dce_opnum:9`, `15,26,30-40` (ranges include their ends), `>9`."""
    values: list[int] = []
    nodes: list[AnyNode] = []
    for word in value.strip('" ').split(","):
        low, dash, high = word.partition("-")
        if dash:
            nodes.append(_range(integer(low, 0, _TOP), integer(high, 0, _TOP)))
            continue
        found = comparison(word, _TOP)
        if found.op == "=":
            values.append(found.low)
        else:
            nodes.append(HeaderTest(OPNUM, found.op, found.low, found.high))
    if len(values) > 1:
        nodes.insert(0, HeaderTest(OPNUM, "in", values=tuple(values)))
    elif values:
        nodes.insert(0, HeaderTest(OPNUM, "=", values[0]))
    draft.conditions.append(nodes[0] if len(nodes) == 1 else Any(tuple(nodes)))


def _range(low: int, high: int) -> HeaderTest:
    if low >= high:
        raise Refused(f"{low}-{high} is no range")
    return HeaderTest(OPNUM, "<>", low - 1, high + 1) if low else HeaderTest(OPNUM, "<=", high)


def by_order(node: BufferMatch) -> AnyNode:
    """Return a condition in which no test has the byte order `dce`: both are tried, each on calls that have it."""
    first = next((at for at, test in enumerate(node.tests) if getattr(test, "endian", "") == DCE), -1)
    if first < 0:
        return node
    either = Any(tuple(All((HeaderTest(ORDER, "=", number), _ordered(node, name))) for number, name in _ORDERS))
    before = node.tests[:first]
    if not before or any(isinstance(test, ByteExtract | ByteMath) for test in before):
        return either
    # Said again where it must hold: literals under `any` choose no traffic.
    return All((msgspec.structs.replace(node, tests=before), either))


_ORDERS = ((0, "big"), (1, "little"))


def _ordered(node: BufferMatch, name: str) -> BufferMatch:
    tests: tuple[AnyTest, ...] = tuple(
        msgspec.structs.replace(test, endian=name) if getattr(test, "endian", "") == DCE else test
        for test in node.tests
    )
    return msgspec.structs.replace(node, tests=tests)
