"""Why workers' rings have their shares as filters, and are no fanout group: what this kernel does says so."""

import errno
import socket
import struct

import pytest
from livekit import command, inside

pytestmark = pytest.mark.live

SOL_PACKET, PACKET_FANOUT, PACKET_FANOUT_HASH, PACKET_FANOUT_CBPF = 263, 18, 0, 6
ETH_P_ALL = 3
NAME = "why0"


@pytest.fixture
def card(lab):
    """An interface that can be taken away and come back, in the monitor's namespace."""
    with inside(lab.monitor):
        command(f"ip link add {NAME} type veth peer name why1")
        command(f"ip link set {NAME} up")
        yield
        command(f"ip link del {NAME}")


def opened(group=None, kind=PACKET_FANOUT_HASH):
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    sock.bind((NAME, ETH_P_ALL))
    if group is not None:
        sock.setsockopt(SOL_PACKET, PACKET_FANOUT, struct.pack("I", group | kind << 16))
    return sock


def bound_again(sock):
    """Return the error number of a socket that is bound to its interface again, 0: it is."""
    try:
        sock.bind((NAME, ETH_P_ALL))
    except OSError as error:
        return error.errno
    return 0


@pytest.mark.usefixtures("card")
@pytest.mark.parametrize("kind", [PACKET_FANOUT_HASH, PACKET_FANOUT_CBPF], ids=["hash", "cbpf"])
def test_a_member_of_a_fanout_group_is_lost_with_its_interface(kind):
    """A guest's vif goes and comes back; a sensor that gave up its privileges cannot open another socket then."""
    with opened() as plain, opened(7, kind) as first, opened(7, kind) as second:
        command(f"ip link del {NAME}")
        command(f"ip link add {NAME} type veth peer name why1")
        command(f"ip link set {NAME} up")
        assert [bound_again(sock) for sock in (plain, first, second)] == [0, errno.EINVAL, errno.EINVAL]
