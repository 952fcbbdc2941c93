"""`pcre:"/…/flags"`: the letters behind the slash say how to search, and in which buffer."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING

from sensor.rules.nodes import Regex
from sensor.rules.suricata.refusal import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sensor.rules.suricata.draft import Draft

_NAMES = r"(?P<names>(?:\s*,\s*(?:flow|pkt):[\w.:-]+)*)"
_FORM = re.compile(
    rf'(?P<not>!)?\s*"?\s*[!m]?/(?P<pattern>.*)/(?P<flags>[^/\s"]*?)\s*"?{_NAMES}\s*"?', re.DOTALL
)
"""A `!` within the quotes says nothing, as in Suricata."""
_PAIR = ["pkt:key", "pkt:value"]
"""Names of two groups: the first holds the name under which the text of the second is kept."""
_HOW = frozenset("imsxAEG")
_NOTHING = frozenset("BO")
"""B: raw bytes, which all are; O: overrides limits that are not set here."""
_BUFFERS: Mapping[str, str] = MappingProxyType(
    {
        "U": "http.uri",
        "I": "http.uri.raw",
        "P": "http.request_body",
        "Q": "file.data",
        "H": "http.header",
        "D": "http.header.raw",
        "M": "http.method",
        "C": "http.cookie",
        "S": "http.stat_code",
        "Y": "http.stat_msg",
        "V": "http.user_agent",
        "W": "http.host",
        "Z": "http.host.raw",
    }
)
_UP_TO = re.compile(r"(?<!\\)\{,(?=[0-9]+\})")
"""`a{,3}`: at most three in PCRE2 from 10.43 on, these very characters before; rules mean the former."""
_BODY = frozenset({"file.data", "http.response_body"})
"""Two names of the response body."""


def pcre(draft: Draft, value: str) -> None:
    """`pcre:[!]"/pattern/flags[,flow:name,…]"`."""
    found = _FORM.fullmatch(value)
    if found is None:
        raise Refused("a regex stands between slashes and in quotes", '"/pattern/flags"')
    if not found["pattern"]:
        raise Refused("the regex is empty")
    flags = found["flags"]
    for letter in flags:
        if letter not in _HOW and letter not in _NOTHING and letter not in _BUFFERS and letter != "R":
            raise Refused(f"unknown flag '{letter}' behind the regex")
    buffers = {_BUFFERS[letter] for letter in flags if letter in _BUFFERS}
    if len(buffers) > 1:
        raise Refused("the flags of the regex name two buffers")
    relative = "R" in flags
    names = tuple(name.strip() for name in found["names"].split(",") if name.strip())
    _check_pair(names)
    how = "".join(letter for letter in "imsxAEG" if letter in flags)
    test = Regex(_UP_TO.sub("{0,", found["pattern"]), how, bool(found["not"]), relative, names)
    if "Q" in flags and draft.selected in _BODY:
        draft.add(test, relative=relative)
    elif buffers:
        draft.add_to(buffers.pop(), test)
    else:
        draft.add(test, relative=relative)


def _check_pair(names: tuple[str, ...]) -> None:
    """Raise Refused where the group of a name and the group of its value do not stand side by side."""
    pair = [name for name in names if name in _PAIR]
    if pair and (pair != _PAIR or names.index("pkt:value") != names.index("pkt:key") + 1):
        raise Refused("pkt:key and pkt:value go together, one behind the other")
