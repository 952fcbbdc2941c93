import dpkt
import pytest
from handshakes import (
    CCS,
    CERT,
    DATA,
    SERVER_DONE,
    TO_CLIENT,
    TO_SERVER,
    alpn,
    certificate,
    certificates,
    client_hello,
    drive,
    extension,
    formats,
    groups,
    message,
    pieces,
    record,
    server_hello,
    signatures,
    sni,
    ssl2_client_hello,
    ssl2_server_hello,
    tls12,
    tls13,
    tlv,
    versions,
)

from sensor.model.anomaly import AppAnomaly
from sensor.proto.tls import fingerprint, parse, records, transaction, x509
from sensor.proto.tls.fields import SPEC
from sensor.proto.tls.state import MAX_ENCRYPTED_RECORDS, VIEWS, TlsParser

HELLO = sni(b"www.example.org") + alpn(b"h2", b"http/1.1") + groups(0x0A0A, 29, 23) + formats(0, 1)
SUBJECT = (
    "C=US, ST=Wash, O=Acme, Inc., OU=U1, OU=U2, CN=host, Email=a@b.c, serialNumber=12345, DC=corp, OID(2.5.4.65)=ps"
)


def run(conversation):
    parser = TlsParser()
    stages = drive(parser, conversation)
    return parser, stages, stages[-1].tx


def names(stages):
    return [(SPEC.stages[s.stage].name, s.side) for s in stages]


def test_tls12_stages_and_buffers():
    parser, stages, tx = run(tls12(HELLO, certs=(CERT, b"\x30\0"), client_certs=(CERT,)))
    assert names(stages) == [
        ("client_hello", TO_SERVER),
        ("server_hello", TO_CLIENT),
        ("certificates", TO_CLIENT),
        ("client_certificates", TO_SERVER),
        ("established", TO_CLIENT),
    ]
    assert parser.done
    assert parser.anomalies() == []
    assert tx.buffer("tls.sni") == (b"www.example.org",)
    assert tx.buffer("tls.alpn") == (b"h2", b"http/1.1")
    assert tx.buffer("tls.alpn@to_client") == (b"h2",)
    assert tx.buffer("tls.version") == (b"1.2",)
    assert tx.buffer("tls.version@to_client") == (b"1.2",)
    assert tx.buffer("tls.random") == (b"R" * 32,)
    assert tx.buffer("tls.random_time@to_client") == (b"S" * 4,)
    assert tx.buffer("tls.random_bytes") == (b"R" * 28,)
    assert tx.buffer("tls.certs@to_client") == (CERT, b"\x30\0")
    assert tx.buffer("tls.cert_chain_len@to_client") == (b"\0\0\0\2",)
    assert tx.buffer("tls.certs") == (CERT,)
    assert tx.buffer("tls.cert_subject") == tx.buffer("tls.cert_issuer@to_client") == (SUBJECT.encode(),)
    assert tx.buffer("tls.cert_serial@to_client") == (b"00:FF:01",)
    assert tx.buffer("ja3.string") == (b"771,4865-47,0-16-10-11,29-23,0-1",)
    assert tx.buffer("ja3.hash") == (b"2d50c5014379b544775e38f45a6f7178",)
    assert tx.buffer("ja3s.string") == (b"771,47,16",)
    assert tx.buffer("no.such.buffer") == ()


def test_where_no_certificate_is_seen_the_chain_of_the_server_is_empty():
    _, _, tx = run(tls13())
    assert tx.buffer("tls.cert_chain_len@to_client") == (bytes(4),)
    assert tx.buffer("tls.cert_chain_len") == ()


def test_every_declared_buffer_can_be_read_and_none_is_undeclared():
    _, _, tx = run(tls12(HELLO, client_certs=(CERT,)))
    empty = [b.name for b in SPEC.buffers if b.stage not in VIEWS and not tx.buffer(b.name)]
    assert empty == []
    assert set(transaction._BUFFERS) == {b.name for b in SPEC.buffers if b.stage not in VIEWS}


