"""Flows of application protocols through the whole pipeline: rules, directions, triage."""

import hashlib
import sys
from itertools import chain
from pathlib import Path

import pytest
from enginekit import difference, load, run
from forgekit import Flow, certificates, client_hello, dns, ether, records, server_hello

from sensor.engine.protodetect import expect

sys.path.append(str(Path(__file__).resolve().parents[1] / "proto"))  # the forged bytes of the parsers' tests

import h2kit
import mqttkit
import test_imap as test_imap_bytes
import test_pop3 as test_pop3_bytes
import test_smtp as test_smtp_bytes
import test_telnet as test_telnet_bytes
import wsmake as ws
from handshakes import certificate


def frames(talk, dport):
    """Return [(ns, frame)] of a TCP conversation of (side, bytes)."""
    flow = Flow(dport=dport)
    flow.open()
    for side, data in talk:
        flow.send(side, data)
    flow.close()
    return flow.frames()


def rules(tmp_path, *lines):
    path = tmp_path / f"r{abs(hash(lines))}.rules"
    path.write_text("\n".join(f"alert {line[:-1]} sid:{n};)" for n, line in enumerate(lines, 1)))
    return load(path)


def both_ways(traffic, used):
    """Return the alerts, which must be the same without triage and in blocks of one packet."""
    found = run(traffic, used)
    assert not difference(found, run(traffic, used, triage=False))
    assert not difference(found, run(traffic, used, block=1))
    return sorted(found.sids)


@pytest.mark.parametrize("port", [1883, 9999])
def test_mqtt(tmp_path, port):
    used = rules(
        tmp_path,
        "mqtt any any -> any any (flow:to_client; mqtt.type:CONNACK;)",
        "mqtt any any -> any any (flow:to_server; mqtt.type:CONNACK;)",
        "mqtt any any -> any any (mqtt.type:CONNACK;)",
        'mqtt any any -> any any (flow:to_client; mqtt.publish.message; content:"to you";)',
        'mqtt any any -> any any (flow:to_server; mqtt.publish.message; content:"to you";)',
        'mqtt any any -> any any (mqtt.publish.message; content:"to you"; startswith;)',
        "mqtt any any -> any any (mqtt.flags:dup;)",
        "mqtt any any -> any any (mqtt.flags:!dup,!retain; mqtt.qos:2;)",
        "mqtt any any -> any any (mqtt.connect.flags:username,!will_retain,clean_session;)",
        "mqtt any any -> any any (mqtt.reason_code:>100;)",
        "mqtt any any -> any any (app-layer-event:mqtt.missing_publish;)",
        'mqtt any any -> any any (flow:to_client; frame:header; content:"|20|"; startswith;)',
        'mqtt any any -> any any (frame:mqtt.data; content:"|00 00|"; startswith;)',
    )
    assert both_ways(frames(mqttkit.talk(), port), used) == [2, 3, 8, 9, 10, 12]


def test_mqtt_without_answers(tmp_path):
    """What a client connects with and publishes is judged whatever the broker says, the rest of it is not."""
    used = rules(
        tmp_path,
        'mqtt any any -> any any (mqtt.connect.clientid; content:"guest-7";)',
        'mqtt any any -> any any (mqtt.type:CONNECT; mqtt.connect.clientid; content:"guest-7";)',
        'mqtt any any -> any any (mqtt.publish.topic; content:"t"; mqtt.publish.message; content:"m";)',
        'mqtt any any -> any any (mqtt.qos:1; mqtt.publish.topic; content:"t";)',
        'mqtt any any -> any any (mqtt.subscribe.topic; content:"a/b";)',
    )
    connect, connack, publish = mqttkit.connect(), mqttkit.connack(), mqttkit.publish(b"t", b"m", 1, 5)
    assert both_ways(frames([(0, connect)], 1883), used) == [1]
    assert both_ways(frames([(0, connect), (1, connack)], 1883), used) == [1, 2]
    began = [(0, connect), (1, connack), (0, publish), (0, mqttkit.subscribe())]
    assert both_ways(frames(began, 1883), used) == [1, 2, 3]
    answered = [*began, (1, mqttkit.answer(4, 5)), (1, mqttkit.answer(9, 1, b"\1"))]
    assert both_ways(frames(answered, 1883), used) == [1, 2, 3, 4, 5]


