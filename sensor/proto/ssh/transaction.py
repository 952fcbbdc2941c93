"""The one transaction of an SSH flow: banners and key exchange offers of both ends."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from sensor.model.app import TO_CLIENT, TO_SERVER
from sensor.proto.ssh import eve
from sensor.proto.ssh.parse import Banner, KexInit, hassh_string, md5


class SshTransaction:
    """One SSH connection's start. Holds at most two banners (255 bytes) and two KEXINITs (35,000 bytes)."""

    __slots__ = ("banners", "id", "kex")

    def __init__(self) -> None:
        self.id = 0
        self.banners: list[Banner | None] = [None, None]
        """By the side that sent it: client, server; so is the next."""
        self.kex: list[KexInit | None] = [None, None]

    def buffer(self, name: str) -> Sequence[bytes]:
        """Return the one instance of a buffer; empty where it is absent."""
        read = _BUFFERS.get(name)
        value = read(self) if read else b""
        return (value,) if value else ()

    def eve(self) -> dict[str, Any]:
        """Return the EVE object."""
        ends = {
            "client": eve.peer(self.banners[TO_SERVER], self.kex[TO_SERVER], TO_SERVER),
            "server": eve.peer(self.banners[TO_CLIENT], self.kex[TO_CLIENT], TO_CLIENT),
        }
        return {name: fields for name, fields in ends.items() if fields}


def _proto(side: int) -> Callable[[SshTransaction], bytes]:
    return lambda tx: b.proto if (b := tx.banners[side]) else b""


def _software(side: int) -> Callable[[SshTransaction], bytes]:
    return lambda tx: b.software if (b := tx.banners[side]) else b""


def _string(side: int) -> Callable[[SshTransaction], bytes]:
    return lambda tx: hassh_string(k, side) if (k := tx.kex[side]) else b""


def _hash(side: int) -> Callable[[SshTransaction], bytes]:
    return lambda tx: md5(hassh_string(k, side)).encode() if (k := tx.kex[side]) else b""


_BUFFERS: Mapping[str, Callable[[SshTransaction], bytes]] = MappingProxyType(
    {
        "ssh.proto": _proto(TO_SERVER),
        "ssh.proto@to_client": _proto(TO_CLIENT),
        "ssh.software": _software(TO_SERVER),
        "ssh.software@to_client": _software(TO_CLIENT),
        "ssh.hassh": _hash(TO_SERVER),
        "ssh.hassh.string": _string(TO_SERVER),
        "ssh.hassh.server": _hash(TO_CLIENT),
        "ssh.hassh.server.string": _string(TO_CLIENT),
    }
)
