"""docs/settings.md: every setting with its default and meaning, from the table."""

from __future__ import annotations

from sensor.config.load import as_text
from sensor.config.settings import POLICIES, Settings
from sensor.config.table import SETTINGS

_HEAD = """# Settings

All settings, with their defaults; the names are Suricata's where it has the same. They stand in a YAML file
(`-c FILE`; `a.b` is `b` below `a`) or on the command line (`--set a.b=VALUE`, which counts before the file).
`xensor --dump-config` (`-c FILE`) prints what is in force. Made from `sensor/config/table.py` by
`python -m sensor.config.document`.

Sizes are bytes, or `64kb`, `1mb`, `2gb`; lists are YAML lists, or `a,b`; event types are those of [eve.md](eve.md).
What stands in one of Suricata's sections and has no meaning here is named at the start and passed over; any other
unknown name is an error.

| name | meaning |
| --- | --- |
| `vars.address-groups.NAME`, `vars.port-groups.NAME` | what rules mean by `$NAME` ([rules.md](rules.md)) |
| `host-os-policy.POLICY` | addresses that read overlapping segments and fragments as this system does; `default`: \
all others |
| `datasets.NAME.type`, `.load`, `.state`, `.save`, `.memcap` | a set of values, as in a rule |

Policies: """
_TABLE = """.

| name | default | meaning |
| --- | --- | --- |
"""


def document() -> str:
    """Return the text of the page."""
    defaults = as_text(Settings())
    head = _HEAD + ", ".join(f"`{name}`" for name in POLICIES) + _TABLE
    return head + "".join(f"| `{s.name}` | {_value(defaults[s.name])} | {s.help} |\n" for s in SETTINGS)


def _value(text: str) -> str:
    return f"`{text}`" if text else ""


if __name__ == "__main__":
    import sys

    sys.stdout.write(document())
