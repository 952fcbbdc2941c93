"""Sources that rules name (`cve:2014-6271`) as addresses: kind of source → what stands before its text."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING

from sensor.rules.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT: Mapping[str, str] = MappingProxyType(
    {
        "bid": "http://www.securityfocus.com/bid/",
        "bugtraq": "http://www.securityfocus.com/bid/",
        "cve": "https://cve.mitre.org/cgi-bin/cvename.cgi?name=",
        "et": "http://doc.emergingthreats.net/",
        "etpro": "http://doc.emergingthreatspro.com/",
        "exploitdb": "https://www.exploit-db.com/exploits/",
        "md5": "https://www.virustotal.com/gui/file/",
        "msft": "https://learn.microsoft.com/security-updates/securitybulletins/",
        "nessus": "https://www.tenable.com/plugins/nessus/",
        "url": "http://",
    }
)
"""Kinds that rule sets in use name."""

_LINE = re.compile(r"config\s+reference\s*:\s*([A-Za-z0-9_.-]{1,64})\s+(\S{1,512})\s*$")
_WHOLE = ("http://", "https://", "ftp://")


def parse(text: str, file: str) -> tuple[dict[str, str], list[Problem]]:
    """Read a `reference.config`. Of a kind that is given twice the last holds; its case is no matter."""
    found: dict[str, str] = {}
    problems: list[Problem] = []
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        match = _LINE.match(stripped)
        if match is None:
            problems.append(Problem(file, number, 1, "not a kind of reference", "config reference: kind address"))
            continue
        found[match[1].lower()] = match[2]
    return found, problems


def expand(reference: str, kinds: Mapping[str, str]) -> str:
    """Return a source as an address; one of a kind that nobody has told stays as it is written."""
    kind, _, text = reference.partition(":")
    prefix = kinds.get(kind.lower())
    if prefix is None:
        return reference
    return text if text.startswith(_WHOLE) else prefix + text
