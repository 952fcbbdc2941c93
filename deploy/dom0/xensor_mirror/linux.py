"""A bridge of the kernel: one filter per port that copies what comes in to the hub.

A port's ingress in dom0 is what its guest sends, so one ingress filter per port copies each frame exactly once; ingress
and egress together would copy it twice.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

from xensor_mirror.ports import Choice, choose
from xensor_mirror.record import Mirror
from xensor_mirror.system import MirrorError, bridge_ports, figure, is_bridge, run, run_batch, run_json

_CLASSIFIERS = (("matchall",), ("u32", "match", "u32", "0", "0"))
"""Match every frame; kernels have one, the other, or both."""
INGRESS, EGRESS = "ingress", "egress"


class Filter:
    """Our filter on one port, as the kernel tells it."""

    def __init__(self, action: dict[str, Any]) -> None:
        self.to = str(action.get("to_dev", ""))
        """`*`: the interface it copied to has gone, and it is dead even if one of that name comes again."""
        stats = action.get("stats", {})
        self.packets = int(stats.get("packets", 0))
        self.failed = int(stats.get("overlimits", 0)) + int(stats.get("drops", 0))


class LinuxBridge:
    """The mirror of one bridge."""

    kind = "linux"

    def __init__(self, mirror: Mirror) -> None:
        self._mirror = mirror
        self._seen: dict[tuple[str, str], Filter | None] = {}
        """What was found already; one operation looks at each port several times."""

    def choice(self) -> Choice:
        """Sort the bridge's ports. Raises MirrorError where there is no such bridge."""
        if not is_bridge(self._mirror.bridge):
            raise MirrorError(f"there is no bridge {self._mirror.bridge}")
        return choose(self._mirror, bridge_ports(self._mirror.bridge))

    def places(self) -> list[tuple[str, str]]:
        """Return (interface, direction) of each filter that must be there."""
        found = [(port, INGRESS) for port in self.choice().copied]
        # What dom0 sends leaves by the bridge's own interface and comes in on no port.
        return found + ([(self._mirror.bridge, EGRESS)] if self._mirror.host else [])

    def missing(self) -> list[str]:
        """Return the ports that are not copied though they should be."""
        places = self.places()
        self._look(places)
        return [port for port, way in places if not self._works(port, way)]

    def figures(self) -> tuple[int, int]:
        """Return frames copied, and those that could not be handed to the hub."""
        found = [one for port, way in self.places() if (one := self._find(port, way))]
        return sum(one.packets for one in found), sum(one.failed for one in found)

    def repair(self) -> list[str]:
        """Put the filters where they belong, and only there; return the ports that were not copied before."""
        choice = self.choice()
        self._look([(port, INGRESS) for port in choice.exempt])
        mended = self.missing()
        for port, way in self.places():
            if not self._works(port, way):
                self.put(port, way)
        for port in choice.exempt:
            self._take(port, INGRESS)
        return mended

    def longest(self) -> int:
        """Return the largest MTU among the ports that are copied."""
        return max((figure(port, "mtu") for port in self.choice().copied), default=0)

    def remove(self) -> None:
        """Take all filters away, those on ports that are not copied any more included."""
        for port in bridge_ports(self._mirror.bridge):
            self._take(port, INGRESS)
        if is_bridge(self._mirror.bridge):
            self._take(self._mirror.bridge, EGRESS)

    def attach(self, port: str) -> None:
        """Make an interface a port that is copied: the probe's."""
        if not is_bridge(self._mirror.bridge):
            raise MirrorError(f"there is no bridge {self._mirror.bridge}")
        run("ip", "link", "set", "dev", port, "master", self._mirror.bridge)
        self.put(port, INGRESS)

    def detach(self, port: str) -> None:
        """Nothing to do: filter and port go with the interface."""

    def put(self, port: str, way: str) -> None:
        """Put the filter on a port. Raises MirrorError where the port cannot have one."""
        self._take(port, way)
        if not _has_clsact(port):
            run("tc", "qdisc", "add", "dev", port, "clsact")
        others = run_json("tc", "-j", "filter", "show", "dev", port, way)
        if any(entry.get("pref") == self._mirror.pref for entry in others):
            raise MirrorError(f"{port}: another filter has preference {self._mirror.pref}: choose one with --pref")
        self._seen.pop((port, way), None)
        problems = []
        for classifier in _CLASSIFIERS:
            # `continue`: filters of other programs behind this one still see the frame.
            action = ("action", "mirred", EGRESS, "mirror", "dev", self._mirror.hub, "continue")
            try:
                run("tc", "filter", "add", "dev", port, way, "pref", str(self._mirror.pref), "protocol", "all",
                    *classifier, *action)  # fmt: skip
            except MirrorError as e:
                problems.append(str(e))
            else:
                return
        raise MirrorError("\n".join(problems))

    def _works(self, port: str, way: str) -> bool:
        found = self._find(port, way)
        return found is not None and found.to == self._mirror.hub

    def _look(self, places: Sequence[tuple[str, str]]) -> None:
        """Find the filters of many ports at once. Where one of the ports has just gone, each is looked at by itself."""
        wanted = [place for place in places if place not in self._seen]
        with contextlib.suppress(MirrorError):
            answers = run_batch([f"filter show dev {port} {way}" for port, way in wanted])
            self._seen |= {place: self._ours(answer) for place, answer in zip(wanted, answers)}

    def _find(self, port: str, way: str) -> Filter | None:
        """Return our filter on a port, dead ones included."""
        if (port, way) not in self._seen:
            try:
                answer = run_json("tc", "-j", "-s", "filter", "show", "dev", port, way)
            except MirrorError:  # the port went away while we looked
                answer = []
            self._seen[port, way] = self._ours(answer)
        return self._seen[port, way]

    def _ours(self, filters: list[dict[str, Any]]) -> Filter | None:
        for entry in filters:
            for action in entry.get("options", {}).get("actions", ()):
                if action.get("kind") == "mirred" and action.get("mirred_action") == "mirror":
                    found = Filter(action)
                    if entry.get("pref") == self._mirror.pref and found.to in {self._mirror.hub, "*"}:
                        return found
        return None

    def _take(self, port: str, way: str) -> None:
        """Take our filter away, and the filters' place where nobody else has any."""
        if self._find(port, way) is None:
            return
        self._seen.pop((port, way))
        run("tc", "filter", "del", "dev", port, way, "pref", str(self._mirror.pref))
        if not any(run_json("tc", "-j", "filter", "show", "dev", port, one) for one in (INGRESS, EGRESS)):
            run("tc", "qdisc", "del", "dev", port, "clsact")


def _has_clsact(port: str) -> bool:
    return any(entry.get("kind") == "clsact" for entry in run_json("tc", "-j", "qdisc", "show", "dev", port))
