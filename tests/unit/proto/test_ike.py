import pytest
from handshakes import TO_CLIENT, TO_SERVER
from ikemake import AES, ANSWER2, AUTH2, DES, INIT2, MAIN1, MAIN2, MAIN3, STRONG, ike, sa1, sa2
from test_probe import datagram

from sensor.model.anomaly import AppAnomaly
from sensor.proto.ids import IKE
from sensor.proto.ike import parse, sa
from sensor.proto.ike.fields import SPEC


def one(data, side=TO_SERVER):
    parser = SPEC.new_parser()
    (stage,) = parser.feed(side, data, 0)
    return stage.tx, [found.event for found, _ in parser.anomalies()]


def test_version_1_of_the_client():
    tx, odd = one(MAIN1)
    assert odd == []
    assert tx.buffer("ike.init_spi") == (b"e47a494e49544941",)
    assert tx.buffer("ike.resp_spi") == ()
    assert tx.buffer("ike.vendor") == (b"vendor-one".hex().encode(), b"vendor-two".hex().encode())
    assert tx.numbers("ike.exchtype") == (2,)
    assert tx.numbers("ike.chosen.alg_enc") == ()
    eve = tx.eve()
    assert eve["payload"] == ["SecurityAssociation", "VendorID", "Proposal", "Transform"]
    assert "alg_enc" not in eve
    assert eve["ikev1"]["doi"] == 1
    first, second = eve["ikev1"]["client"]["proposals"]
    assert (first["alg_enc"], first["alg_enc_raw"]) == ("EncAesCbc", 7)
    assert (first["sa_life_duration"], first["sa_life_duration_raw"]) == ("Unknown", 86400)
    assert second["alg_dh"] == "GroupDefault768BitModp"


def test_version_1_of_the_server():
    tx, odd = one(MAIN2, TO_CLIENT)
    assert odd == []
    assert tx.buffer("ike.resp_spi") == (b"a00b524553504f4e",)
    assert tx.buffer("ike.init_spi") == tx.buffer("ike.vendor") == ()
    assert tx.numbers("ike.chosen.alg_enc") == (7,)
    assert tx.numbers("ike.chosen.sa_key_length") == (128,)
    assert tx.numbers("ike.chosen.sa_life_duration") == (86400,)
    assert tx.eve()["alg_hash"] == "HashSha"
    assert "server_proposals" not in tx.eve()


def test_a_server_chooses_one():
    tx, odd = one(ike((1, sa1(AES, DES))), TO_CLIENT)
    assert odd == ["ike.multiple_server_proposal"]
    assert len(tx.eve()["server_proposals"]) == 2


def test_keys_and_nonces():
    tx, _ = one(MAIN3)
    assert tx.buffer("ike.key_exchange_payload") == (b"K" * 128,)
    assert tx.buffer("ike.nonce_payload") == (b"N" * 20,)
    assert tx.numbers("ike.key_exchange_payload_length") == (128,)
    assert tx.numbers("ike.nonce_payload_length") == (20,)
    assert tx.eve()["ikev1"]["client"]["nonce_payload_length"] == 20


def test_encrypted_payloads_are_not_read():
    tx, odd = one(ike(exchange=5, flags=1, body=b"\xff" * 40))
    assert odd == []
    assert tx.eve()["ikev1"] == {"encrypted_payloads": True}


def test_extra_data():
    assert one(ike((10, b"N"), extra=b"more"))[1] == ["ike.payload_extra_data"]


def test_version_2():
    tx, odd = one(INIT2)
    assert odd == []
    assert tx.buffer("ike.key_exchange_payload") == (b"k" * 256,)
    eve = tx.eve()
    assert eve["role"] == "initiator"
    assert eve["payload"] == ["SecurityAssociation", "KeyExchange", "Nonce", "Notify", "NoNextPayload"]
    assert eve["ikev2"] == {"errors": 0, "notify": ["NAT_DETECTION_SOURCE_IP"]}
    tx, odd = one(ANSWER2, TO_CLIENT)
    assert odd == []
    assert tx.numbers("ike.chosen.alg_dh") == (14,)
    eve = tx.eve()
    assert (eve["role"], eve["alg_enc"], eve["alg_prf"]) == ("responder", "ENCR_AES_CBC", "PRF_HMAC_SHA2_256")
    assert eve["ikev2"]["errors"] == 1
    assert one(AUTH2)[0].eve()["payload"] == ["EncryptedAndAuthenticated", "NoNextPayload"]


