"""The `ssh` object of EVE (Suricata's names)."""

from __future__ import annotations

from typing import Any

from sensor.proto.ssh.parse import Banner, KexInit, hassh_string, md5
from sensor.proto.text import text


def peer(banner: Banner | None, kex: KexInit | None, side: int) -> dict[str, Any]:
    """Return the object of one end; empty where nothing of it was seen."""
    fields: dict[str, Any] = {}
    if banner is not None:
        fields["proto_version"] = text(banner.proto)
        if banner.software:
            fields["software_version"] = text(banner.software)
    if kex is not None:
        raw = hassh_string(kex, side)
        fields["hassh"] = {"hash": md5(raw), "string": text(raw)}
    return fields
