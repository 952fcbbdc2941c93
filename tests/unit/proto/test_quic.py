import numpy as np
import pytest
import quicmake as make
from handshakes import TO_CLIENT, TO_SERVER
from quicmake import CHLO, HELLO, SERVER_HELLO, V1, V2, ack, crypto, initial
from test_probe import datagram

from sensor.model.anomaly import AppAnomaly
from sensor.model.rows import APP_UNKNOWN
from sensor.proto.ids import QUIC
from sensor.proto.quic import google, kernels_aes, keys, parse, state, transaction
from sensor.proto.quic.fields import SPEC
from sensor.proto.quic.state import QuicParser


def array(text):
    return np.frombuffer(bytes.fromhex(text), np.uint8)


def run(*datagrams):
    """Feed (side, bytes) pairs; return parser, transactions, names of anomalies."""
    parser = QuicParser()
    stages = [stage for side, data in datagrams for stage in parser.feed(side, data, 0)]
    return parser, [stage.tx for stage in stages], [odd.event for odd, _ in parser.anomalies()]


def test_aes():
    """FIPS 197 appendix B."""
    out = np.empty(16, np.uint8)
    kernels_aes.block(array("2b7e151628aed2a6abf7158809cf4f3c"), array("3243f6a8885a308d313198a2e0370734"), out)
    assert out.tobytes().hex() == "3925841d02dc09fbdc118597196a0b32"


SEALED = (
    "42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e"
    "21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e0915bc94fbc3221a5db94fae95ae7121a47"
)


@pytest.mark.parametrize("flipped", [-1, 0, 20, 59, 60, 75])
def test_gcm(flipped):
    """Test case 4 of the GCM specification (McGrew and Viega, 2004), and the same with a bit changed."""
    sealed = bytearray.fromhex(SEALED)
    if flipped >= 0:
        sealed[flipped] ^= 1
    out = np.zeros(60, np.uint8)
    size = kernels_aes.unseal(
        array("feffe9928665731c6d6a8f9467308308"),
        array("cafebabefacedbaddecaf888"),
        array("feedfacedeadbeeffeedfacedeadbeefabaddad2"),
        np.frombuffer(bytes(sealed), np.uint8),
        out,
    )
    assert size == (60 if flipped < 0 else -1)
    if flipped < 0:
        assert out.tobytes().hex() == (
            "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
            "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
        )


def test_keys():
    """RFC 9001 appendix A.1."""
    client, server = keys.initial(V1, make.DCID)
    assert client.key.hex() == "1f369613dd76d5467730efcbe3b1a22d"
    assert server.iv.hex() == "0ac1493ca1905853b0bba03e"
    assert server.mask.hex() == "c206b8d9b9f0f37644430b490eeaa314"
    assert keys.initial(0x1A2A3A4A, make.DCID) is None


RFC9001_A3 = bytes.fromhex(
    "cf000000010008f067a5502a4262b5004075c0d95a482cd0991cd25b0aac406a5816b6394100f37a1c69797554780bb38cc5a99f5ede4cf7"
    "3c3ec2493a1839b3dbcba3f6ea46c5b7684df3548e7ddeb9c3bf9c73cc3f3bded74b562bfb19fb84022f8ef4cdd93795d77d06edbb7aaf2f"
    "58891850abbdca3d20398c276456cbc42158407dd074ee"
)


def test_the_answer_of_the_standard():
    """RFC 9001 appendix A.3, behind a client's packet that shows the connection id."""
    _, (_, answer), odd = run((TO_SERVER, initial(ack())), (TO_CLIENT, RFC9001_A3))
    assert odd == []
    assert answer.server.cipher == 0x1301
    assert answer.buffer("ja3s.string") == (b"771,4865,51-43",)


