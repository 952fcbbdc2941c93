import dhtmake as dht
import pytest
from handshakes import TO_SERVER
from test_probe import datagram

from sensor.proto.bittorrent import bencode
from sensor.proto.bittorrent.fields import SPEC
from sensor.proto.ids import BITTORRENT_DHT


def one(data):
    parser = SPEC.new_parser()
    (stage,) = parser.feed(TO_SERVER, data, 0)
    assert parser.anomalies() == []
    return stage.tx


def test_requests():
    assert one(dht.PING).eve() == {
        "transaction_id": "6161",
        "client_version": "55543031",
        "request_type": "ping",
        "request": {"id": dht.ME.hex()},
    }
    tx = one(dht.GET_PEERS)
    asked = {"id": dht.ME.hex(), "info_hash": dht.HASH.hex(), "token": "746f6b", "implied_port": 1, "port": 6881}
    assert tx.eve()["request"] == asked
    assert tx.buffer("bittorrent_dht.info_hash") == (dht.HASH,)


def test_answers():
    node = {"id": dht.HASH.hex(), "ip": "10.0.0.2", "port": 6881}
    node6 = {"id": dht.HASH.hex(), "ip": "0000:0000:0000:0000:0000:0000:0000:0001", "port": 6881}
    assert one(dht.NODES).eve()["response"] == {"id": dht.ME.hex(), "nodes": [node, node], "nodes6": [node6]}
    values = [{"ip": "10.0.0.3", "port": 80}]
    assert one(dht.VALUES).eve()["response"] == {"id": dht.ME.hex(), "values": values, "token": "746f6b"}


def test_errors():
    assert one(dht.ERROR).eve()["error"] == {"num": 201, "msg": "A Generic Error Ocurred"}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"i1e",
        dht.PING[:-1],
        dht.PING.replace(b"1:y1:q", b"1:y1:z"),
        dht.PING.replace(b"1:t2:aa", b"1:ti22e"),
        dht.PING.replace(b"20:", b"99999999999:"),
        b"d" * 1000,
        dht.encode({b"e": [10**19, b"x"], b"t": b"a", b"y": b"e"}),
        b"d1:al" + b"i0e" * bencode.MAX_VALUES + b"ee",
        b"d1:a" + b"l" * 8 + b"e" * 9,
        b"d1:ai-e1:y1:qe",
        b"di1ei1ee",
        dht.encode({b"r": {b"id": dht.ME, b"nodes": b"x" * 27}, b"t": b"a", b"y": b"r"}),
        dht.encode({b"e": [b"x", 1], b"t": b"a", b"y": b"e"}),
    ],
)
def test_malformed(data):
    parser = SPEC.new_parser()
    assert parser.feed(TO_SERVER, data, 0) == []
    assert [event.event for event, _ in parser.anomalies()] == ["bittorrent_dht.malformed_packet"]


@pytest.mark.parametrize("data", [dht.PING, dht.GET_PEERS, dht.NODES, dht.VALUES, dht.ERROR, b"d2:ip6:abcdef1:re"])
def test_detection(data):
    assert datagram(data) == BITTORRENT_DHT


@pytest.mark.parametrize("data", [b"d1:ad2:id20:", b"d1:bd2:id20:" + bytes(30), b"data and more data", b"d2:ip"])
def test_not_the_hash_table(data):
    assert datagram(data) != BITTORRENT_DHT
