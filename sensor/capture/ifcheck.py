"""What is wrong with an interface that is to be listened on, and the command that mends it."""

from __future__ import annotations

import array
import fcntl
import socket
from pathlib import Path

from sensor.capture import uapi
from sensor.model.finding import ERROR, WARNING, Finding

_SYS = "/sys"
_PROC = "/proc"
_GUEST_MTU = 1500


def check(name: str, *, capturing: bool = False, sys: str = _SYS, proc: str = _PROC) -> list[Finding]:
    """Return the findings about an interface. capturing: a ring is open on it, so it must be promiscuous."""
    state = Path(sys, "class/net", name)
    if "/" in name or not state.exists():
        return [Finding(name, ERROR, "there is no such interface", "ip link show")]
    flags = int(_text(state / "flags") or "0", 16)
    found = _link(name, flags, int(_text(state / "mtu") or "0"), capturing=capturing)
    if int(_text(state / "type") or "0") == uapi.ARPHRD_LOOPBACK:
        return found
    return found + _quiet(name, flags, Path(proc)) + _offloads(name)


def check_erspan(name: str, *, sys: str = _SYS, proc: str = _PROC) -> list[Finding]:
    """Return the findings about an interface to which a mirror is sent: it must have an address."""
    state = Path(sys, "class/net", name)
    if "/" in name or not state.exists():
        return [Finding(name, ERROR, "there is no such interface", "ip link show")]
    found = _link(name, int(_text(state / "flags") or "0", 16), int(_text(state / "mtu") or "0"), capturing=False)
    if not _addresses(name, Path(proc)):
        found.append(Finding(name, WARNING, "it has no address: nobody can send a mirror to it",
                             f"ip address add ADDRESS dev {name}"))  # fmt: skip
    return found


def _link(name: str, flags: int, mtu: int, *, capturing: bool) -> list[Finding]:
    found = []
    if not flags & uapi.IFF_UP:
        found.append(Finding(name, WARNING, "it is down: nothing arrives", f"ip link set dev {name} up"))
    if capturing and not flags & uapi.IFF_PROMISC:
        found.append(Finding(name, WARNING, "it is not promiscuous: only frames to its own address arrive",
                             f"ip link set dev {name} promisc on"))  # fmt: skip
    if mtu < _GUEST_MTU:
        found.append(Finding(name, WARNING, f"its MTU of {mtu} is below that of guests: longer frames never arrive",
                             f"ip link set dev {name} mtu {_GUEST_MTU}"))  # fmt: skip
    return found


def _quiet(name: str, flags: int, proc: Path) -> list[Finding]:
    """Find what makes it answer: then watched guests can attack it, and its own frames pollute the capture."""
    found = []
    addresses = _addresses(name, proc)
    if addresses:
        found.append(Finding(name, WARNING, f"it has addresses ({', '.join(addresses)}): watched guests can reach the "
                             "sensor", f"ip address flush dev {name}"))  # fmt: skip
    if not flags & uapi.IFF_NOARP:
        found.append(Finding(name, WARNING, "it answers ARP requests", f"ip link set dev {name} arp off"))
    if _text(proc / "sys/net/ipv6/conf" / name / "disable_ipv6") == "0":
        found.append(Finding(name, WARNING, "it speaks IPv6: the sensor sends frames of its own",
                             f"sysctl -w net.ipv6.conf.{name.replace('.', '/')}.disable_ipv6=1"))  # fmt: skip
    return found


def _offloads(name: str) -> list[Finding]:
    found = []
    mend = f"ethtool -K {name} gro off lro off"
    if _ethtool(name, uapi.ETHTOOL_GGRO):
        found.append(Finding(name, WARNING, "GRO joins segments: sizes are not those on the wire", mend))
    if (_ethtool(name, uapi.ETHTOOL_GFLAGS) or 0) & uapi.ETH_FLAG_LRO:
        found.append(Finding(name, WARNING, "LRO joins segments and loses their headers", mend))
    queues = receive_queues(name)
    if queues > 1:
        found.append(Finding(name, WARNING, f"{queues} receive queues: packets of a connection may change their order",
                             f"ethtool -L {name} rx 1 || ethtool -L {name} combined 1"))  # fmt: skip
    now, most = receive_ring(name)
    if now < most:
        found.append(Finding(name, WARNING, f"the driver's ring holds {now} frames, it could hold {most}: bursts "
                             "are lost where the sensor counts nothing", f"ethtool -G {name} rx {most}"))  # fmt: skip
    return found


def receive_ring(name: str) -> tuple[int, int]:
    """Return how many frames the driver's receive ring holds, and could hold; (0, 0): it has none to be set."""
    values = _ethtool_call(name, uapi.ETHTOOL_RINGS.pack(uapi.ETHTOOL_GRINGPARAM, *[0] * 8))
    if values is None:
        return 0, 0
    fields = uapi.ETHTOOL_RINGS.unpack(values)
    return int(fields[5]), int(fields[1])


def receive_queues(name: str) -> int:
    """Return the number of receive queues that are in use, 0: unknown."""
    values = _ethtool_call(name, uapi.ETHTOOL_CHANNELS.pack(uapi.ETHTOOL_GCHANNELS, *[0] * 8))
    if values is None:
        return 0
    fields = uapi.ETHTOOL_CHANNELS.unpack(values)
    return int(fields[5] + fields[8])


def _ethtool(name: str, command: int) -> int | None:
    """Return a value of the driver, None where it has none."""
    values = _ethtool_call(name, uapi.ETHTOOL_VALUE.pack(command, 0))
    return None if values is None else int(uapi.ETHTOOL_VALUE.unpack(values)[1])


def _ethtool_call(name: str, data: bytes) -> bytes | None:
    buffer = array.array("B", data)
    request = uapi.IFREQ_POINTER.pack(name.encode(), buffer.buffer_info()[0])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            fcntl.ioctl(sock, uapi.SIOCETHTOOL, request)
        except OSError:  # the driver does not know the question
            return None
    return buffer.tobytes()


def _addresses(name: str, proc: Path) -> list[str]:
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            answer = fcntl.ioctl(sock, uapi.SIOCGIFADDR, uapi.IFREQ_POINTER.pack(name.encode(), 0))
            found.append(socket.inet_ntop(socket.AF_INET, answer[20:24]))
        except OSError:  # none
            pass
    for line in _text(proc / "net/if_inet6").splitlines():
        fields = line.split()
        if len(fields) == 6 and fields[5] == name:
            found.append(socket.inet_ntop(socket.AF_INET6, bytes.fromhex(fields[0])))
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