def ftp_session(flip=False, dport=5001, content=b"uid=0(root) gid=0", command=b"RETR a.txt", wait=0):
    """Return packets of a control connection and of the data connection that it announces.

    flip: active mode; the server connects.
    """
    control = Flow(dport=21).open()
    control.send(1, b"220 FTP ready\r\n").send(0, b"USER joe\r\n").send(1, b"230 in\r\n")
    if flip:
        control.send(0, b"PORT 10,0,0,1,19,137\r\n").send(1, b"200 ok\r\n")
        data = Flow(client=control.server, server=control.client, sport=20, dport=dport)
    else:
        control.send(0, b"PASV\r\n").send(1, b"227 (10,0,0,2,19,137)\r\n")
        data = Flow(sport=41000, dport=dport)
    control.send(0, command + b"\r\n").send(1, b"150 go\r\n")
    sender = int(command.startswith(b"RETR") is not flip)
    data.open().send(sender, content).close()
    control.send(1, b"226 done\r\n").close()
    split = next(n for n, (_, p) in enumerate(control.packets) if b"150 go" in p) + 1
    packets = [*control.packets[:split], *data.packets, *control.packets[split:]]
    step = wait * 10**9 if wait else 10**6
    return [
        (10**18 + n * 10**6 + (step if n >= split else 0), ether(p, back=side == 1))
        for n, (side, p) in enumerate(packets)
    ]


FTP_DATA = (
    "ftp-data any any -> any any (flow:established,to_client; ftpdata_command:retr;)",
    "ftp-data any any -> any any (flow:established,to_server; ftpdata_command:stor;)",
    'ftp-data any any -> any any (flow:to_client; file.data; content:"root";)',
    'ftp-data any any -> any any (flow:to_server; file.data; content:"root";)',
    'ftp-data any any -> any any (file.data; content:"root"; file.name; content:"a.txt";)',
    'tcp any any -> any any (fileext:"txt"; ftpdata_command:retr;)',
    'http any any -> any any (http.method; content:"GET";)',
)


@pytest.mark.parametrize(
    ("session", "sids"),
    [
        ({}, [1, 3, 5, 6]),
        ({"flip": True}, [1, 4, 5, 6]),
        ({"command": b"STOR a.txt"}, [2, 4, 5]),
        ({"command": b"STOR a.txt", "flip": True}, [2, 3, 5]),
        ({"command": b"NLST"}, []),
        ({"dport": 5002}, []),
        ({"wait": 61}, []),
        ({"content": b"GET /root HTTP/1.1\r\nHost: a\r\n\r\n"}, [1, 3, 5, 6]),
        ({"content": b"GET /root HTTP/1.1\r\nHost: a\r\n\r\n", "dport": 5002, "command": b"STOR a.txt"}, [7]),
    ],
)
def test_ftp_data(tmp_path, session, sids):
    assert both_ways(ftp_session(**session), rules(tmp_path, *FTP_DATA)) == sids


@pytest.mark.parametrize("size", [1, 400])
def test_ftp_data_is_known_from_its_first_answer(tmp_path, size):
    """However much comes of it in the block of its announcement: 100,000 bytes that nobody knows would be an event."""
    used = rules(
        tmp_path,
        "ftp-data any any -> any any (flow:established;)",
        "tcp any any -> any any (app-layer-protocol:ftp-data;)",
        "tcp any any -> any any (app-layer-event:applayer_proto_detection_skipped;)",
    )
    traffic = ftp_session(content=b"a plain text of nothing much " * 10 * size)
    found = both_ways(traffic, used)
    data = [n for n, (_, frame) in enumerate(traffic) if frame[34:36] == b"\xa0\x28" or frame[36:38] == b"\xa0\x28"]
    first = next(n for n in data if len(traffic[n][1]) > 100)
    answered = next(n for n in data if n > first and traffic[n][1][34:36] == b"\xa0\x28")
    assert found == [1] * sum(n >= answered for n in data) + [2]


def test_ftp(tmp_path):
    used = rules(
        tmp_path,
        "tcp any any -> any any (ftpbounce;)",
        'ftp any any -> any any (ftp.reply; content:"10,0,0,2"; ftp.completion_code; content:"550";)',
        "ftp any any -> any any (ftp.dynamic_port:5001; ftp.mode:passive;)",
        'ftp any any -> any any (content:"USER joe";)',
        "ftp any any -> any any (app-layer-event:ftp.request_command_too_long;)",
    )
    flow = Flow(dport=2121).open().send(1, b"220 (vsFTPd 3.0.5)\r\n").send(0, b"USER joe\r\n").send(1, b"230 ok\r\n")
    flow.send(0, b"PORT 10,9,9,9,0,22\r\n").send(1, b"200 ok\r\n").send(0, b"STOR " + b"x" * 5000 + b"\r\n")
    flow.send(0, b"PASV\r\n").send(1, b"550 no\r\n227 (10,0,0,2,19,137)\r\n").close()
    assert both_ways(flow.frames(), used) == [1, 3, 4, 5, 5]


