"""The inventory that dom0 publishes in xenstore: too long for one value (4 KiB), so a head and numbered parts.

The head has the generation and the number of parts; each part has the generation, too, and some of the guests
(`deploy/dom0/xensor_mirror/guests.py`). Parts of another generation than the head's are of an inventory that is being
written: it is read again from its head.
"""

from __future__ import annotations

import json
from typing import Any, Final

from sensor.xen.report import ReportError
from sensor.xen.xenbus import Xenbus

NODE: Final = "data/ids/guests"
"""Below this guest's own folder (`/local/domain/ID`); dom0 writes it and lets this guest only read it."""
VERSION: Final = 1
_MAX_PARTS: Final = 256


class GuestListSource:
    """Reads the head with each `poll`, and the parts one after the other where it is another head than before."""

    def __init__(self, bus: Xenbus, node: str = NODE) -> None:
        self._bus = bus
        self._node = node
        self._head = b""
        """The last head that was read."""
        self._done = b""
        """The one whose inventory was given."""
        self._parts = 0
        self._guests: list[Any] = []
        self._next = -1
        """Part that is asked for, -1: the head."""

    def poll(self) -> str | None:
        """Return a whole inventory as JSON that has not been returned before, None: there is none (yet)."""
        try:
            while True:
                if not self._bus.asked:
                    self._bus.ask(self._node if self._next < 0 else f"{self._node}/{self._next}")
                body = self._bus.answer()
                if body is None:
                    return None
                if self._next < 0 and body == self._done:
                    return None
                found = self._take(body)
                if found is not None:
                    return found or None
        except BlockingIOError:
            return None
        except ReportError:
            self._restart()
            raise

    def close(self) -> None:
        """Close the device."""
        self._bus.close()

    def _restart(self) -> None:
        self._next, self._guests, self._done = -1, [], b""

    def _take(self, body: bytes) -> str | None:
        """Take the head or a part; return the inventory once it is whole, "" where it must be read again."""
        whole = _json(body)
        if self._next < 0:
            self._head, self._guests, self._parts = body, [], _count(whole)
        elif whole.get("generation") != _json(self._head).get("generation"):
            self._restart()
            return ""
        else:
            self._guests += whole.get("guests") or []
        self._next += 1
        if self._next < self._parts:
            return None
        self._done, self._next = self._head, -1
        guests, self._guests = self._guests, []
        return json.dumps({"host": _json(self._head).get("host"), "guests": guests})


def _json(body: bytes) -> dict[str, Any]:
    try:
        whole = json.loads(body)
    except (ValueError, RecursionError) as e:
        raise ReportError("the inventory in xenstore is no JSON") from e
    if not isinstance(whole, dict) or not isinstance(whole.get("guests", []), list):
        raise ReportError("the inventory in xenstore is not one")
    return whole


def _count(head: dict[str, Any]) -> int:
    parts = head.get("parts")
    if head.get("version") != VERSION:
        raise ReportError(f"the inventory in xenstore is not of version {VERSION}")
    if not isinstance(parts, int) or not 0 <= parts <= _MAX_PARTS:
        raise ReportError(f"the inventory in xenstore has {parts} parts")
    return parts