@pytest.mark.parametrize(
    ("protocol", "transforms", "odd"),
    [
        (1, [(1, 3), *STRONG[1:]], ["ike.weak_crypto_enc"]),
        (1, [STRONG[0], (2, 2), *STRONG[2:]], ["ike.weak_crypto_prf"]),
        (1, [*STRONG[:2], (3, 2), STRONG[3]], ["ike.weak_crypto_auth"]),
        (1, [*STRONG[:3], (4, 2)], ["ike.weak_crypto_dh"]),
        (1, [*STRONG[:3], (4, 22), (4, 1)], ["ike.weak_crypto_dh"]),
        (1, STRONG[:3], ["ike.weak_crypto_no_dh"]),
        (1, [*STRONG[:3], (4, 0)], ["ike.invalid_proposal"]),
        (1, [STRONG[0], (2, 0), *STRONG[2:]], ["ike.invalid_proposal"]),
        (1, [*STRONG, (9, 1)], ["ike.unknown_proposal"]),
        (2, STRONG, ["ike.no_encryption"]),
        (1, [*STRONG[:2], STRONG[3]], ["ike.weak_crypto_no_auth"]),
        (1, [*STRONG[:2], (3, 0), STRONG[3]], ["ike.weak_crypto_no_auth"]),
        (1, [(1, 20), (2, 5), (4, 19)], []),
        (1, [(1, 20), (2, 5), (3, 0), (4, 19)], []),
    ],
)
def test_weak_proposals(protocol, transforms, odd):
    assert one(ike((33, sa2((protocol, transforms))), version=0x20, exchange=34, flags=8))[1] == odd


def test_each_weakness_is_reported_once():
    weak = [*STRONG[:3], (4, 2)]
    assert one(ike((33, sa2((1, weak), (1, weak))), version=0x20, exchange=34))[1] == ["ike.weak_crypto_dh"]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        MAIN1[:27],
        MAIN1[:17] + b"\x30" + MAIN1[18:],
    ],
)
def test_no_message(data):
    parser = SPEC.new_parser()
    assert parser.feed(TO_SERVER, data, 0) == []
    assert parser.anomalies() == [(AppAnomaly.IKE_MALFORMED_DATA, TO_SERVER)]


@pytest.mark.parametrize(
    "data",
    [
        MAIN1[:-1],
        ike((1, b"\0\0\0\1")),
        ike((1, sa1(AES)[:-2])),
        ike((13, b"x"), body=b"\0\0\0\3x"),
        ike((33, sa2(*[(1, STRONG)] * (sa.MAX_PROPOSALS + 1))), version=0x20, exchange=34),
        ike((33, sa2(*[(1, [(1, 12)] * 100)] * 3)), version=0x20, exchange=34),
    ],
)
def test_malformed(data):
    parser = SPEC.new_parser()
    (stage,) = parser.feed(TO_SERVER, data, 0)  # its header can be read
    assert stage.tx.numbers("ike.exchtype") in ((2,), (34,))
    assert parser.anomalies() == [(AppAnomaly.IKE_MALFORMED_DATA, TO_SERVER)]


def test_payloads_are_bounded():
    assert len(parse.message(ike(*[(13, b"v")] * (parse.MAX_PAYLOADS + 9))).vendors) == parse.MAX_PAYLOADS


def test_the_marker_of_nat_traversal_is_passed_over():
    tx, _ = one(b"\0\0\0\0" + MAIN1)
    assert tx.buffer("ike.init_spi") == (b"e47a494e49544941",)
    assert datagram(b"\0\0\0\0" + MAIN1, 4500) == IKE


@pytest.mark.parametrize("data", [MAIN1, MAIN2, MAIN3, INIT2, ANSWER2, AUTH2])
def test_detection(data):
    assert datagram(data) == IKE
    assert datagram(data, 500) == IKE


@pytest.mark.parametrize(
    "data",
    [
        MAIN1[:20],
        b"\0" * 60,
        MAIN1 + b"x",
        INIT2 + b"x",
        INIT2[:18] + b"\x10" + INIT2[19:],
        MAIN1[:18] + b"\7" + MAIN1[19:],
    ],
)
def test_not_ike(data):
    assert datagram(data) != IKE


@pytest.mark.parametrize("data", [bytes(8) + INIT2[8:], bytes(8) + ANSWER2[8:], bytes(16) + INIT2[16:]])
def test_on_its_port_initiators_need_no_number(data):
    assert datagram(data, 500) == IKE
    assert datagram(data, 501) != IKE
    tx, _ = one(data)
    assert tx.buffer("ike.init_spi") == (b"0" * 16,)


def test_what_has_no_payload_says_so():
    assert one(ike(body=b""))[0].eve()["payload"] == ["None"]
    assert one(ike(version=0x20, exchange=37, body=b""))[0].eve()["payload"] == ["NoNextPayload"]
    assert one(ike((46, b"x"), version=0x20, exchange=37))[0].eve()["payload"][1:] == ["NoNextPayload"]


def test_on_its_port_more_may_follow():
    assert datagram(MAIN1 + b"x", 500) == IKE
    assert datagram(INIT2 + b"x", 500) != IKE


@pytest.mark.parametrize(
    "data", [bytes(8) + MAIN1[8:], MAIN1[:18] + b"\x63" + MAIN1[19:], MAIN1[:27] + b"\5" + MAIN1[28:]]
)
def test_on_its_port_the_version_is_enough(data):
    assert datagram(data, 500) == IKE
    assert datagram(data, 501) != IKE
    parser = SPEC.new_parser()
    (stage,) = parser.feed(TO_SERVER, data, 0)
    assert stage.tx.numbers("ike.exchtype") == (data[18],)