def test_expectations_are_bounded(monkeypatch):
    monkeypatch.setattr(expect, "MAX_EXPECTED", 10)
    flow = Flow(dport=21).open().send(1, b"220 FTP\r\n")
    for port in range(50):
        flow.send(0, b"PORT 10,0,0,1,9,%d\r\nRETR x\r\n" % port)
    found = run(flow.frames()).pipeline.expected
    assert len(found._waiting) == 10
    assert (found.counters.expected, found.counters.dropped, found.counters.found) == (50, 40, 0)
    assert not found._readers


def test_readers_of_control_connections_are_bounded(monkeypatch):
    """The one that speaks now and then is not the one that is forgotten."""
    monkeypatch.setattr(expect, "MAX_READERS", 10)
    kept = Flow(dport=21).open().send(1, b"220 FTP\r\n").send(0, b"PORT 10,0,0,1,9,1\r\n")
    packets = [*kept.packets]
    for n in range(40):
        other = Flow(dport=21, sport=50_000 + n).open().send(1, b"220 FTP\r\n").send(0, b"USER x\r\n")
        kept.packets.clear()
        packets += other.packets + kept.send(0, b"NOOP\r\n").packets
    kept.packets.clear()
    packets += kept.send(0, b"RETR x\r\n").packets
    traffic = [(10**18 + n * 10**6, ether(p, back=side == 1)) for n, (side, p) in enumerate(packets)]
    found = run(traffic, block=8).pipeline.expected
    assert (found.counters.expected, found.counters.forgotten) == (1, 31)


@pytest.mark.parametrize(("seconds", "waiting"), [(100, 1), (130, 0)])
def test_what_never_came_is_forgotten(seconds, waiting):
    control = Flow(dport=21).open().send(1, b"220 FTP\r\n").send(0, b"PORT 10,0,0,1,9,1\r\nRETR x\r\n").frames()
    last = control[-1][0]
    later = [(last + seconds * 10**9, frame) for _, frame in Flow(dport=80).open().frames()]
    found = run([*control, *later], block=1).pipeline.expected
    assert len(found._waiting) == waiting


def test_smtp(tmp_path):
    used = rules(
        tmp_path,
        'smtp any any -> any any (smtp.helo; content:"client.example";)',
        'smtp any any -> any any (smtp.rcpt_to; content:"<b@example.org>"; bsize:15;)',
        'smtp any any -> any any (file_data; content:"|00 01 02 03|"; file.name; content:"p.bin";)',
        'smtp any any -> any any (file.name; content:"p.bin"; file_data; content:"plain";)',
        'smtp any any -> any any (file_data; content:"plain"; email.subject; content:"hello";)',
        'tcp any any -> any any (file_data; content:"|00 01 02 03|"; fileext:"bin"; filesize:>2000;)',
        'smtp any any -> any any (flow:to_client; file_data; content:"plain";)',
        'smtp any any -> any any (content:"QUIT";)',
        "smtp any any -> any any (app-layer-event:smtp.invalid_reply;)",
    )
    traffic = frames(test_smtp_bytes.talk(), 2525)
    assert both_ways(traffic, used) == [1, 2, 3, 5, 6, 8]
    record, rest = run(traffic, used).of("smtp")
    assert rest["smtp"] == {"helo": "client.example"}
    assert record["email"]["attachment"] == ["p.bin", "g.txt", "plain.txt"]
    alert = next(a for a in run(traffic, used).of("alert") if a["alert"]["signature_id"] == 3)
    assert alert["smtp"]["helo"] == "client.example"
    assert alert["email"]["from"] == "joe@example.org"


def mail(body):
    return [
        (0, b"MAIL FROM:<a@b>\r\n"), (1, b"250 ok\r\n"), (0, b"RCPT TO:<c@d>\r\n"), (1, b"250 ok\r\n"),
        (0, b"DATA\r\n"), (1, b"354 go\r\n"), (0, b"Subject: hello\r\n" + body + b"\r\n.\r\n"), (1, b"250 queued\r\n"),
    ]  # fmt: skip


