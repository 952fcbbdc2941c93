"""What a rule says about itself: ids, texts, class, references, metadata."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sensor.rules.suricata.numbers import integer
from sensor.rules.suricata.refusal import Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from sensor.rules.suricata.draft import Draft

_U32 = 0xFFFFFFFF
_ESCAPED = re.compile(r'\\([\\";:])')
_TECHNIQUE = re.compile(r"T[0-9]{4}(?:\.[0-9]{3})?")


def number(field: str, low: int) -> Callable[[Draft, str], None]:
    """Return the handler of sid, gid or rev."""

    def handle(draft: Draft, value: str) -> None:
        if field in draft.values:
            raise Refused("is given twice")
        draft.values[field] = integer(value, low, _U32)

    return handle


def msg(draft: Draft, value: str) -> None:
    """`msg:"…"`, in which a backslash stands before a semicolon, a quote, a colon and a backslash."""
    text = value[1:-1] if len(value) > 1 and value[0] == value[-1] == '"' else value
    draft.values["msg"] = _ESCAPED.sub(r"\1", text)


def classtype(draft: Draft, value: str) -> None:
    """`classtype:name`: sets the category, and the severity where `priority` does not. Unknown ones: severity 3."""
    name = value.strip('"').lower()
    draft.values["classtype"] = name
    known = draft.ctx.classes.get(name)
    if known:
        draft.values["category"] = known.category
        draft.values.setdefault("severity", known.severity)


def priority(draft: Draft, value: str) -> None:
    """`priority:1`: any number, of which 1 is the worst by custom."""
    draft.values["severity"] = integer(value, 0, _U32)


def reference(draft: Draft, value: str) -> None:
    """`reference:kind,text`."""
    kind, comma, text = value.partition(",")
    if not comma:
        raise Refused("has the form kind,text", "reference:cve,2014-6271")
    draft.values["references"] = (*draft.values.get("references", ()), f"{kind.strip()}:{text.strip()}")


def metadata(draft: Draft, value: str) -> None:
    """`metadata: key value, key value`; ATT&CK ids among them become `Rule.attack`."""
    found: dict[str, tuple[str, ...]] = dict(draft.values.get("metadata", ()))
    for each in value.split(","):
        key, _, text = each.strip().partition(" ")
        text = text.strip()
        if key and text:
            found[key] = (*found.get(key, ()), text)
            if key == "mitre_technique_id" and _TECHNIQUE.fullmatch(text):
                attack = draft.values.get("attack", ())
                draft.values["attack"] = attack if text in attack else (*attack, text)
    draft.values["metadata"] = tuple(found.items())


def target(draft: Draft, value: str) -> None:
    """`target:src_ip`, `target:dest_ip`."""
    if value not in ("src_ip", "dest_ip"):
        raise Refused(f"unknown end '{value[:20]}'", "src_ip, dest_ip")
    draft.values["target"] = value


def noalert(draft: Draft, value: str) -> None:
    """`noalert`."""
    if value:
        raise Refused("takes no value")
    draft.values["noalert"] = True


def alert(draft: Draft, value: str) -> None:
    """`alert`: the default; a `pass` rule alerts, too."""
    if value:
        raise Refused("takes no value")
    if draft.values.get("action") == "pass":
        draft.values["loud"] = True
    draft.values["noalert"] = False


_VERSION = (7, 0, 10)
"""The version whose language is read."""


def requires(draft: Draft, value: str) -> None:
    """Leave the rule out, without an error, where `requires: version >= 7.0.3 < 8, feature …` is not met."""
    for each in value.split(","):
        kind, _, rest = each.strip().partition(" ")
        if kind == "version":
            if not any(_fits(branch) for branch in rest.split("|")):
                draft.skipped = True
        elif kind == "feature":
            name = rest.strip()
            if name not in ("output::file-store", "ja3", "ja4") or name in draft.ctx.variables.without:
                draft.skipped = True
        elif kind != "keyword":  # of another version's language
            draft.skipped = True


def _fits(branch: str) -> bool:
    """Tell whether all comparisons (`>= 7.0.3 < 8`) hold for the version."""
    found = re.findall(r"(<=|>=|<|>)\s*([0-9]+(?:\.[0-9]+){0,2})", branch)
    if not found:
        raise Refused(f"'{branch.strip()[:30]}' is no version", "version >= 7.0.3")
    for op, text in found:
        other = tuple(int(part) for part in [*text.split("."), "0", "0"][:3])
        holds = {"<": other > _VERSION, "<=": other >= _VERSION, ">": other < _VERSION, ">=": other <= _VERSION}
        if not holds[op]:
            return False
    return True
