"""The data connections that a control connection announces, and what they will carry."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import Final

from sensor.model.app import TO_CLIENT, TO_SERVER
from sensor.model.expected import Announced, Expected
from sensor.proto.ftp import limits, parse
from sensor.proto.lines import LineReader

_COMMANDS = b"|".join(sorted(parse.ACTIVE | parse.PASSIVE | parse.RETRIEVE | parse.STORE))
_TELLING: Final = MappingProxyType(
    {TO_SERVER: re.compile(_COMMANDS, re.IGNORECASE), TO_CLIENT: re.compile(b"227|229")}
)
"""What stands in lines that announce something, by side."""


class FtpAnnouncer:
    """Reads one control connection. Holds two lines and what was announced last."""

    __slots__ = ("_lines", "_listener", "_port", "_transfer")

    def __init__(self) -> None:
        self._lines = (LineReader(limits.ANNOUNCED_LINE), LineReader(limits.ANNOUNCED_LINE))
        self._listener = TO_CLIENT
        self._port = 0
        self._transfer: Announced | None = None

    def feed(self, side: int, data: bytes) -> list[Expected]:
        """Take the next bytes of a side; return the connections for which everything is known now."""
        out: list[Expected] = []
        reader = self._lines[side]
        if reader.empty and data.endswith(b"\n") and _TELLING[side].search(data) is None:
            return out  # whole lines about something else: most
        reader.give(data)
        while (line := reader.next()) is not None:
            if side == TO_SERVER:
                self._on_command(line.text)
            elif (where := parse.passive(line.text)) is not None:
                self._listener, self._port = TO_CLIENT, where.port
            if self._port and self._transfer is not None:
                out.append(Expected(self._listener, self._port, self._transfer))
                self._port, self._transfer = 0, None
        return out

    def gap(self, side: int) -> None:
        """Go on with the next line."""
        self._lines[side].forget()

    def _on_command(self, line: bytes) -> None:
        word, arguments = parse.command(line)
        if word in parse.ACTIVE:
            where = parse.active(word, arguments)
            self._listener, self._port, self._transfer = TO_SERVER, where.port if where else 0, None
        elif word in parse.PASSIVE:
            self._port, self._transfer = 0, None
        elif word in parse.RETRIEVE:
            self._transfer = Announced(b"retr", arguments)
        elif word in parse.STORE:
            self._transfer = Announced(b"stor", arguments)