ATTACHED = b'Content-Type: a/b; name="x.bin"\r\nContent-Transfer-Encoding: base64\r\n\r\naGVsbG8='


@pytest.mark.parametrize(("mails", "hits"), [
    ([b"\r\ntext"] * 3, 1),
    ([ATTACHED] * 3, 3),
    ([b"\r\ntext", ATTACHED, b"\r\ntext", b"\r\ntext"], 2),
    ([ATTACHED, b"\r\ntext", b"\r\ntext", ATTACHED], 2),
])  # fmt: skip
def test_an_attachment_ends_a_stretch_of_the_stream(tmp_path, mails, hits):
    """Suricata inspects the stream then, so that rules without a buffer alert again for what follows."""
    used = rules(
        tmp_path,
        'tcp any any -> any any (flow:established,to_server; content:"MAIL FROM";)',
        'smtp any any -> any any (content:"Subject|3a|"; content:"|0d 0a 2e|"; distance:0;)',
        'tcp any any -> any any (flow:established,to_client; content:"queued";)',
    )
    talk = [(1, b"220 mx ESMTP\r\n"), (0, b"EHLO x\r\n"), (1, b"250 ok\r\n"), *chain(*map(mail, mails))]
    assert both_ways(frames(talk, 25), used) == [1] * hits + [2] * hits + [3]


@pytest.mark.parametrize("port", [80, 9999])
def test_http2(tmp_path, port):
    used = rules(
        tmp_path,
        'http any any -> any any (http.uri; content:"/a?b=1"; bsize:6;)',
        'http2 any any -> any any (http.request_header; content:"|3a|authority: Www"; startswith;)',
        'http1 any any -> any any (http.uri; content:"/a";)',
        'http any any -> any any (http.stat_code; content:"200"; http.response_body; content:"hello";)',
        'tcp any any -> any any (file.data; content:"posted body";)',
        "http2 any any -> any any (http2.frametype:GOAWAY; http2.errorcode:ENHANCE_YOUR_CALM;)",
        "http2 any any -> any any (http2.settings:SETTINGS_HEADER_TABLE_SIZE>1000;)",
        "http2 any any -> any any (http2.settings:SETTINGS_MAX_FRAME_SIZE;)",
        "http2 any any -> any any (http2.window:30000-40000;)",
        'http2 any any -> any any (http2.header_name; content:"user-agent";)',
        'http2 any any -> any any (flow:to_client; http2.header_name; content:"server";)',
        'http2 any any -> any any (frame:http2.hdr; content:"|07|"; offset:3; depth:1;)',
        'http2 any any -> any any (flow:to_server; frame:pdu; content:"posted";)',
        "http2 any any -> any any (app-layer-event:http2.invalid_header;)",
        'http any any -> any any (content:"PRI * HTTP/2.0";)',
    )
    found = both_ways(frames(h2kit.talk(), port), used)
    assert found == [1, 2, 2, 4, 5, 6, 7, 9, 10, 11, 11, 12, 13, 15]
    records = run(frames(h2kit.talk(), port), used).of("http")
    assert {r["http"]["url"] for r in records if "url" in r["http"]} == {"/a?b=1", "/up"}


@pytest.mark.parametrize(
    ("talk", "lines", "sids"),
    [
        (
            test_pop3_bytes.TALK,
            (
                'pop3 any any -> any any (pop3.command; content:"RETR"; bsize:4;)',
                'pop3 any any -> any any (file_data; content:"|00 01 02 03|"; file.name; content:"p.bin";)',
                'tcp any any -> any any (flow:to_client; fileext:"bin";)',
                'pop3 any any -> any any (flow:to_server; file_data; content:"|00|";)',
                'pop3 any any -> any any (pop3.response; content:"-ERR"; startswith;)',
                'pop3 any any -> any any (content:"pass secret";)',
            ),
            [1, 2, 3, 5, 6],
        ),
        (
            test_imap_bytes.TALK,
            (
                'imap any any -> any any (imap.command; content:"FETCH"; endswith;)',
                'imap any any -> any any (flow:to_client; file_data; content:"|00 01 02 03|";)',
                'imap any any -> any any (flow:to_server; file_data; content:"|00 01 02 03|";)',
                'imap any any -> any any (imap.response; content:"OK stored";)',
                'imap any any -> any any (content:"a1 LOGIN";)',
            ),
            [1, 2, 3, 4, 5],
        ),
        (
            test_telnet_bytes.TALK,
            (
                'telnet any any -> any any (frame:telnet.data; content:"rm -rf";)',
                'telnet any any -> any any (flow:to_client; frame:data; content:"login"; startswith;)',
                'telnet any any -> any any (frame:ctl; content:"xterm";)',
                'telnet any any -> any any (flow:to_client; frame:pdu; content:"xterm";)',
            ),
            [1, 2, 3],
        ),
    ],
    ids=["pop3", "imap", "telnet"],
)
def test_dialogs(tmp_path, talk, lines, sids):
    assert both_ways(frames(talk, 9999), rules(tmp_path, *lines)) == sids