def test_eve():
    _, _, tx = run(tls12(HELLO))
    eve = tx.eve()
    assert eve["subject"] == eve["issuerdn"] == SUBJECT
    assert eve["serial"] == "00:FF:01"
    assert eve["fingerprint"] == "a1:62:fc:6f:16:25:b7:19:49:69:ee:68:86:eb:15:ef:19:87:bd:d9"
    assert (eve["notbefore"], eve["notafter"]) == ("2026-11-23T22:37:00", "2191-03-03T22:37:00")
    assert eve["subjectaltname"] == [
        "a.example",
        "*.b.example",
        "10.1.2.3",
        "2001:db8::1",
        "x@y.z",
        "http://u/",
    ]
    assert (eve["sni"], eve["version"]) == ("www.example.org", "TLS 1.2")
    assert (eve["client_alpns"], eve["server_alpns"]) == (["h2", "http/1.1"], ["h2"])
    assert set(eve["ja3"]) == {"hash", "string"} == set(eve["ja3s"])
    assert eve["ja4"].startswith("t12d0204h2_")
    assert "client" not in eve
    assert "session_resumed" not in eve


def test_eve_of_client_certificate():
    _, _, tx = run(tls12(client_certs=(CERT,)))
    assert tx.eve()["client"]["subject"] == SUBJECT


def test_tls13_with_retry_keeps_first_hellos():
    parser, stages, tx = run(tls13())
    assert [s.stage for s in stages] == [0, 1, 2, 3, 4]
    assert parser.anomalies() == []
    assert tx.buffer("tls.sni") == (b"one.example",)
    assert tx.buffer("tls.version") == (b"1.3",)
    assert tx.eve()["version"] == "TLS 1.3"
    assert tx.buffer("ja3s.string") == (b"771,4865,43-51",)


def test_resumption():
    conversation = [
        (TO_SERVER, record(22, client_hello())),
        (TO_CLIENT, record(22, server_hello()) + CCS + record(22, b"\xdd" * 40)),
        (TO_SERVER, CCS + record(22, b"\xee" * 40)),
    ]
    _, stages, tx = run(conversation)
    assert names(stages)[2:] == [("certificates", 1), ("client_certificates", 0), ("established", 0)]
    assert tx.eve()["session_resumed"] is True
    assert tx.buffer("tls.certs@to_client") == ()


def test_hello_cut_into_records_inside_the_name():
    hello = client_hello(extensions=sni(b"www.example.org"))
    _, _, tx = run([(TO_SERVER, b"".join(record(22, part) for part in pieces(hello, 7)))])
    assert tx.buffer("tls.sni") == (b"www.example.org",)


def test_finish_without_server():
    parser, stages, tx = run([(TO_SERVER, record(22, client_hello(extensions=sni(b"a"))))])
    assert names(stages) == [
        ("client_hello", TO_SERVER),
        ("certificates", TO_CLIENT),
        ("established", TO_CLIENT),
    ]
    assert tx.buffer("tls.cert_chain_len@to_client") == (bytes(4),)
    assert tx.eve()["version"] == "UNDETERMINED"
    assert parser.finish(0) == []


def test_sslv2_hello_answered_in_tls():
    parser, stages, tx = run([(TO_SERVER, ssl2_client_hello()), (TO_CLIENT, record(22, server_hello()))])
    assert [s.stage for s in stages] == [0, 1, 2, 4]
    assert tx.client.ciphers == (0x2F,)
    assert tx.buffer("ja3.hash") == tx.buffer("ja4.hash") == ()
    assert parser.anomalies() == []


def test_sslv2_whole():
    parser, stages, tx = run([(TO_SERVER, ssl2_client_hello(version=2)), (TO_CLIENT, ssl2_server_hello(CERT))])
    assert [s.stage for s in stages] == [0, 1, 2, 4]
    assert tx.eve()["version"] == "SSLv2"
    assert tx.eve()["subject"] == SUBJECT
    assert parser.done


