"""A bridge of Open vSwitch: one Mirror record whose output is a link into the hub.

The record selects ports as sources only, so each frame is copied once, where it comes in. The hub stays a bridge of the
kernel: the record survives restarts of the sensor, and losses are counted in the same place.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from typing import Any, NamedTuple

from xensor_mirror.hub import FEED
from xensor_mirror.ports import Choice, choose
from xensor_mirror.record import Mirror
from xensor_mirror.system import bridge_ports, exists, figure, run, run_json

_VSCTL = ("ovs-vsctl", "--timeout=5")
_OUT = ".out"


class _State(NamedTuple):
    """The Mirror record as it is."""

    selected: frozenset[str]
    """Names of ports."""
    output: str
    """Name of a port, empty: none."""
    copied: int


def bridges() -> list[str]:
    """Return the bridges of Open vSwitch, none where it is not installed. Raises MirrorError where it does not run."""
    return run(*_VSCTL, "list-br").split() if shutil.which(_VSCTL[0]) else []


class OpenVSwitch:
    """The mirror of one bridge."""

    kind = "openvswitch"

    def __init__(self, mirror: Mirror) -> None:
        self._mirror = mirror
        self._bridge = mirror.bridge
        self._name = f"xensor-{mirror.bridge}"
        self._out, self._feed = mirror.bridge + _OUT, mirror.bridge + FEED

    def choice(self) -> Choice:
        """Sort the bridge's ports. Raises MirrorError."""
        ports = run(*_VSCTL, "list-ports", self._bridge).split()
        return choose(self._mirror, [port for port in ports if port != self._out])

    def missing(self) -> list[str]:
        """Return the ports that are not copied though they should be."""
        state = self._state()
        working = state is not None and state.output == self._out and self._feed in bridge_ports(self._mirror.hub)
        selected = state.selected if state and working else frozenset()
        return [port for port in self._wanted() if port not in selected]

    def figures(self) -> tuple[int, int]:
        """Return frames copied, and those that could not be handed to the hub."""
        state = self._state()
        return state.copied if state else 0, figure(self._out, "statistics/tx_dropped")

    def repair(self) -> list[str]:
        """Bring link and record to what they must be; return the ports that were not copied before."""
        mended = self.missing()
        self._link()
        wanted, state = self._wanted(), self._state()
        if state is None or state.output != self._out or state.selected != set(wanted):
            self._set(wanted, anew=state is None)
        return mended

    def longest(self) -> int:
        """Return the largest MTU among the ports that are copied; the link takes it, too."""
        longest = max((figure(port, "mtu") for port in self.choice().copied), default=0)
        for name in (self._out, self._feed):
            if 0 < figure(name, "mtu") < longest:
                run("ip", "link", "set", "dev", name, "mtu", str(longest))
        return longest

    def remove(self) -> None:
        """Take the record and the link away."""
        if self._state() is not None:
            run(*_VSCTL, "--id=@m", "get", "Mirror", self._name, "--", "remove", "Bridge", self._bridge, "mirrors",
                "@m")  # fmt: skip
        run(*_VSCTL, "--if-exists", "del-port", self._out)
        if exists(self._out):
            run("ip", "link", "del", self._out)

    def attach(self, port: str) -> None:
        """Make an interface a port that is copied: the probe's."""
        run(*_VSCTL, "--may-exist", "add-port", self._bridge, port)
        if self._state() is None:
            return  # nothing is copied, and the probe will say so
        run(*_VSCTL, "--id=@p", "get", "Port", port, "--", "add", "Mirror", self._name, "select_src_port", "@p")

    def detach(self, port: str) -> None:
        """Undo that; the record lets go of a port that is no more."""
        run(*_VSCTL, "--if-exists", "del-port", port)

    def _wanted(self) -> list[str]:
        # The bridge's own port has its name: by it comes in what dom0 sends.
        return [*self.choice().copied, *([self._bridge] if self._mirror.host else [])]

    def _link(self) -> None:
        if not exists(self._out):
            run("ip", "link", "add", self._out, "type", "veth", "peer", "name", self._feed)
        run("ip", "link", "set", "dev", self._feed, "master", self._mirror.hub)
        for name in (self._out, self._feed):
            run("ip", "link", "set", "dev", name, "addrgenmode", "none", "arp", "off", "up")
        run(*_VSCTL, "--may-exist", "add-port", self._bridge, self._out)

    def _set(self, wanted: Sequence[str], *, anew: bool) -> None:
        sources = [word for at, port in enumerate(wanted) for word in (f"--id=@s{at}", "get", "Port", port, "--")]
        selected = f"select_src_port=[{','.join(f'@s{at}' for at in range(len(wanted)))}]"
        out = ("--id=@o", "get", "Port", self._out, "--")
        if anew:
            run(*_VSCTL, *sources, *out, "--id=@m", "create", "Mirror", f"name={self._name}", selected,
                "output_port=@o", "--", "add", "Bridge", self._bridge, "mirrors", "@m")  # fmt: skip
        else:
            run(*_VSCTL, *sources, *out, "set", "Mirror", self._name, selected, "output_port=@o")

    def _state(self) -> _State | None:
        rows = _table("--columns=select_src_port,output_port,statistics", "find", "Mirror", f"name={self._name}")
        if not rows:
            return None
        names = {uuid: name for (_, uuid), name in _table("--columns=_uuid,name", "list", "Port")}
        sources, output, statistics = rows[0]
        selected = frozenset(names.get(uuid, "") for uuid in _uuids(sources))
        outputs = [names.get(uuid, "") for uuid in _uuids(output)]
        return _State(selected, outputs[0] if outputs else "", int(dict(statistics[1]).get("tx_packets", 0)))


def _table(*words: str) -> list[Any]:
    """Return the rows of a table as OVSDB writes them (RFC 7047, 5.1)."""
    found = run_json(*_VSCTL, "--format=json", *words)
    return list(found["data"]) if found else []


def _uuids(value: Any) -> list[str]:  # noqa: ANN401 - ["uuid", x], or ["set", [["uuid", x], …]]
    kind, inner = value
    return [inner] if kind == "uuid" else [uuid for _, uuid in inner]
