"""The one transaction of an RFB flow: its handshake (RFC 6143 section 7)."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

from sensor.proto.text import text

OK, FAIL, TOO_MANY, UNKNOWN = range(4)
"""Values of `rfb.secresult`; whatever the protocol does not define is UNKNOWN."""
RESULTS = ("ok", "fail", "toomany", "unknown")

VNC = 2
"""Security type with challenge and response (RFC 6143 section 7.2.2)."""

_INIT = struct.Struct("!HHBBBBHHHBBB")


class RfbTransaction:
    """A handshake. Holds a name of at most `state.MAX_TEXT` bytes."""

    __slots__ = (
        "challenge", "id", "init", "name", "reason", "response", "result", "security", "shared", "versions",
    )  # fmt: skip

    def __init__(self) -> None:
        self.id = 0
        self.versions = [b"", b""]
        """`003.008`, of client and server."""
        self.security: int | None = None
        self.challenge = b""
        self.response = b""
        self.result: int | None = None
        """As sent."""
        self.reason: bytes | None = None
        self.shared: int | None = None
        self.init = b""
        """Size and pixel format of the server's ServerInit (section 7.3.2), 16 bytes without its padding."""
        self.name: bytes | None = None

    def buffer(self, name: str) -> Sequence[bytes]:
        """Return the one instance of a buffer."""
        return (self.name,) if name == "rfb.name" and self.name else ()

    def numbers(self, name: str) -> Sequence[int]:
        """Return the one value of a number."""
        found = self.security if name == "rfb.sectype" else self.outcome if name == "rfb.secresult" else None
        return () if found is None else (found,)

    @property
    def outcome(self) -> int | None:
        """The security result as rules know it."""
        return None if self.result is None else min(self.result, UNKNOWN)

    def eve(self) -> dict[str, Any]:
        """Return the EVE object (Suricata's names)."""
        found: dict[str, Any] = {}
        for side, who in ((1, "server"), (0, "client")):
            if version := text(self.versions[side]):
                found[f"{who}_protocol_version"] = {"major": version[:3], "minor": version[4:]}
        found["authentication"] = self._authentication()
        if self.reason is not None:
            found["server_security_failure_reason"] = text(self.reason)
        if self.shared is not None:
            found["screen_shared"] = self.shared != 0
        if self.name is not None:
            found["framebuffer"] = self._framebuffer(self.name)
        return found

    def _authentication(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if self.security is not None:
            found["security_type"] = self.security
        if self.security == VNC:
            secrets = (("challenge", self.challenge), ("response", self.response))
            found["vnc"] = {name: raw.hex() for name, raw in secrets if raw}
        if self.result is not None:
            known = self.result < UNKNOWN
            found["security_result"] = RESULTS[self.result].upper() if known else f"UNKNOWN ({self.result})"
        return found

    def _framebuffer(self, name: bytes) -> dict[str, Any]:
        width, height, bits, depth, big, true, red, green, blue, *shifts = _INIT.unpack(self.init[: _INIT.size])
        pixels = {
            "bits_per_pixel": bits, "depth": depth, "big_endian": big != 0, "true_color": true != 0, "red_max": red,
            "green_max": green, "blue_max": blue, "red_shift": shifts[0], "green_shift": shifts[1],
            "blue_shift": shifts[2],
        }  # fmt: skip
        return {"width": width, "height": height, "name": text(name), "pixel_format": pixels}