@pytest.mark.parametrize(
    ("side", "data", "anomaly", "done"),
    [
        (TO_SERVER, b"GET / HTTP/1.1", None, True),
        (TO_SERVER, record(22, message(99, b"x")), AppAnomaly.TLS_INVALID_HANDSHAKE, False),
        (TO_SERVER, record(22, server_hello()), None, False),
        (TO_SERVER, record(22, message(1, b"\3\3short")), AppAnomaly.TLS_HANDSHAKE_INVALID_LENGTH, False),
        (TO_SERVER, b"\x16\3\1\xff\xff" + b"x" * 20, AppAnomaly.TLS_INVALID_RECORD_LENGTH, True),
        (TO_CLIENT, ssl2_server_hello(b""), AppAnomaly.TLS_INVALID_RECORD, True),
        (TO_CLIENT, record(22, certificates(b"garbage")), AppAnomaly.TLS_CERTIFICATE_INVALID, False),
        (TO_CLIENT, record(22, message(11, b"\0\0\x09\0\0\x08abc")), None, False),
    ],
)
def test_anomalies(side, data, anomaly, done):
    parser = TlsParser()
    parser.feed(side, data, 0)
    assert parser.anomalies()[:1] == ([(anomaly, side)] if anomaly is not None else [])
    assert parser.anomalies() == []
    assert parser.done is done


@pytest.mark.parametrize(("data", "expected"), [
    (b"GET / HTTP/1.1", []),
    (bytes(5), [AppAnomaly.TLS_INVALID_RECORD_TYPE]),
    (record(22, server_hello()) + bytes(5), [AppAnomaly.TLS_INVALID_RECORD_TYPE]),
    (b"\x3f\3\3\0\5", [AppAnomaly.TLS_INVALID_RECORD_TYPE]),
    (b"\x7f\3\3\0\5", []),
    (b"\x16\3\5\0\5", [AppAnomaly.TLS_INVALID_RECORD_VERSION]),
    (b"\x16\x7f\x1c\0\5", []),
    (b"\x16\x7f\x1d\0\5", [AppAnomaly.TLS_INVALID_RECORD_VERSION]),
    (b"\x16\3\3\0\0", [AppAnomaly.TLS_INVALID_RECORD_LENGTH]),
    (b"\x16\2\0\0\0", [AppAnomaly.TLS_INVALID_RECORD_LENGTH]),
    (b"\x16\3\3\x44\0", []),
    (b"\x16\3\3\x44\1", [AppAnomaly.TLS_INVALID_RECORD_LENGTH]),
    (b"\x16\2\0\0\5", [AppAnomaly.TLS_INVALID_RECORD_VERSION]),
    (record(22, server_hello()) + b"\x16\2\0\0\5", []),
    (record(22, server_hello()) + b"\x17\3\3\0\0", [AppAnomaly.TLS_INVALID_RECORD_LENGTH]),
])  # fmt: skip
def test_what_is_wrong_with_a_record(data, expected):
    """As Suricata was seen to tell it: of what it cannot go on from it says nothing."""
    parser = TlsParser()
    parser.feed(TO_CLIENT, data, 0)
    assert [what for what, _ in parser.anomalies()] == expected


@pytest.mark.parametrize(("der", "expected"), [
    (bytes.fromhex("30053084ffffff"), AppAnomaly.TLS_CERTIFICATE_INVALID_LENGTH),
    (bytes.fromhex("30063084fffffffa"), AppAnomaly.TLS_CERTIFICATE_INVALID),
])  # fmt: skip
def test_certificates_that_are_cut(der, expected):
    parser = TlsParser()
    parser.feed(TO_CLIENT, record(22, certificates(der)), 0)
    assert [what for what, _ in parser.anomalies()] == [expected]


# ---- certificates by hand


ZERO = tlv(0x30, tlv(0x31, tlv(0x30, tlv(6, b"\x55\4\3"), tlv(0x0C, b"good.example\0.evil.example"))))