@pytest.mark.parametrize("version", [V1, V2, 0x709A50C4, 0xFF00001D, 0xFF000017, 0xFACEB002, 0x54303531])
def test_hellos(version):
    parser, (first, second), odd = run(
        (TO_SERVER, initial(crypto(HELLO) + bytes(200), version=version)),
        (TO_CLIENT, initial(ack() + crypto(SERVER_HELLO), TO_CLIENT, version)),
    )
    assert odd == []
    assert parser.done
    assert first.buffer("quic.version") == (version.to_bytes(4, "big"),)
    assert first.buffer("quic.sni") == (b"www.example.org",)
    assert first.buffer("ja4.hash")[0].startswith(b"q13d0204h3_")
    assert first.buffer("ja3.string")[0].startswith(b"771,4865-4866,0-16-43-13")
    assert second.buffer("ja3s.string") == (b"771,4865,43",)
    assert second.buffer("quic.sni") == second.buffer("ja3.hash") == ()


def test_eve():
    _, (tx,), _ = run((TO_SERVER, initial(crypto(HELLO))))
    eve = tx.eve()
    assert eve["version"] == "1"
    assert eve["sni"] == "www.example.org"
    assert eve["ja3"]["hash"] == tx.buffer("ja3.hash")[0].decode()
    assert eve["extensions"] == [
        {"name": "server_name", "type": 0, "values": ["www.example.org"]},
        {"name": "alpn", "type": 16, "values": ["h3"]},
        {"name": "supported_versions", "type": 43, "values": ["Tls13"]},
        {"name": "signature_algorithms", "type": 13, "values": ["1027"]},
    ]


def test_words_of_versions():
    words = {1: "1", 0x6B3343CF: "v2", 0x51303436: "Q046", 0x10010000: "10010000", 0xFF00001D: "ff00001d"}
    assert [transaction.version_word(number) for number in words] == list(words.values())


def test_a_hello_in_pieces_out_of_order():
    a, b, c = HELLO[:20], HELLO[20:60], HELLO[60:]
    parser, (first, second), odd = run(
        (TO_SERVER, initial(crypto(c, 60) + crypto(a), number=0)),
        (TO_SERVER, initial(crypto(b, 20), number=1)),
    )
    assert odd == []
    assert first.buffer("quic.sni") == ()
    assert second.buffer("quic.sni") == (b"www.example.org",)
    assert not parser.done


def test_nothing_is_read_behind_the_hello():
    both = initial(crypto(HELLO)) + make.long_header(1, V1, make.DCID, make.SCID) + make.varint(40) + b"x" * 40
    _, transactions, _ = run((TO_SERVER, both), (TO_SERVER, both))
    assert len(transactions) == 1


def test_packets_in_front_of_the_hello_are_transactions():
    handshake = make.long_header(2, V1, make.DCID, make.SCID) + make.varint(40) + b"x" * 40
    _, transactions, odd = run((TO_SERVER, initial(ack()) + handshake + initial(crypto(HELLO))))
    assert [tx.buffer("quic.sni") for tx in transactions] == [(), (), (b"www.example.org",)]
    assert odd == []


def test_a_client_that_is_told_to_retry_has_new_keys():
    retry = make.long_header(3, V1, make.SCID, b"newid") + b"token" + b"t" * 16
    again = initial(crypto(HELLO), dcid=b"newid", chosen=b"newid", token=b"token")
    _, transactions, odd = run((TO_SERVER, initial(ack())), (TO_CLIENT, retry), (TO_SERVER, again))
    assert odd == []
    assert transactions[2].buffer("quic.sni") == (b"www.example.org",)


def test_negotiation_of_versions():
    packet = b"\xca\0\0\0\0\0\x08" + make.DCID + b"\0\0\0\1"
    _, (tx,), odd = run((TO_CLIENT, packet))
    assert tx.buffer("quic.version") == (b"\0\0\0\0",)
    assert odd == []
    assert datagram(packet + b"\xff\0\0\x1d", 443) == QUIC


def test_what_keys_do_not_open():
    broken = bytearray(initial(crypto(HELLO)))
    broken[-1] ^= 1
    _, transactions, odd = run((TO_SERVER, bytes(broken)), (TO_SERVER, initial(crypto(HELLO))))
    assert odd == ["quic.failed_decrypt"]
    assert transactions[1].buffer("quic.sni") == (b"www.example.org",)


def test_a_server_alone_shows_its_version():
    _, (tx,), odd = run((TO_CLIENT, initial(crypto(SERVER_HELLO), TO_CLIENT)))
    assert tx.buffer("quic.version") == (b"\0\0\0\1",)
    assert tx.server is None
    assert odd == []