@pytest.mark.parametrize("over_tcp", [False, True])
def test_dns_names_longer_than_they_may_be(tmp_path, over_tcp):
    used = rules(
        tmp_path,
        'dns any any -> any any (dns.query; content:"needle.example";)',
        'dns any any -> any any (dns.query; content:"aaaa"; startswith; bsize:>255;)',
    )
    question = dns(".".join(["a" * 60] * 8 + ["needle.example"]))
    if over_tcp:
        traffic = frames([(0, len(question).to_bytes(2, "big") + question)], 53)
    else:
        traffic = Flow(dport=53).datagram(0, question).frames()
    assert both_ways(traffic, used) == [1, 2]


HELLO = records(client_hello("mail.example.org"))
BEFORE_TLS = {
    "smtp": [(1, b"220 mx ESMTP\r\n"), (0, b"EHLO x\r\nSTARTTLS\r\n"), (1, b"250 ok\r\n220 go\r\n")],
    "ftp": [(1, b"220 FTP\r\n"), (0, b"AUTH TLS\r\n"), (1, b"234 go\r\n")],
    "pop3": [(1, b"+OK pop\r\n"), (0, b"STLS\r\n"), (1, b"+OK go\r\n")],
    "imap": [(1, b"* OK imap\r\n"), (0, b"a STARTTLS\r\n"), (1, b"a OK go\r\n")],
    "pgsql": [(0, b""), (0, bytes.fromhex("0000000804d2162f")), (1, b"S")],
}


@pytest.mark.parametrize("proto", BEFORE_TLS)
@pytest.mark.parametrize("refused", [False, True])
def test_tls_behind_another_protocol(tmp_path, proto, refused):
    used = rules(
        tmp_path,
        'tls any any -> any any (tls.sni; content:"mail.example.org"; bsize:16;)',
        'tls any any -> any any (ja3.hash; content:"a"; tls.sni; content:"example";)',
        f'{proto} any any -> any any (content:"example.org";)',
        "tls any any -> any any (app-layer-event:tls.invalid_handshake;)",
    )
    talk = list(BEFORE_TLS[proto])
    if refused:
        no = {"smtp": b"250 ok\r\n454 no\r\n", "pgsql": b"N"}
        talk[2] = (1, no.get(proto, b"-ERR 500 no\r\na NO\r\n"))
    traffic = frames([*talk, (0, HELLO), (1, records(server_hello()))], 9999)
    assert 1 in both_ways(traffic, used) or refused
    assert (1 in both_ways(traffic, used)) is not refused
    assert bool(run(traffic, used, types=("tls",)).of("tls")) is not refused
    spoken = {
        e["alert"]["signature_id"]: (e["app_proto"], e.get("app_proto_orig")) for e in run(traffic, used).of("alert")
    }
    assert refused or spoken[1] == ("tls", proto)
    assert spoken[3] == (proto, None)