@pytest.mark.parametrize(("der", "fault"), [
    (certificate(), ""),
    (certificate(version=b""), ""),
    (certificate(version=tlv(0xA0, tlv(4, b"\2"))), "VERSION"),
    (certificate(serial=tlv(4, b"\1")), "SERIAL"),
    (certificate(algorithm=tlv(5)), "DER"),
    (certificate(issuer=tlv(4, b"x")), "DER"),
    (certificate(issuer=tlv(0x30, tlv(0x31, tlv(4, b"x")))), ""),
    (certificate(validity=tlv(4, b"x")), "DER"),
    (certificate(validity=tlv(0x30, tlv(0x17, b"200101000000Z"))), "DATE"),
    (certificate(validity=tlv(0x30, tlv(0x17, b"xx"), tlv(0x17, b"yy"))), "DATE"),
    (certificate(validity=tlv(0x30, tlv(0x17, b"209901000000Z"), tlv(0x17, b"300101000000Z"))), "DATE"),
    (certificate(subject=tlv(4, b"x")), "DER"),
    (certificate(subject=ZERO), "SUBJECT"),
    (certificate(issuer=ZERO), "ISSUER"),
    (certificate(key=tlv(4, b"x")), "DER"),
    (certificate(key=tlv(0x30, tlv(0x30, tlv(0x4F, b"x")))), "ALGORITHM"),
    (certificate(extensions=tlv(4, b"x")), "EXTENSIONS"),
    (certificate(extensions=tlv(0xA3, tlv(4, b"x"))), "DER"),
    (certificate(extensions=tlv(0xA3, tlv(0x30, tlv(0x30, tlv(4, b"x"))))), "INCOMPLETE"),
    (certificate(extensions=tlv(0xA3, tlv(0x30, tlv(0x30, tlv(6, b"\x55\x1d\x11"), tlv(4, b"xx"))))), ""),
    (certificate(signature=tlv(4, b"x")), "DER"),
    (certificate() + b"more", ""),
    (certificate()[:-5], "INCOMPLETE"),
    (certificate()[:60], "INCOMPLETE"),
    (b"\x30\x80" + certificate()[2:], "DER"),
    (b"\x30\5\2\1\1xx", "DER"),
    (b"abc", "INCOMPLETE"),
    (b"", "LENGTH"),
])  # fmt: skip
def test_faults_of_certificates(der, fault):
    assert x509.parse(der).fault.name == (fault or "NONE")


@pytest.mark.parametrize(("body", "expected"), [
    (b"\1\0\5hello" + bytes(16), None),
    (b"\1\0\0" + bytes(16), None),
    (b"\1", None),
    (b"\1\x40\0hello", AppAnomaly.TLS_OVERFLOW_HEARTBEAT_MESSAGE),
    (b"\2\x40\0hello", AppAnomaly.TLS_OVERFLOW_HEARTBEAT_MESSAGE),
    (b"\3\0\5hello" + bytes(16), AppAnomaly.TLS_INVALID_HEARTBEAT_MESSAGE),
    (b"\1\0\5hello", AppAnomaly.TLS_INVALID_HEARTBEAT_MESSAGE),
])  # fmt: skip
def test_heartbeats(body, expected):
    data = record(22, client_hello()) + record(24, body)
    for step in (1, 2, len(data)):
        parser = TlsParser()
        for at in range(0, len(data), step):
            parser.feed(TO_SERVER, data[at : at + step], 0)
        assert [what for what, _ in parser.anomalies()] == ([expected] if expected else [])


@pytest.mark.parametrize(("sides", "odd"), [
    ([0, 0], True), ([1, 1], True), ([0, 1, 0, 1], False), ([0, 1, 1], False), ([0, 1, 1, 1], True), ([0], False),
])  # fmt: skip
def test_heartbeats_wait_for_their_answers(sides, odd):
    parser, beat = TlsParser(), record(24, b"\1\0\5hello" + bytes(16))
    parser.feed(TO_SERVER, record(22, client_hello()), 0)
    for side in sides:
        parser.feed(side, beat, 0)
    expected = [(AppAnomaly.TLS_INVALID_HEARTBEAT_MESSAGE, sides[-1])] if odd else []
    assert parser.anomalies() == expected


