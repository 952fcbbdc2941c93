"""Keywords of ONC RPC: the procedure of NFS, and `rpc`, which looks at the header of a call in the payload."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sensor.rules.nodes import Any, AnyTest, BufferMatch, ByteTest, HeaderTest
from sensor.rules.suricata.numbers import comparison, integer
from sensor.rules.suricata.refusal import Refused

if TYPE_CHECKING:
    from sensor.rules.suricata.draft import Draft

_U32 = 0xFFFFFFFF
_TYPE, _VERSION, _PROGRAM, _PROGRAM_VERSION, _PROCEDURE = 4, 8, 12, 16, 20
"""Where a call has them (RFC 5531 section 9); four bytes later over TCP."""


def procedure(draft: Draft, value: str) -> None:
    """`nfs_procedure:3`, `>3`, `2<>4`: this range includes its ends, unlike most."""
    draft.conditions.append(_compared("nfs.procedure", value))


def version(draft: Draft, value: str) -> None:
    """`nfs.version:3`, `2<>3`: likewise."""
    draft.conditions.append(_compared("nfs.version", value))


def _compared(field: str, value: str) -> HeaderTest:
    found = comparison(value.strip('" '), _U32, closed=True)
    if found.low < 0:
        return HeaderTest(field, "<=", found.high - 1, found.high)
    return HeaderTest(field, found.op, found.low, found.high)


def rpc(draft: Draft, value: str) -> None:
    """`rpc:100003,3,*`: program, its version or *, procedure or *."""
    words = [word.strip() for word in value.split(",")]
    if not words[0] or len(words) > 3:
        raise Refused("program, version, procedure", "rpc:100003,3,*")
    wanted = [(_TYPE, 0), (_VERSION, 2)]
    for at, word in zip((_PROGRAM, _PROGRAM_VERSION, _PROCEDURE), words, strict=False):
        if word != "*":
            wanted.append((at, integer(word, 0, _U32)))
    forms = [BufferMatch("payload", _tests(wanted, shift)) for shift in _shifts(draft.proto)]
    draft.conditions.append(forms[0] if len(forms) == 1 else Any(tuple(forms)))


def _shifts(proto: str) -> tuple[int, ...]:
    return {"tcp": (4,), "tcp-pkt": (4,), "udp": (0,)}.get(proto, (0, 4))


def _tests(wanted: list[tuple[int, int]], shift: int) -> tuple[AnyTest, ...]:
    return tuple(ByteTest(4, "=", value, at + shift) for at, value in wanted)
