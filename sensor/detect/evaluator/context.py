"""What a rule is judged on: buffers as windows of bytes, numbers of the packet, variables of the flow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sensor.detect.state.bits import FlowVars
    from sensor.detect.state.hostbits import HostBits


class Window:
    """Bytes of one buffer instance, and what was derived from them while rules were judged.

    `base` is the stream offset of `data[0]`: 0 for every buffer but the inspection window of a stream, whose
    offsets and depths count from the start of the stream.
    """

    __slots__ = ("_lower", "_views", "base", "data")

    def __init__(self, data: bytes, base: int = 0) -> None:
        self.data = data
        self.base = base
        self._lower: bytes | None = None
        self._views: dict[str, Window] | None = None

    @property
    def lower(self) -> bytes:
        """`data` with ASCII letters lowered, computed once."""
        if self._lower is None:
            self._lower = self.data.lower()
        return self._lower

    def view(self, key: str, change: Callable[[bytes], bytes]) -> Window:
        """Return the window of `change(data)`, computed once per key. Its base is 0."""
        if self._views is None:
            self._views = {}
        found = self._views.get(key)
        if found is None:
            found = self._views[key] = Window(change(self.data))
        return found


class Context(Protocol):
    """One thing that rules are judged on: a packet, a stream window or a transaction."""

    ts_ns: int
    """Packet time."""
    src: bytes
    """Source address in 16 bytes, as the event is seen; so is the next."""
    dest: bytes
    host_bits: HostBits

    @property
    def flow_vars(self) -> FlowVars | None:
        """None: the packet belongs to no flow (conditions on flow variables then fail, negated ones too)."""

    @property
    def packet_vars(self) -> FlowVars:
        """Return the texts that regexes have kept for the packet at hand; to be added to."""

    def instances(self, buffer: str) -> Sequence[Window]:
        """Return the instances of a buffer (none: it is absent), the same objects each time: they cache."""

    def numbers(self, field: str) -> Sequence[int]:
        """Return the values of a number of the transaction (`sensor.proto.registry.NUMBERS`)."""

    def header(self, field: str) -> int | None:
        """Return a number of the packet or flow (`sensor.detect.packets.header`); None: it has no such field."""