@pytest.mark.parametrize("step", [1, 5])
def test_an_error_message_of_sslv2(step):
    parser, data = TlsParser(), b"\x80\x03\0\0\1"
    parser.feed(TO_SERVER, record(22, client_hello()), 0)
    for at in range(0, len(data), step):
        parser.feed(TO_CLIENT, data[at : at + step], 0)
    assert parser.anomalies() == [(AppAnomaly.TLS_ERROR_MESSAGE_ENCOUNTERED, TO_CLIENT)]


@pytest.mark.parametrize(("extensions", "expected"), [
    (sni(b"a.b") + sni(b"c.d"), AppAnomaly.TLS_MULTIPLE_SNI_EXTENSIONS),
    (extension(0, b"\0\4\1\0\1a"), AppAnomaly.TLS_INVALID_SNI_TYPE),
    (extension(0, b"\0\4\0\0\1aXX"), None),
    (extension(0, b"\0\4\0\0\2a"), AppAnomaly.TLS_INVALID_SNI_LENGTH),
    (extension(0, b"\0\3\0\0\0"), AppAnomaly.TLS_INVALID_SNI_LENGTH),
    (sni(b"a.b"), None),
    (sni(b"a" * 255), None),
    (sni(b"a" * 256), AppAnomaly.TLS_INVALID_SNI_LENGTH),
    (extension(10, b"\0\3\0\x1d\0"), AppAnomaly.TLS_HANDSHAKE_INVALID_LENGTH),
])  # fmt: skip
def test_odd_server_names(extensions, expected):
    parser = TlsParser()
    parser.feed(TO_SERVER, record(22, client_hello(extensions=extensions)), 0)
    assert [what for what, _ in parser.anomalies()] == ([expected] if expected else [])


def test_half_a_cipher():
    hello = client_hello(ciphers=(0x1301, 0x1302))
    at = hello.index(b"\0\4\x13\1\x13\2")
    odd = hello[:at] + b"\0\3" + hello[at + 2 :]
    parser = TlsParser()
    parser.feed(TO_SERVER, record(22, odd), 0)
    assert (AppAnomaly.TLS_HANDSHAKE_INVALID_LENGTH, TO_SERVER) in parser.anomalies()


def test_malformed_extension_keeps_the_rest():
    hello = client_hello(extensions=extension(10, b"\0\xff") + sni(b"still.here") + extension(16, b""))
    parser, _, tx = run([(TO_SERVER, record(22, hello))])
    assert tx.buffer("tls.sni") == (b"still.here",)
    assert parser.anomalies() == [(AppAnomaly.TLS_HANDSHAKE_INVALID_LENGTH, TO_SERVER)]


def test_extensions_before_one_that_leaves_its_block_count():
    hello = client_hello(extensions=sni(b"still.here") + b"\0\5\0\x64x")
    parser, _, tx = run([(TO_SERVER, record(22, hello))])
    assert tx.buffer("tls.sni") == (b"still.here",)
    assert parser.anomalies() == [(AppAnomaly.TLS_HANDSHAKE_INVALID_LENGTH, TO_SERVER)]


def test_gap_ends():
    parser = TlsParser()
    parser.feed(TO_SERVER, record(22, client_hello()), 0)
    assert names(parser.gap(TO_CLIENT, 100, 0)) == [("established", TO_CLIENT)]
    assert parser.done
    assert parser.anomalies() == [(AppAnomaly.PROTOCOL_GAP, TO_CLIENT)]
    assert parser.feed(TO_CLIENT, record(22, server_hello()), 0) == []
    assert parser.gap(TO_CLIENT, 1, 0) == parser.finish(0) == []


def test_no_transaction_without_handshake():
    parser, stages = TlsParser(), []
    for side in (TO_SERVER, TO_CLIENT):
        stages += parser.feed(side, DATA, 0)
    assert parser.done
    assert stages + parser.finish(0) == []


