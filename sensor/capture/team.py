"""The rings of several workers on one interface, as a fanout group: the kernel asks once who takes a frame.

A socket of a fanout group cannot be bound again when its interface comes back (packet_do_bind,
net/packet/af_packet.c), and to open another takes the privileges that the sensor has given up. So the group is bound to
no interface: it hears all of them, and each member's filter passes only the one that it is for, whatever number that
has today. What goes and comes back with the interface is another socket, which receives nothing.

A group numbers its members as they join, and no member ever leaves: the process that forks workers keeps all sockets
open. So a member's number is its worker's for as long as the sensor runs.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Sequence
from typing import Final

from sensor.capture import uapi
from sensor.capture.bpf import Instruction
from sensor.capture.rawinput import reason
from sensor.capture.shares import behind, divider
from sensor.capture.tap import Interface, Tap, attach, packet_socket, set_filter
from sensor.errors import CaptureError

_LD_ABS, _JEQ = 0x20, 0x15
_UINT: Final = struct.Struct("I")


class Team:
    """The workers' groups, one for each interface.

    of: workers. secret: of the hash; hosts must not choose who looks at them. Sockets join in the order of their
    workers. No frame is let in before the last has joined, since a group divides by the members that it has.
    """

    def __init__(self, of: int, secret: int) -> None:
        self._of, self._secret = of, secret
        self._groups: dict[str, int] = {}
        self._members: dict[str, list[TeamTap]] = {}

    def tap(self, name: str) -> TeamTap:
        """Return sockets for the next worker on an interface. Raises CaptureError."""
        return TeamTap(self, name)

    def join(self, tap: TeamTap, interface: Interface) -> None:
        """Make a socket the next member; the last lets frames in for all. Raises OSError."""
        name = interface.name
        group = self._groups.get(name)
        how = uapi.PACKET_FANOUT_CBPF | (uapi.PACKET_FANOUT_FLAG_UNIQUEID if group is None else 0)
        tap.sock.setsockopt(uapi.SOL_PACKET, uapi.PACKET_FANOUT, _UINT.pack((group or 0) | how << 16))
        if group is None:
            self._groups[name] = tap.sock.getsockopt(uapi.SOL_PACKET, uapi.PACKET_FANOUT) & 0xFFFF
            self.divide(tap.sock, interface.linktype)
        members = self._members.setdefault(name, [])
        members.append(tap)
        if len(members) == self._of:
            for one in members:
                one.admit()

    def divide(self, sock: socket.socket, linktype: int) -> None:
        """Tell a member's group how to divide frames of a link type. Raises OSError."""
        attach(sock, uapi.SOL_PACKET, uapi.PACKET_FANOUT_DATA, divider(self._of, self._secret, linktype))


class TeamTap(Tap):
    """One worker's sockets: a member of a group that hears all interfaces, and the one that is bound to its own."""

    def __init__(self, team: Team, name: str) -> None:
        self._team = team
        self._filter: list[Instruction] = []
        self._member = False
        self.door = _deaf(name, uapi.ETH_P_802_EX1)
        try:
            self.sock = _deaf(name, uapi.ETH_P_ALL)
        except CaptureError:
            self.door.close()
            raise

    def listen(self, interface: Interface, program: Sequence[Instruction]) -> None:
        """Hear a share of what a program (empty: anything) passes of an interface. Raises OSError."""
        self._filter = only_of(interface, program)
        self.door.bind((interface.name, uapi.ETH_P_802_EX1))
        if self._member:
            self._team.divide(self.sock, interface.linktype)
            self.admit()
        else:
            self._team.join(self, interface)
            self._member = True

    def admit(self) -> None:
        """Let frames in. Raises OSError."""
        set_filter(self.sock, self._filter)


def only_of(interface: Interface, program: Sequence[Instruction]) -> list[Instruction]:
    """Return a program that passes what another (empty: anything) passes of the frames of one interface.

    Of loopback, only as they are received: each is sent as well.
    """
    code: list[Instruction] = [(_LD_ABS, 0, 0, uapi.SKF_AD_IFINDEX), (_JEQ, 1, 0, interface.index), uapi.DROP_ALL]
    if interface.loopback:
        code += [(_LD_ABS, 0, 0, uapi.SKF_AD_PKTTYPE), (_JEQ, 0, 1, uapi.PACKET_OUTGOING), uapi.DROP_ALL]
    return behind([*code, uapi.PASS_ALL], program or [uapi.PASS_ALL])


def _deaf(name: str, protocol: int) -> socket.socket:
    """Return a socket on all interfaces that receives nothing: what came before the filter, PACKET_RX_RING removes."""
    sock = packet_socket(name, protocol)
    try:
        set_filter(sock, [uapi.DROP_ALL])
    except OSError as e:
        sock.close()
        raise CaptureError(f"{name}: cannot capture: {reason(e)}") from e
    return sock