@pytest.mark.parametrize(
    ("frames", "odd"),
    [
        (b"\6\0\x7f\xff", "quic.error_on_data"),
        (b"\2\0\0\x3f\0", "quic.error_on_data"),
        (crypto(SERVER_HELLO), "quic.error_on_data"),
        (crypto(b"x", state.MAX_HELLO), "quic.crypto_frag_too_long"),
    ],
)
def test_bad_frames(frames, odd):
    _, (tx,), found = run((TO_SERVER, initial(frames + bytes(20))))
    assert found == [odd]
    assert tx.client is None


def test_sides_are_bounded():
    packets = [(TO_SERVER, initial(ack() + bytes(10), number=n)) for n in range(state.MAX_PACKETS + 5)]
    assert len(run(*packets)[1]) == state.MAX_PACKETS
    one = state.Crypto()
    assert all(one.add(2 * n, b"x") for n in range(state.MAX_PIECES))
    assert not one.add(1, b"x")
    assert one.add(0, b"longer")


def test_frames_are_bounded():
    assert len(list(parse.crypto(crypto(b"") * (parse.MAX_FRAMES + 9)))) == parse.MAX_FRAMES


@pytest.mark.parametrize(("packet", "word"), [(make.google43(), "43"), (make.google46(), "46")])
def test_google(packet, word):
    parser, (tx,), odd = run((TO_SERVER, packet))
    assert odd == []
    assert tx.buffer("quic.version") == (b"Q0" + word.encode(),)
    assert tx.buffer("quic.sni") == (b"g.example.org",)
    assert tx.buffer("quic.ua") == (b"Chrome/77 Windows",)
    assert tx.buffer("quic.cyu.string") == (word.encode() + b",PAD-SNI-VER-UAID",)
    assert tx.eve()["cyu"][0]["string"] == word + ",PAD-SNI-VER-UAID"
    assert tx.eve()["version"] == "Q0" + word
    assert parser.feed(TO_SERVER, packet, 0) == []
    assert datagram(packet) == QUIC


def test_google_sealed():
    _, (tx,), odd = run((TO_SERVER, initial(crypto(CHLO), version=0x51303530)))
    assert odd == []
    assert tx.buffer("quic.cyu.string") == (b"50,PAD-SNI-VER-UAID",)


@pytest.mark.parametrize(
    "data",
    [
        b"REJ\0" + CHLO[4:],
        CHLO[:20],
        make.chlo(*[(b"A", b"")] * (google.MAX_TAGS + 1)),
        CHLO[:12] + b"\xff" + CHLO[13:],
    ],
)
def test_google_messages_that_are_no_hello(data):
    assert google.hello(data) is None


@pytest.mark.parametrize(
    "data", [initial(crypto(HELLO)), initial(ack(), version=V2), RFC9001_A3, make.google43(), make.google46()]
)
def test_detection(data):
    assert datagram(data) == QUIC


@pytest.mark.parametrize(
    "data",
    [
        initial(ack(), version=V1)[:20],
        b"\xc3" + b"\x12\x34\x56\x78" + b"\x08" + b"x" * 30,
        b"\x83" + initial(ack())[1:],
        b"\xc3\0\0\0\1\x15" + b"x" * 40,
        b"\x40" + b"x" * 40,
        b"\x09connectiQ143" + b"x" * 30,
    ],
)
def test_not_quic(data):
    assert datagram(data) == APP_UNKNOWN


def test_on_its_port_any_version_is_taken():
    unknown = b"\xc3" + b"\x12\x34\x56\x78" + b"\x08" + b"x" * 30
    negotiation = b"\x80" + bytes(4) + b"\x08" + b"x" * 30
    for data in (unknown, negotiation):
        assert datagram(data, 443) == datagram(data, 80) == QUIC
        assert datagram(data) == APP_UNKNOWN
    assert datagram(b"\xc3\x12\x34\x56\x78\x15" + b"x" * 40, 443) == APP_UNKNOWN


def test_declared_buffers_are_those_that_exist():
    assert set(transaction._BUFFERS) == {b.name for b in SPEC.buffers}
    assert AppAnomaly.QUIC_FAILED_DECRYPT in SPEC.events