def test_record_flood_ends():
    parser = TlsParser()
    for _ in range(records.MAX_RECORDS + 1):
        parser.feed(TO_SERVER, record(21, b"x"), 0)
    assert parser.done
    assert parser.anomalies() == [(AppAnomaly.TLS_TOO_MANY_RECORDS, TO_SERVER)]


def test_message_flood_ends():
    parser = TlsParser()
    parser.feed(TO_CLIENT, record(22, message(0, b"") * (records.MAX_MESSAGES + 1)), 0)
    assert parser.done


def test_one_way_capture_ends():
    parser = TlsParser()
    parser.feed(TO_CLIENT, record(22, server_hello()) + CCS + DATA * (MAX_ENCRYPTED_RECORDS + 1), 0)
    assert parser.done


def test_huge_certificate_is_cut_but_named():
    size = (200_000).to_bytes(4, "big")
    der = b"\x30\x84" + size + b"\x30\x84" + size + CERT[8:] + b"\0" * 200_000
    body = certificates(der)
    data = b"".join(record(22, part) for part in pieces(server_hello() + body + SERVER_DONE, 16000))
    parser = TlsParser()
    parser.feed(TO_SERVER, record(22, client_hello()), 0)
    stages = parser.feed(TO_CLIENT, data, 0)
    tx = stages[0].tx
    assert tx.buffer("tls.cert_subject@to_client") == (SUBJECT.encode(),)
    assert tx.buffer("tls.cert_fingerprint@to_client") == ()
    assert sum(map(len, tx.certs)) <= records.MAX_MESSAGE
    assert (AppAnomaly.TLS_INVALID_HANDSHAKE, TO_CLIENT) in parser.anomalies()


def test_ja4_published_example():
    """The example of JA4's technical description."""
    ciphers = (
        0x1301,
        0x1302,
        0x1303,
        0xC02B,
        0xC02F,
        0xC02C,
        0xC030,
        0xCCA9,
        0xCCA8,
        0xC013,
        0xC014,
        0x9C,
        0x9D,
        0x2F,
        0x35,
    )
    kinds = (
        0x1B,
        0x00,
        0x33,
        0x10,
        0x4469,
        0x17,
        0x2D,
        0x0D,
        0x05,
        0x23,
        0x12,
        0x2B,
        0xFF01,
        0x0B,
        0x0A,
        0x15,
    )
    hello = parse.ClientHello(
        version=0x0303,
        ciphers=(0x2A2A, *ciphers),
        extensions=(0x8A8A, *kinds, 0xFAFA),
        signatures=(0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601),
        versions=(0x7A7A, 0x0304, 0x0303),
        sni=b"x",
        alpn=(b"h2", b"http/1.1"),
    )
    assert fingerprint.ja4(hello) == "t13d1516h2_8daaf6152771_e5627efa2ab1"


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ((), "00"),
        ((b"h2",), "h2"),
        ((b"http/1.1",), "h1"),
        ((b"x",), "xx"),
        ((b"\xab\xcd",), "ad"),
        ((b"\x30\xab",), "3b"),
    ],
)
def test_ja4_alpn(names, expected):
    assert fingerprint.ja4(parse.ClientHello(alpn=names))[8:10] == expected


def test_ja4_of_nothing():
    assert fingerprint.ja4(parse.ClientHello()) == "t00i000000_000000000000_000000000000"


def test_ja3_published_example():
    """The example of the JA3 repository's description."""
    hello = client_hello(
        (4865, 4866, 0x2A2A), groups(29, 0xDADA, 23) + formats(0) + extension(0x3A3A, b""), version=0x0301
    )
    assert fingerprint.ja3(parse.client_hello(hello[4:])) == "769,4865-4866,10-11,29-23,0"


def test_grease():
    assert [v for v in range(0x10000) if parse.is_grease(v)] == [0x0A0A + 0x1010 * i for i in range(16)]


def test_second_server_name_is_ignored():
    extensions = sni(b"first") + sni(b"second")
    assert parse.client_hello(client_hello(extensions=extensions)[4:]).sni == b"first"


