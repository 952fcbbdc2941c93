"""Keywords about application protocols that name no buffer."""

import pytest
from suricatakit import VARIABLES, conditions, refused, rule

from sensor.model.anomaly import AppAnomaly
from sensor.rules.context import Context
from sensor.rules.export import export
from sensor.rules.nodes import Content, HeaderTest
from sensor.rules.parse import parse
from sensor.rules.problems import Problems

KRB5 = "alert krb5 any any -> any any"


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("weak", [HeaderTest("krb5.ticket_weak", "=", 1)]),
        ("!weak", [HeaderTest("krb5.ticket_weak", "=", 0)]),
        ("rc4-hmac", [HeaderTest("krb5.ticket_encryption", "in", values=(23,))]),
        ("aes256-cts-hmac-sha1-96, 17", [HeaderTest("krb5.ticket_encryption", "in", values=(18, 17))]),
        ("!rc4-hmac,!3", [HeaderTest("krb5.ticket_encryption", "!=", n) for n in (23, 3)]),
    ],
)
def test_ticket_encryption(value, found):
    assert conditions(f"krb5.ticket_encryption:{value};", KRB5) == found


@pytest.mark.parametrize("value", ["", "strong", "23,!3"])
def test_ticket_encryption_refused(value):
    assert refused(f"krb5.ticket_encryption:{value};", KRB5)


def test_numbers():
    assert conditions("krb5_msg_type:>10;", KRB5) == [HeaderTest("krb5.msg_type", ">", 10)]
    assert conditions("krb5_err_code:6,24;", KRB5) == [HeaderTest("krb5.err_code", "in", values=(6, 24))]


def test_types_of_frames_have_no_hyphen_of_their_own():
    for word, value in (("GOAWAY", 7), ("RSTSTREAM", 3), ("WINDOWUPDATE", 8), ("PUSHPROMISE", 5), ("8", 8)):
        made = conditions(f"http2.frametype:{word};", "alert http2 any any -> any any")
        assert made == [HeaderTest("http2.frametype", "=", value)], word


def test_chosen_attributes():
    assert conditions("ike.chosen_sa_attribute:alg_enc=7;", "alert ike any any -> any any") == [
        HeaderTest("ike.chosen.alg_enc", "=", 7)
    ]
    assert refused("ike.chosen_sa_attribute:alg_nope=7;")
    assert refused("ike.chosen_sa_attribute:alg_enc;")


def test_an_event_is_known_by_any_name_of_its_protocol():
    head = "alert ikev2 any any -> any any"
    assert conditions("app-layer-event:ikev2.weak_crypto_dh;", head) == conditions(
        "app-layer-event:ike.weak_crypto_dh;", head
    )


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("10", [HeaderTest("cip.service", "=", 10)]),
        ("14,107", [HeaderTest("cip.class", "=", 0x0E006B)]),
        ("14,107,5", [HeaderTest("cip.attribute", "=", 0x0E006B0005)]),
        ("14,107,!5", [HeaderTest("cip.class", "=", 0x0E006B), HeaderTest("cip.attribute", "=", 0x0E006B0005)]),
    ],
)
def test_cip_service(value, found):
    assert conditions(f"cip_service:{value};") == found


@pytest.mark.parametrize("value", ["", "128", "a", "1,2,3,4", "!1", "1,!2"])
def test_cip_service_refused(value):
    assert refused(f"cip_service:{value};")


def test_dnp3():
    assert conditions("dnp3_ind:device_restart, need_time;") == [HeaderTest("dnp3.ind", "any", 0x9000)]
    assert conditions("dnp3_ind:4;") == [HeaderTest("dnp3.ind", "any", 4)]
    assert conditions("dnp3_obj:12,1;") == [HeaderTest("dnp3.obj", "=", 0x0C01)]
    assert conditions("dnp3_func:write;") == [HeaderTest("dnp3.func", "=", 2)]
    for option in ("dnp3_ind:nope;", "dnp3_obj:12;", "dnp3_obj:12,256;", "dnp3_func:nope;"):
        assert refused(option)


def test_a_range_of_named_numbers_survives_export():
    made = rule("snmp.pdu_type:0<>2;", "alert snmp any any -> any any")
    back = parse(export([made]), Context(Problems("x.yaml"), VARIABLES))
    assert back.problems == ()
    assert back.rules[0].body == made.body


def test_the_event_of_two_protocols_belongs_to_none():
    assert conditions("app-layer-event:bittorrent-dht.malformed_packet;", "alert udp any any -> any any")
    (test,) = conditions("app-layer-event:smb.internal_error;", "alert smb any any -> any any")
    assert test.value == AppAnomaly.PARSER_ERROR
    (test,) = conditions("app-layer-event:applayer_mismatch_protocol_both_directions;", "alert ip any any -> any any")
    assert test == HeaderTest("app.event", "=", int(AppAnomaly.PROTOCOL_MISMATCH))


def test_softwareversion_is_the_whole_version():
    match = rule("ssh.softwareversion:PuTTY-0.55;", "alert ssh any any -> any any").body
    assert (match.buffer, match.tests) == ("ssh.software", (Content(b"PuTTY-0.55", startswith=True, endswith=True),))
    assert refused('ssh.softwareversion:"";')


def test_a_frame_with_its_protocol():
    assert rule('frame:smb.smb2.hdr; content:"x";').body.buffer == "frame.smb2.hdr"
    assert conditions("dnp3.ind:device_restart;") == conditions("dnp3_ind:device_restart;")
    assert refused('frame:mqtt.smb2.hdr; content:"x";')
