"""What is odd in TLS is judged on both sides once it is acknowledged, and heartbeats are followed to the end."""

import pytest
from enginekit import difference, load, run
from forgekit import ACK, PSH, RST, Flow, records
from handshakes import (
    CCS,
    CERT,
    DATA,
    SERVER_DONE,
    certificate,
    certificates,
    client_hello,
    extension,
    message,
    record,
    server_hello,
    sni,
    versions,
)

TWO_NAMES = client_hello(extensions=sni(b"a.example") + sni(b"b.example"))
NO_CERTIFICATE = b"\x30\x82\xff\xff" + b"x" * 40
ENCRYPTED = [
    (0, record(22, client_hello())),
    (1, record(22, server_hello() + certificates(CERT) + SERVER_DONE)),
    (0, record(22, message(16, b"key exchange")) + CCS + record(22, b"\xee" * 40)),
    (1, CCS + record(22, b"\xdd" * 40)),
]
EVENTS = (
    "multiple_sni_extensions", "invalid_certificate", "dataleak_heartbeat_mismatch", "invalid_heartbeat_message",
    "invalid_record_type", "invalid_handshake_message",
)  # fmt: skip


@pytest.fixture(scope="module")
def rules(tmp_path_factory):
    path = tmp_path_factory.mktemp("echoes") / "events.rules"
    path.write_text("\n".join(
        f"alert tls any any -> any any (app-layer-event:tls.{name}; sid:{n};)\n"
        f"alert tls any any -> any any (flow:to_server; app-layer-event:tls.{name}; sid:{n + 100};)"
        for n, name in enumerate(EVENTS, 1)
    ))  # fmt: skip
    return load(path)


def events(flow, rules):
    """Return (event, side or "" where a rule names none) of each alert, however the capture is cut into blocks."""
    found = run(flow.frames(), rules)
    assert not difference(found, run(flow.frames(), rules, triage=False))
    assert not difference(found, run(flow.frames(), rules, block=1))
    client = Flow().client
    alerts = [(one["alert"]["signature_id"], one["src_ip"] == ".".join(map(str, client))) for one in found.of("alert")]
    assert all(from_client for sid, from_client in alerts if sid >= 100)
    return sorted(EVENTS[sid % 100 - 1] for sid, _ in alerts if sid < 100)


def talked(*conversation, begun=()):
    flow = Flow(dport=443).open()
    for side, data in (*begun, *conversation):
        flow.send(side, data)
    return flow


def twice(name):
    return [name, name]


def test_both_sides_see_it_once_it_is_acknowledged(rules):
    hello = records(TWO_NAMES)
    assert events(talked((0, hello)).close(), rules) == twice("multiple_sni_extensions")
    assert events(talked((0, hello)), rules) == twice("multiple_sni_extensions")
    assert events(talked((0, hello), (1, record(21, b"\2\x28"))), rules) == twice("multiple_sni_extensions")


def test_a_connection_that_breaks_off_has_one_alert(rules):
    bad = record(22, server_hello() + certificates(NO_CERTIFICATE) + SERVER_DONE)
    flow = talked((0, record(22, client_hello())))
    assert events(flow.segment(1, PSH | ACK, bad), rules) == ["invalid_certificate"]
    assert events(flow.segment(0), rules) == twice("invalid_certificate")
    refused = talked().segment(0, PSH | ACK, records(TWO_NAMES)).segment(1, RST | ACK)
    assert events(refused, rules) == ["multiple_sni_extensions"]


@pytest.mark.parametrize(("beats", "expected"), [
    (((0, 40), (1, 40)), []),
    (((0, 40), (1, 10)), []),
    (((0, 40), (1, 90)), ["dataleak_heartbeat_mismatch"] * 2),
    (((1, 40), (0, 90)), ["dataleak_heartbeat_mismatch"] * 2),
    (((0, 40), (1, 40), (0, 40), (1, 50)), ["dataleak_heartbeat_mismatch"] * 2),
    (((0, 40), (1, 40), (1, 90)), []),
    (((0, 40), (0, 40)), ["invalid_heartbeat_message"] * 2),
])  # fmt: skip
def test_encrypted_heartbeats(rules, beats, expected):
    sent = [(side, record(24, b"e" * size)) for side, size in beats]
    assert events(talked(*sent, (0, DATA), (1, DATA), begun=ENCRYPTED).close(), rules) == expected
    assert events(talked((0, DATA * 50), *sent, begun=ENCRYPTED).close(), rules) == expected