@pytest.mark.parametrize(
    ("proto", "follows", "sids"),
    [
        ("smtp", b"MAIL FROM:<a@b>\r\n", [1, 2, 3]),
        ("smtp", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", [1, 2, 3]),
        ("smtp", HELLO, [4, 4]),  # what the server says then is no record
        ("smtp", HELLO + bytes(5), [4, 4]),
        ("pop3", b"USER somebody\r\n", []),
    ],
)
def test_something_else_where_tls_was_agreed_on(tmp_path, proto, follows, sids):
    used = rules(
        tmp_path,
        "tcp any any -> any any (app-layer-event:applayer_no_tls_after_starttls;)",
        "tcp any any -> any any (flow:established,to_server; app-layer-event:applayer_unexpected_protocol;)",
        "tcp any any -> any any (flow:established,to_client; app-layer-event:applayer_no_tls_after_starttls;)",
        "tcp any any -> any any (app-layer-event:tls.invalid_record_type;)",
    )
    traffic = frames([*BEFORE_TLS[proto], (0, follows), (1, b"220 what\r\n")], 9999)
    assert sorted(both_ways(traffic, used)) == sids
    framed = rules(tmp_path, "tcp any any -> any any (app-layer-event:applayer_no_tls_after_starttls;)",
                   'tls any any -> any any (frame:tls.pdu; content:"nothing";)')  # fmt: skip
    assert both_ways(traffic, framed) == [1] * (1 in sids)


@pytest.mark.parametrize(
    ("field", "hits"),
    [(b"", 2), (b"Content-Length: 2\r\n", 0), (b"Transfer-Encoding: chunked\r\n", 0), (b"Connection: close\r\n", 2)],
)
def test_a_body_of_byte_ranges_without_a_length(tmp_path, field, hits):
    used = rules(tmp_path, "http any any -> any any (app-layer-event:http.response_multipart_byteranges;)")
    head = b"HTTP/1.1 206 Partial Content\r\nContent-Type: multipart/ByteRanges; boundary=a\r\n"
    talk = [(0, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"), (1, head + field + b"\r\n--a--\r\n")]
    assert both_ways(frames(talk, 80), used) == [1] * hits


@pytest.mark.parametrize("side", [0, 1])
def test_many_records_of_one_side_hide_no_hello_of_the_other(tmp_path, side):
    used = rules(
        tmp_path,
        'tls any any -> any any (tls.cert_subject; content:"CN=name";)',
        'tls any any -> any any (tls.sni; content:"mail.example.org";)',
    )
    answer = records(server_hello()) + records(certificates(certificate()))
    many = b"".join(b"\x17\3\3\0\1x" for _ in range(200))
    for talk in ([(0, HELLO), (1, answer), (side, many)], [(0, HELLO + many), (1, answer)]):
        assert both_ways(frames(talk, 443), used) == ([1, 2] if len(talk) == 3 else [2])


POST = b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n"
FINE = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine"
ABOUT_STREAMS = (
    'content:"needle"; http.method; content:"POST"', 'content:"|0d 0a 0d 0a|need"; http.method; content:"POST"',
    'content:!"needle"; http.method; content:"POST"', 'content:"HTTP/1.1"; content:"needle"; http.uri; content:"/a"',
    'content:"POST"; depth:4; http.request_body; content:"needle"',
)  # fmt: skip


@pytest.mark.parametrize(
    ("talk", "sids"),
    [
        ([(0, POST % 6 + b"needle"), (1, FINE)], [1, 2, 4, 5]),
        ([(0, POST % 6), (0, b"needle"), (1, FINE)], [1, 2, 4, 5]),
        ([(0, (POST % 6)[:20]), (0, (POST % 6)[20:]), (0, b"nee"), (0, b"dle"), (1, FINE)], [1, 2, 4, 5]),
        ([(0, POST % 9), (0, b"xxx"), (0, b"needle"), (1, FINE)], [1, 4, 5]),
        ([(0, POST % 6), (0, b"needle")], [1, 2, 4, 5]),
        ([(0, POST % 9000), (0, b"needle"), *[(0, b"x" * 999)] * 9, (1, FINE)], [1, 2, 4, 5]),
        ([(0, POST % 6), (0, b"foobar"), (1, FINE)], [3]),
        ([(0, POST % 6 + b"needle"), (1, FINE), (0, POST % 6 + b"foobar"), (1, FINE)], [1, 2, 3, 4, 5]),
        ([(0, POST % 6 + b"foobar"), (1, FINE), (0, POST % 6 + b"needle"), (1, FINE)], [1, 2, 3, 4, 5]),
        ([(0, POST % 6), (0, b"foobar"), (1, FINE), (0, b"GET /needle HTTP/1.1\r\n\r\n"), (1, FINE)], [3]),
    ],
)
def test_rules_on_a_message_and_on_the_stream(tmp_path, talk, sids):
    used = rules(tmp_path, *(f"http any any -> any any (flow:to_server; {one};)" for one in ABOUT_STREAMS))
    assert both_ways(frames(talk, 80), used) == sids


@pytest.mark.parametrize(
    ("talk", "sids"),
    [
        ([(0, POST % 6 + b"needle"), (1, FINE)], [2, 3, 4, 6]),
        ([(0, POST % 6), (0, b"needle"), (1, FINE)], [1, 3, 6]),
        ([(0, POST % 6 + b"foobar" + POST % 6 + b"needle"), (1, FINE + FINE)], [1, 2, 3, 4, 6, 6]),
    ],
)
def test_rules_that_set_a_flowbit_come_before_those_that_ask_for_it(tmp_path, talk, sids):
    options = (
        'flowbits:isnotset,a; http.method; content:"POST"', 'flowbits:isset,a; flowbits:set,b; http.uri; content:"/a"',
        'flowbits:set,a; http.request_body; content:"needle"', 'flowbits:isset,b; http.host; content:"h"',
        'flowbits:isset,c; http.uri; content:"/"', 'flowbits:isset,a; http.stat_code; content:"200"',
    )  # fmt: skip
    used = rules(tmp_path, *(f"http any any -> any any ({one};)" for one in options))
    assert both_ways(frames(talk, 80), used) == sids


@pytest.mark.parametrize("ranges", [((0, 16), (16, 32)), ((16, 32), (0, 16)), ((0, 16), (20, 32))])
def test_a_file_in_byte_ranges(tmp_path, ranges):
    file = b"0123456789needle in two parts 89"
    (tmp_path / "known").write_text(hashlib.sha256(file).hexdigest())
    options = (
        "filesha256:known;", "flow:to_client; filesize:32;", "flow:to_client; file.data; bsize:32;",
        'flow:to_client; file.data; content:"needle in two";', 'flow:to_client; file.data; content:"89"; endswith;',
        'flow:to_client; file.name; content:"/f";', "flow:to_client; filesize:>0;",
    )  # fmt: skip
    used = rules(tmp_path, *(f"http any any -> any any ({one})" for one in options))
    head = b"HTTP/1.1 206 P\r\nContent-Range: bytes %d-%d/32\r\nContent-Length: %d\r\n\r\n"
    talk = []
    for start, stop in ranges:
        talk.append((0, b"GET /f HTTP/1.1\r\nHost: h\r\n\r\n"))
        talk.append((1, head % (start, stop - 1, stop - start) + file[start:stop]))
    whole = [1, 2, 3, 4] if ranges[1] != (20, 32) else []
    ends = 1 if ranges[0][0] == 0 else 2
    assert both_ways(frames(talk, 80), used) == sorted([*whole, *[5] * ends, 6, 6, 7, 7])
    for n, option in enumerate(options, 1):
        alone = rules(tmp_path, f"http any any -> any any ({option})")
        hits = {5: ends, 6: 2, 7: 2}.get(n, int(n in whole))
        assert both_ways(frames(talk, 80), alone) == [1] * hits


CONNECT = b"CONNECT h.example:443 HTTP/1.1\r\nHost: h.example:443\r\n\r\n"
GRANTED = b"HTTP/1.1 200 Connection established\r\n\r\n"
IN_TUNNEL = {
    "tls": [(0, HELLO), (1, records(server_hello()))],
    "ssh": [(1, b"SSH-2.0-server\r\n"), (0, b"SSH-2.0-needle\r\n")],
    "smtp": [(1, b"220 mx\r\n"), (0, b"EHLO needle\r\n"), (1, b"250 ok\r\n"), (0, b"MAIL FROM:<a@b>\r\n")],
    "http": [(0, b"GET /needle HTTP/1.1\r\nHost: a\r\n\r\n"), (1, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")],
}


@pytest.mark.parametrize("answer", [GRANTED, b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n"])
@pytest.mark.parametrize("proto", IN_TUNNEL)
@pytest.mark.parametrize("alone", [False, True])
def test_what_follows_a_connect(tmp_path, proto, answer, alone):
    lines = {
        "tls": 'tls any any -> any any (tls.sni; content:"mail.example.org"; bsize:16;)',
        "ssh": 'ssh any any -> any any (ssh.software; content:"needle";)',
        "smtp": 'smtp any any -> any any (smtp.helo; content:"needle";)',
        "http": 'http any any -> any any (http.uri; content:"/needle";)',
    }
    used = rules(tmp_path, *([lines[proto]] if alone else lines.values()))
    talk = [(0, CONNECT), (1, answer), *IN_TUNNEL[proto]]
    hit = answer == GRANTED or proto == "http"
    assert both_ways(frames(talk, 3128), used) == [1 if alone else 1 + list(lines).index(proto)] * hit
    spoken = [(e["app_proto"], e.get("app_proto_orig")) for e in run(frames(talk, 3128), used).of("alert")]
    assert spoken == [(proto, "http" if proto != "http" else None)] * hit


def test_events_behind_a_connect(tmp_path):
    used = rules(tmp_path, "tls any any -> any any (app-layer-event:tls.invalid_record_type;)")
    talk = [(0, CONNECT), (1, GRANTED), *IN_TUNNEL["tls"], (0, bytes(5))]
    assert both_ways(frames(talk, 3128), used) == [1, 1]


UPGRADE = b"Upgrade: websocket\r\nConnection: Upgrade\r\n"


def test_websocket_behind_http(tmp_path):
    used = rules(
        tmp_path,
        'websocket any any -> any any (flow:to_server; websocket.payload; content:"masked needle";)',
        'websocket any any -> any any (flow:to_client; websocket.payload; content:"answer";)',
        "websocket any any -> any any (websocket.opcode:ping; websocket.mask:>0;)",
        "websocket any any -> any any (websocket.flags:fin,!comp; websocket.opcode:binary;)",
        "websocket any any -> any any (websocket.flags:0x80; websocket.opcode:text;)",
        'http any any -> any any (http.uri; content:"/chat";)',
        'websocket any any -> any any (flow:to_client; websocket.payload; content:"masked needle";)',
        "websocket any any -> any any (websocket.flags:!fin;)",
    )
    talk = [
        (0, b"GET /chat HTTP/1.1\r\nHost: a\r\nSec-WebSocket-Key: x\r\n" + UPGRADE + b"\r\n"),
        (1, b"HTTP/1.1 101 Switching Protocols\r\n" + UPGRADE + b"\r\n" + ws.frame(b"answer", ws.BINARY)),
        (0, ws.frame(b"a masked needle", key=ws.KEY)),
        (0, ws.frame(b"", ws.PING, key=ws.KEY)),
    ]
    assert both_ways(frames(talk, 8080), used) == [1, 2, 3, 4, 5, 6]
    events = run(frames(talk, 8080), used, types=("websocket", "http", "alert"))
    assert [e["websocket"]["opcode"] for e in events.of("websocket")] == ["binary", "text", "ping"]
    (alert,) = [e for e in events.of("alert") if e["alert"]["signature_id"] == 1]
    assert (alert["app_proto"], alert["app_proto_orig"]) == ("websocket", "http")


def test_http2_behind_http(tmp_path):
    used = rules(
        tmp_path,
        'http2 any any -> any any (http.stat_code; content:"200"; http.response_body; content:"upgraded";)',
        'http any any -> any any (http.response_body; content:"upgraded";)',
        'http1 any any -> any any (http.uri; content:"/start";)',
        'http1 any any -> any any (http.response_body; content:"upgraded";)',
        "http2 any any -> any any (http2.frametype:GOAWAY;)",
        "http2 any any -> any any (app-layer-event:http2.invalid_header;)",
    )
    upgrade = b"Upgrade: h2c\r\nConnection: Upgrade\r\n\r\n"
    talk = [
        (0, b"GET /start HTTP/1.1\r\nHost: a\r\nHTTP2-Settings: AAMAAABk\r\n" + upgrade),
        (1, b"HTTP/1.1 101 Switching Protocols\r\n" + upgrade + h2kit.settings((3, 100)) + h2kit.response()),
        (1, h2kit.data(b"upgraded")),
        (0, h2kit.PREFACE + h2kit.settings()),
        (1, h2kit.frame(h2kit.GOAWAY, bytes(8)) + h2kit.frame(h2kit.HEADERS, b"\xc0", 4, 3)),
    ]
    assert both_ways(frames(talk, 8080), used) == [1, 2, 3, 5, 6, 6]
    spoken = {e["alert"]["signature_id"]: e["app_proto"] for e in run(frames(talk, 8080), used).of("alert")}
    assert (spoken[1], spoken[3]) == ("http2", "http")
    assert len(run(frames(talk, 8080), used).of("http")) >= 2


@pytest.mark.parametrize("noise", [b"\x85\0\0\0%lG\x81" + b"\xd9" * 129, b"\xff" * 2000])
def test_the_answer_to_what_is_no_request_tells_the_protocol(tmp_path, noise):
    used = rules(
        tmp_path,
        'http any any -> any any (http.response_line; content:"HTTP/1.1 400";)',
        'http any any -> any any (http.stat_code; content:"404";)',
        'http any any -> any any (http.response_header; content:"Server";)',
    )
    answer = b"HTTP/1.1 400 Bad Request\r\nServer: x\r\nContent-Length: 0\r\n\r\n"
    assert both_ways(frames([(0, noise), (1, answer)], 80), used) == [1, 3]
    assert both_ways(frames([(0, noise), (1, b"?" * 40), (1, answer)], 80), used) == []
