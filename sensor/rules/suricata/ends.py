"""Keywords about the addresses of a packet that need the operator's files: iprep, geoip."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING

from sensor.rules.nodes import All, Any, Country, Not, Reputation
from sensor.rules.reputation import MAX_SCORE
from sensor.rules.suricata.numbers import integer
from sensor.rules.suricata.refusal import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sensor.rules.nodes import AnyNode
    from sensor.rules.suricata.draft import Draft

_ENDS: Mapping[str, str] = MappingProxyType(
    {"src": "src", "dst": "dst", "dest": "dst", "any": "any", "both": "both"}
)
_OPERATORS = ("<", ">", "=", "<=", ">=")
_FORM = "iprep:src,CATEGORY,>,30"
_CODE = re.compile(r"[A-Za-z]{2}")


def iprep(draft: Draft, value: str) -> None:
    """`iprep:any|src|dst|both,CATEGORY,OPERATOR,SCORE`, `iprep:src,CATEGORY,isset`."""
    words = [word.strip() for word in value.split(",")]
    if len(words) not in (3, 4) or words[0] not in ("any", "src", "dst", "both"):
        raise Refused("has the form end,category,operator,score", _FORM)
    end, category = words[0], words[1]
    if category not in draft.ctx.outside.categories:
        known = ", ".join(sorted(draft.ctx.outside.categories)[:20])
        raise Refused(f"'{category[:40]}' is no category of the reputation-categories-file", known)
    if len(words) == 3:
        if words[2] not in ("isset", "isnotset"):
            raise Refused("has the form end,category,operator,score", _FORM)
        draft.conditions.append(_has_score(end, category) if words[2] == "isset" else _no_score(end, category))
        return
    if words[2] not in _OPERATORS:
        raise Refused(f"unknown operator '{words[2][:10]}'", " ".join(_OPERATORS))
    draft.conditions.append(Reputation(end, category, words[2], integer(words[3], 0, MAX_SCORE)))


def _has_score(end: str, category: str) -> AnyNode:
    return Reputation(end, category, ">=", 0)


def _no_score(end: str, category: str) -> AnyNode:
    """Return "has no score": of one end asked for by itself, or one of 0, as in Suricata; of two each by itself."""
    if end in ("src", "dst"):
        return Not(Reputation(end, category, ">", 0))
    ends = tuple(Not(_has_score(each, category)) for each in ("src", "dst"))
    return Any(ends) if end == "any" else All(ends)


def geoip(draft: Draft, value: str) -> None:
    """`geoip:src,US,CA`, `geoip:both,!US`, `geoip:US` (either end)."""
    words = [word.strip() for word in value.split(",")]
    end = _ENDS.get(words[0].lower(), "")
    codes = words[1:] if end else words
    negated = [code.startswith("!") for code in codes]
    plain = [code.lstrip("! ") for code in codes]
    if not codes or not all(map(_CODE.fullmatch, plain)):
        raise Refused("has the form end,country,…", "geoip:src,US,CA")
    if any(negated) and not all(negated):
        raise Refused("a list names what may be or what may not be, not both")
    if draft.ctx.outside.country is None:
        raise Refused("needs a database of countries", "geoip-database: FILE.mmdb in the configuration")
    draft.conditions.append(Country(end or "any", tuple(code.upper() for code in plain), all(negated)))