@pytest.mark.parametrize(("late", "expected"), [
    (record(30, b"x"), ["invalid_record_type"] * 2),
    (bytes(5), ["invalid_record_type"] * 2),
    (b"GARBAGE", []),
    (b"\x17\3\3\0\0", []),
    (b"\x17\3\3\x50\0", []),
    (b"\x17\7\7\0\5hello", []),
])
def test_records_behind_the_handshake(rules, late, expected):
    assert events(talked((0, late), (1, DATA), begun=ENCRYPTED).close(), rules) == expected


def test_a_second_hello_in_clear_has_a_name_again(rules):
    first, second = (record(22, client_hello(extensions=sni(name))) for name in (b"a.example", b"b.example"))
    assert events(talked((0, first), (0, second)), rules) == twice("multiple_sni_extensions")
    assert events(talked((0, first), (0, CCS + second)), rules) == []


@pytest.mark.parametrize("odd", [message(99, b"abc"), message(99, b""), b"\x63\0\x10\0abc"])
def test_what_follows_an_unknown_message_is_read(rules, tmp_path, odd):
    flight = record(22, server_hello() + odd) + record(22, certificates(CERT) + SERVER_DONE)
    flow = talked((0, record(22, client_hello())), (1, flight)).close()
    assert events(flow, rules) == twice("invalid_handshake_message")
    path = tmp_path / "subject.rules"
    path.write_text('alert tls any any -> any any (tls.cert_subject; content:"CN=host"; sid:1;)')
    assert run(flow.frames(), load(path)).sids == [1]


@pytest.mark.parametrize(("offered", "chosen", "sids"), [
    ((0x7F1C, 0x0303), 0x7F1C, [1, 1, 3, 3]),
    ((0x0A0A, 0x7F17, 0x0303), 0x0303, [1, 2, 3, 4]),
    ((0x0303, 0x7F1C), 0x7F1C, [1, 2, 3, 4]),
    ((0xFB17, 0x0303), 0xFB17, []),
    ((0x0304, 0x7F1C), 0x0304, [1, 1, 3, 3]),
])  # fmt: skip
def test_drafts_are_tls_1_3(tmp_path, offered, chosen, sids):
    path = tmp_path / "versions.rules"
    path.write_text("\n".join(
        f"alert tls any any -> any any ({test}; sid:{n};)"
        for n, test in enumerate(("tls.version:1.3", "tls.version:1.2", "ssl_version:tls1.3", "ssl_version:tls1.2"), 1)
    ))  # fmt: skip
    hello = record(22, client_hello(extensions=versions(*offered)))
    answer = record(22, server_hello(0x1301, extension(43, chosen.to_bytes(2, "big"))))
    flow = talked((0, hello), (1, answer)).close()
    found = run(flow.frames(), load(path))
    assert not difference(found, run(flow.frames(), load(path), triage=False))
    assert sorted(found.sids) == sids


@pytest.mark.parametrize(("chain", "subject", "size", "expected"), [
    (certificates(certificate(), CERT), "CN=name", 2, []),
    (certificates(NO_CERTIFICATE, certificate()), "CN=name", 1, ["invalid_certificate"] * 2),
    (certificates(certificate(), NO_CERTIFICATE), "CN=name", 2, []),
    (message(11, b"\0\0\3\0\0\0"), None, 0, []),
    (message(11, b"\0\xff\xff" + certificates(certificate())[7:]), None, 0, []),
    (message(11, b"\0\0\7\0\0\x09abcd"), None, 0, ["invalid_certificate"] * 2),
])  # fmt: skip
def test_which_certificate_counts(rules, tmp_path, chain, subject, size, expected):
    flow = talked((0, record(22, client_hello())), (1, record(22, server_hello() + chain + SERVER_DONE))).close()
    assert events(flow, rules) == expected
    path = tmp_path / "chain.rules"
    path.write_text(
        'alert tls any any -> any any (tls.cert_subject; content:"CN="; sid:1;)\n'
        f"alert tls any any -> any any (tls.cert_chain_len:{size}; sid:2;)"
    )
    assert sorted(run(flow.frames(), load(path)).sids) == ([1, 2] if subject else [2])
