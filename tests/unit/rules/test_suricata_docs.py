"""docs/suricata.md names every keyword that is read."""

import re
from pathlib import Path

from sensor.rules.suricata.keywords import KEYWORDS

DOCS = (Path(__file__).resolve().parents[3] / "docs/suricata.md").read_text()
NAMED = set(re.findall(r"`([\w.-]+)[^`\n]*`", DOCS))


def test_every_keyword_is_named():
    assert not set(KEYWORDS) - NAMED
