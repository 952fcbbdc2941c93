import dpkt
import pytest
from handshakes import TO_CLIENT, TO_SERVER, dhcp, option

from sensor.model.anomaly import AppAnomaly
from sensor.proto.dhcp import parse, state
from sensor.proto.dhcp.fields import SPEC
from sensor.proto.dhcp.state import DhcpParser
from sensor.proto.oddities import MAX_ANOMALIES

END = b"\xff"
ACK = (
    option(53, b"\5")
    + option(54, b"\x0a\0\0\2")
    + option(51, b"\0\0\x0e\x10")
    + option(58, b"\0\0\x07\x08")
    + option(59, b"\0\0\x0c\x4e")
    + option(1, b"\xff\xff\xff\0")
    + option(3, b"\x0a\0\0\1\x0a\0\0\xfe")
    + option(6, b"\x08\x08\x08\x08\x09")
    + option(15, b"lab.example")
    + END
)
REQUEST = (
    option(53, b"\3")
    + b"\0\0"
    + option(61, b"\1\x00\x16\x3e\1\2\3")
    + option(12, b"web\xff-03")
    + option(50, b"\x0a\0\0\x64")
    + option(60, b"MSFT 5.0")
    + option(55, bytes([1, 3, 6, 15, 43, 42, 150]))
    + END
)


def one(data, side=TO_SERVER):
    parser = DhcpParser()
    stages = parser.feed(side, data, 0)
    return stages[0].tx, parser.anomalies()


def test_request():
    tx, odd = one(dhcp(1, REQUEST))
    assert odd == []
    assert tx.eve() == {
        "type": "request",
        "id": 0x11223344,
        "client_mac": "00:16:3e:01:02:03",
        "assigned_ip": "0.0.0.0",  # noqa: S104 - an address on the wire
        "client_ip": "10.0.0.1",
        "dhcp_type": "request",
        "client_id": "00:16:3e:01:02:03",
        "requested_ip": "10.0.0.100",
        "hostname": "web\\xff-03",
        "vendor_class_identifier": "MSFT 5.0",
        "params": ["subnet_mask", "router", "dns_server", "domain", "ntp_server", "tftp_server_ip"],
    }
    assert tx.buffer("dhcp.type") == (b"request",)
    assert tx.buffer("dhcp.hostname") == (b"web\xff-03",)
    assert tx.buffer("dhcp.client_mac") == (b"00:16:3e:01:02:03",)
    assert tx.buffer("dhcp.requested_ip") == (b"10.0.0.100",)
    assert tx.buffer("dhcp.vendor_class") == (b"MSFT 5.0",)
    assert tx.buffer("dhcp.server_id") == tx.buffer("dhcp.leasetime") == tx.buffer("nope") == ()


def test_reply():
    tx, odd = one(dhcp(2, ACK, yiaddr=b"\x0a\0\0\x64"), TO_CLIENT)
    assert odd == []
    assert tx.eve() == {
        "type": "reply",
        "id": 0x11223344,
        "client_mac": "00:16:3e:01:02:03",
        "assigned_ip": "10.0.0.100",
        "client_ip": "10.0.0.1",
        "relay_ip": "10.0.0.3",
        "next_server_ip": "10.0.0.2",
        "dhcp_type": "ack",
        "lease_time": 3600,
        "renewal_time": 1800,
        "rebinding_time": 3150,
        "subnet_mask": "255.255.255.0",
        "dns_servers": ["8.8.8.8"],
        "routers": ["10.0.0.1", "10.0.0.254"],
    }
    assert tx.buffer("dhcp.server_id") == (b"10.0.0.2",)
    assert tx.buffer("dhcp.leasetime") == (b"\0\0\x0e\x10",)
    assert tx.buffer("dhcp.domain") == (b"lab.example",)


def test_buffers_are_declared():
    assert set(state._BUFFERS) == {b.name for b in SPEC.buffers}


def test_transactions_are_numbered():
    parser = DhcpParser()
    stages = [parser.feed(side, dhcp(side + 1, END), 0)[0] for side in (TO_SERVER, TO_CLIENT, TO_SERVER)]
    assert [(s.tx.id, s.stage, s.side) for s in stages] == [(0, 0, 0), (1, 0, 1), (2, 0, 0)]
    assert parser.gap(0, 5, 0) == parser.finish(0) == []
    assert not parser.done


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        (1, "discover"),
        (2, "offer"),
        (4, "decline"),
        (6, "nak"),
        (7, "release"),
        (8, "inform"),
        (0, "unknown"),
        (99, "unknown"),
    ],
)
def test_message_types(kind, word):
    assert one(dhcp(1, option(53, bytes([kind])) + END))[0].eve()["dhcp_type"] == word