def test_cut_certificate_never_raises():
    for cut in range(len(CERT)):
        cert = x509.parse(CERT[:cut])
        assert cert.malformed
        assert not cert.fingerprint or cut < 4


def test_certificate_without_version_and_extensions():
    """A version 1 certificate starts with its serial number."""
    name = tlv(0x30, tlv(0x31, tlv(0x30, tlv(6, b"\x55\x04\x03"), tlv(0x1E, "hé".encode("utf-16-be")))))
    times = tlv(0x30, tlv(0x17, b"500101000000Z"), tlv(0x17, b"4912312359Z"))
    cert = x509.parse(tlv(0x30, tlv(0x30, tlv(2, b"\5"), tlv(0x30), name, times, name, tlv(0x30))))
    assert (cert.serial, cert.subject, cert.malformed) == ("05", "CN=hé", False)
    assert (cert.not_before, cert.not_after) == ("1950-01-01T00:00:00", "2049-12-31T23:59:00")


def test_versions_of_the_client():
    hello = parse.client_hello(client_hello(extensions=versions(0x1A1A, 0x0304))[4:])
    assert parse.offered(hello) == 0x0304
    assert parse.offered(parse.ClientHello(version=0x0302)) == 0x0302


def test_signatures_are_read():
    assert parse.client_hello(client_hello(extensions=signatures(0x0403, 0x0804))[4:]).signatures == (
        0x0403,
        0x0804,
    )


def test_client_hello_same_as_dpkt():
    body = client_hello((0x1301, 0x2A2A, 0xC02F), HELLO + versions(0x0304))[4:]
    mine, theirs = parse.client_hello(body), dpkt.ssl.TLSClientHello(body)
    assert (mine.version, mine.random, mine.session_id) == (theirs.version, theirs.random, theirs.session_id)
    assert mine.ciphers == tuple(suite.code for suite in theirs.ciphersuites)
    assert mine.extensions == tuple(kind for kind, _ in theirs.extensions)


@pytest.mark.parametrize(
    ("now", "expired", "valid"),
    [("2026-11-23T22:36:59", 0, 0), ("2026-11-23T22:37:00", 0, 1), ("2191-03-03T22:37:01", 1, 0)],
)
def test_whether_the_certificate_holds(now, expired, valid):
    parser, seconds = TlsParser(), x509.seconds(now)
    stages = [stage for side, data in tls12(HELLO) for stage in parser.feed(side, data, seconds * 10**9)]
    tx = stages[-1].tx
    assert [*tx.numbers("tls.cert_expired"), *tx.numbers("tls.cert_valid")] == [expired, valid]
    assert x509.seconds("2026-11-23T22:37:00") == tx.numbers("tls.cert_notbefore")[0] == 1795473420
    assert x509.seconds("2191-03-03T22:37:00") == tx.numbers("tls.cert_notafter")[0]


def test_without_a_certificate_nothing_holds():
    tx = transaction.TlsTransaction()
    assert not any(tx.numbers(number.name) for number in SPEC.numbers)
    tx.leaf = x509.Certificate(not_before="2026-11-23T22:37:00", not_after="nonsense")
    assert [len(tx.numbers(number.name)) for number in SPEC.numbers] == [1, 0, 0, 0]
    assert x509.seconds("1950-01-01T00:00:00") == 0


def test_a_zero_in_both_names_is_one_of_the_subject():
    parser = TlsParser()
    parser.feed(TO_CLIENT, record(22, certificates(certificate(subject=ZERO, issuer=ZERO))), 0)
    assert [what for what, _ in parser.anomalies()] == [AppAnomaly.TLS_CERTIFICATE_INVALID_SUBJECT]


def test_universal_strings_are_shown_in_hex():
    name = tlv(0x30, tlv(0x31, tlv(0x30, tlv(6, b"\x55\4\3"), tlv(0x1C, "a\u00fc".encode("utf-32-be")))))
    assert x509.parse(certificate(subject=name)).subject == "CN=00000061000000FC"