def test_bootp_has_no_type():
    tx, _ = one(dhcp(1, END))
    assert "dhcp_type" not in tx.eve()
    assert tx.buffer("dhcp.type") == ()


def test_split_option_is_joined():
    """RFC 3396."""
    tx, _ = one(dhcp(1, option(12, b"long-") + option(53, b"\1") + option(12, b"name") + END))
    assert tx.buffer("dhcp.hostname") == (b"long-name",)


@pytest.mark.parametrize(("overload", "found"), [(1, b"infile"), (2, b"insname"), (3, b"infileinsname")])
def test_overloaded_fields(overload, found):
    """RFC 2132 section 9.3."""
    data = dhcp(
        1,
        option(52, bytes([overload])) + END,
        file=option(12, b"infile") + END,
        sname=option(12, b"insname") + END,
    )
    assert one(data)[0].buffer("dhcp.hostname") == (found,)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\1" * 239,
        dhcp(3, END),
        dhcp(1, END)[:239],
        dhcp(1, END).replace(b"\x63\x82\x53\x63", b"\0\0\0\0"),
    ],
)
def test_not_dhcp(data):
    parser = DhcpParser()
    assert parser.feed(TO_SERVER, data, 0) == []
    assert parser.anomalies() == [(AppAnomaly.DHCP_MALFORMED, TO_SERVER)]


def test_cut_option_keeps_those_before():
    tx, odd = one(dhcp(1, option(12, b"host") + b"\x3c\x20MS"))
    assert tx.buffer("dhcp.hostname") == (b"host",)
    assert odd == [(AppAnomaly.DHCP_MALFORMED, TO_SERVER), (AppAnomaly.DHCP_TRUNCATED_OPTIONS, TO_SERVER)]


@pytest.mark.parametrize(("options", "truncated"), [
    (option(53, b"\1") + END, False),
    (option(53, b"\1") + END + b"\0\0more", False),
    (option(53, b"\1") + b"\0" + END, True),
    (option(53, b"\1") + b"\0\0" + END, False),  # a pad has a size in Suricata
    (option(53, b"\1") + b"\0\0\0" + option(51, bytes(4)) + END, True),
    (option(53, b"\1") + b"\0\0" + option(51, bytes(4)) * 2 + END, False),
    (option(53, b"\1"), True),
    (b"", True),
    (option(51, b"\1\1") + END, True),
    (option(50, b"\1\1\1") + END, False),
    (option(61, b"\1") + END, True),
    (option(61, b"\1\1") + END, False),
])  # fmt: skip
def test_options_that_are_cut_short(options, truncated):
    assert one(dhcp(1, options))[1] == [(AppAnomaly.DHCP_TRUNCATED_OPTIONS, TO_SERVER)] * truncated


def test_option_flood_is_bounded():
    tx, odd = one(dhcp(1, option(12, b"") * (parse.MAX_OPTIONS - 1) + option(60, b"in") + option(15, b"out")))
    assert (tx.buffer("dhcp.vendor_class"), tx.buffer("dhcp.domain")) == ((b"in",), ())
    assert odd[0] == (AppAnomaly.DHCP_MALFORMED, TO_SERVER)


def test_anomalies_are_bounded():
    parser = DhcpParser()
    for _ in range(1000):
        parser.feed(TO_SERVER, b"", 0)
    assert len(parser.anomalies()) == MAX_ANOMALIES


@pytest.mark.parametrize("data", [dhcp(1, REQUEST), dhcp(2, ACK, yiaddr=b"\x0a\0\0\x64")])
def test_same_as_dpkt(data):
    mine, theirs = parse.message(data), dpkt.dhcp.DHCP(data)
    assert mine.op == theirs.op
    assert mine.xid == theirs.xid
    assert mine.client_mac == theirs.chaddr[: theirs.hln]
    assert [
        int.from_bytes(a, "big") for a in (mine.client_ip, mine.assigned_ip, mine.next_server_ip, mine.relay_ip)
    ] == [
        theirs.ciaddr,
        theirs.yiaddr,
        theirs.siaddr,
        theirs.giaddr,
    ]
    assert mine.options == {code: value for code, value in theirs.opts if code}
