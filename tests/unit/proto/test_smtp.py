import base64
import binascii
import hashlib
import quopri

import pytest
from handshakes import TO_CLIENT, TO_SERVER, drive

from sensor.model.anomaly import AppAnomaly
from sensor.proto.smtp import limits, parse, transaction
from sensor.proto.smtp.fields import SPEC
from sensor.proto.smtp.state import STAGE_ENVELOPE, STAGE_FILE, STAGE_MAIL, SmtpParser

PICTURE = bytes(range(256)) * 9


def part(body, *headers):
    return b"\r\n".join([b"--B=1", *headers, b"", body]) + b"\r\n"


def b64(data):
    return base64.encodebytes(data).replace(b"\n", b"\r\n").removesuffix(b"\r\n")


def qp(data):
    return quopri.encodestring(data).replace(b"\n", b"\r\n")


ATTACHED = b'Content-Disposition: attachment;\r\n filename="%s"'
MAIL = b"".join(
    [
        b"From: joe@example.org\r\nTo: a@example.org,\r\n b@example.org\r\nSubject: hello\r\n there\r\n",
        b'MIME-Version: 1.0\r\nContent-Type: multipart/mixed;\r\n boundary="B=1"\r\n\r\npreamble\r\n',
        part(b"just text\r\n..two dots\r\n.. ", b"Content-Type: text/plain"),
        part(b64(PICTURE), ATTACHED % b"p.bin", b"Content-Transfer-Encoding: BASE64"),
        part(qp("größe = 1\n".encode()), ATTACHED % b"g.txt", b"Content-Transfer-Encoding: quoted-printable"),
        part(b"--B=12\r\nplain\r\n.. dotted", b'Content-Type: text/plain; name="plain.txt"'),
        b"--B=1--\r\nepilogue\r\n",
    ]
)
REPLIES = (
    b"220 mx ESMTP\r\n",
    b"250-mx\r\n250 SIZE\r\n",
    b"250 ok\r\n",
    b"250 ok\r\n",
    b"354 go\r\n",
    b"250 queued\r\n",
)


def talk(mail=MAIL):
    """Return (side, bytes) of a session with one mail."""
    return [
        (1, REPLIES[0]),
        (0, b"EHLO client.example\r\n"),
        (1, REPLIES[1]),
        (0, b"MAIL FROM:<joe@example.org> SIZE=100\r\nrcpt to: <a@example.org>\r\nRCPT TO:<b@example.org>\r\n"),
        (1, REPLIES[2] * 3),
        (0, b"DATA\r\n"),
        (1, REPLIES[4]),
        (0, mail + b".\r\n"),
        (1, REPLIES[5]),
        (0, b"QUIT\r\n"),
        (1, b"221 bye\r\n"),
    ]


def run(conversation):
    parser = SmtpParser()
    stages = drive(parser, conversation)
    return parser, stages


def files(stages):
    return {s.file.name: s.file for s in stages if s.stage == STAGE_FILE}


def test_session():
    parser, stages = run(talk())
    assert parser.anomalies() == []
    mail = [STAGE_ENVELOPE, STAGE_FILE, STAGE_FILE, STAGE_FILE, STAGE_MAIL]
    assert [s.stage for s in stages] == [*mail, STAGE_MAIL]  # what is behind the mail is for the log alone
    tx = stages[0].tx
    assert tx.buffer("smtp.helo") == [b"client.example"]
    assert tx.buffer("smtp.mail_from") == [b"<joe@example.org>"]
    assert tx.buffer("smtp.rcpt_to") == [b"<a@example.org>", b"<b@example.org>"]
    assert tx.buffer("email.to") == [b"a@example.org, b@example.org"]
    assert list(tx.buffer("email.cc")) == list(tx.buffer("no.such")) == []
    assert tx.buffer("file.name") == [b"p.bin", b"g.txt", b"plain.txt"]


def test_files_are_decoded():
    _, stages = run(talk())
    found = files(stages)
    assert found[b"p.bin"].data == PICTURE
    assert found[b"p.bin"].buffer("file.md5") == (hashlib.md5(PICTURE).hexdigest().encode(),)  # noqa: S324 - EVE's
    assert found[b"g.txt"].data.decode() == "größe = 1\r\n\r\n"
    assert found[b"plain.txt"].data == b"--B=12\r\nplain\r\n. dotted"
    assert all(file.complete for file in found.values())


@pytest.mark.parametrize(
    "last", [[b"QUIT\r\n"], [b"RSET\r\n"], [b"RSET\r\n", b"QUIT\r\n"], [b"NOOP\r\n", b"QUIT\r\n"]]
)
def test_what_follows_a_mail_is_one_more_record_of_who_was_there(last):
    _, stages = run(talk()[:-2] + [turn for line in last for turn in ((0, line), (1, b"250 ok\r\n"))])
    done = [s.tx for s in stages if s.stage == STAGE_MAIL]
    assert [tx.id for tx in done] == [0, 1]
    assert done[1].eve() == {"helo": "client.example"}
    assert done[1].beside() == {}
    _, stages = run(talk()[:-2])
    assert {s.tx.id for s in stages} == {0}


def test_eve():
    _, stages = run(talk()[:-2])
    tx = stages[-1].tx
    assert tx.eve() == {
        "helo": "client.example",
        "mail_from": "<joe@example.org>",
        "rcpt_to": ["<a@example.org>", "<b@example.org>"],
    }
    assert tx.beside() == {
        "email": {
            "status": "PARSE_DONE",
            "from": "joe@example.org",
            "to": ["a@example.org", "b@example.org"],
            "subject": "hello there",
            "attachment": ["p.bin", "g.txt", "plain.txt"],
        }
    }


def test_declared_buffers_are_those_that_exist():
    assert set(transaction._BUFFERS) == {b.name for b in SPEC.buffers if not b.name.startswith("file.")}


def test_two_mails_are_two_transactions_and_the_name_is_kept():
    again = [(0, b"MAIL FROM:<c@x>\r\nDATA\r\n"), (1, b"250 a\r\n354 go\r\n"), (0, b"Subject: 2\r\n\r\nx\r\n.\r\n")]
    _, stages = run(talk()[:9] + again)
    mails = [s.tx for s in stages if s.stage == STAGE_MAIL]
    assert [tx.id for tx in mails] == [0, 1]
    assert mails[1].eve() == {"helo": "client.example", "mail_from": "<c@x>"}
    assert mails[1].buffer("email.subject") == [b"2"]


def test_session_without_mail():
    _, stages = run([(1, b"220 x\r\n"), (0, b"HELO me\r\nRSET\r\nMAIL FROM:<a>\r\n")])
    assert [(s.stage, s.tx.id) for s in stages] == [(0, 0), (2, 0), (0, 1), (2, 1)]
    assert stages[-1].tx.beside() == {}


def test_a_capture_of_the_client_alone():
    _, stages = run([(side, data) for side, data in talk() if side == TO_SERVER])
    assert list(files(stages)) == [b"p.bin", b"g.txt", b"plain.txt"]


def test_cut_mail_is_not_complete():
    _, stages = run([*talk()[:7], (0, MAIL[:900])])
    assert not files(stages)[b"p.bin"].complete
    assert stages[-1].tx.beside()["email"]["status"] == "BODY_STARTED"


@pytest.mark.parametrize("size", [None, 1, 7])
def test_bdat(size):
    half = len(MAIL.replace(b"\r\n..", b"\r\n.")) // 2
    mail = MAIL.replace(b"\r\n..", b"\r\n.")
    chunks = b"BDAT %d\r\n%sBDAT %d LAST\r\n%sQUIT\r\n" % (half, mail[:half], len(mail) - half, mail[half:])
    parser = SmtpParser()
    stages = drive(parser, [(1, b"220 x\r\n"), (0, b"EHLO a\r\nMAIL FROM:<a>\r\n"), (0, chunks)], size)
    assert files(stages)[b"p.bin"].data == PICTURE
    assert files(stages)[b"plain.txt"].data == b"--B=12\r\nplain\r\n. dotted"
    assert stages[-1].stage == STAGE_MAIL
    assert stages[-1].tx.complete


@pytest.mark.parametrize(
    ("conversation", "events"),
    [
        ([(1, b"500 go away\r\n")], []),
        ([(1, b"300 hello\r\n")], ["no_server_welcome_message"]),
        ([(0, b"EHLO x\r\n"), (1, b"220 a\r\n")], ["no_server_welcome_message"]),
        ([(1, b"220 a\r\n"), (0, b"AUTH x\r\n"), (1, b"535 no\r\n")], ["invalid_reply"]),
        ([(1, b"220 a\r\n"), (0, b"NOOP\r\n"), (1, b"250x\r\n")], []),
        ([(1, b"220 a\r\n"), (0, b"\r\n"), (1, b"500 what\r\n")], []),
        ([(1, b"220 a\r\n"), (0, b"DATA\r\n"), (1, b"25\r\n"), (0, b"NOOP\r\n"), (1, b"250 a\r\n")],
         ["invalid_reply"]),
        ([(1, b"220 a\r\n220 b\r\n")], ["unable_to_match_reply_with_request"]),
        ([(1, b"220 a\r\n421 b\r\n")], []),
        ([(1, b"hello\r\n")], ["no_server_welcome_message"]),
        ([(1, b"220 a\r\n"), (0, b"EHLO x\r\nEHLO y\r\n")], ["duplicate_fields"]),
        ([(1, b"220 a\r\n"), (0, b"EHLO \r\n")], ["unparsable_content"]),
        ([(1, b"220 a\r\n"), (0, b"MAIL FROM:<a>\r\nMAIL FROM:<b>\r\n")], ["duplicate_fields"]),
        ([(1, b"220 a\r\n"), (0, b"STARTTLS\r\nNOOP\r\n")], ["invalid_pipelined_sequence"]),
        ([(1, b"220 a\r\n"), (0, b"STARTTLS\r\n"), (1, b"502 no\r\n")], ["tls_rejected"]),
        ([(1, b"220 a\r\n"), (0, b"DATA\r\n"), (1, b"554 no\r\n")], ["data_command_rejected"]),
        ([(1, b"220 a\r\n"), (0, b"BDAT x\r\n")], ["bdat_chunk_len_exceeded"]),
        ([(1, b"220 a\r\n"), (0, b"BDAT 5\r\nhelloBDAT 1 LAST\r\n\n")], ["bdat_chunk_len_exceeded"]),
        ([(1, b"220 a\r\n"), (0, b"BDAT 7\r\nhello\r\nBDAT 0 LAST\r\n")], ["bdat_chunk_len_exceeded"]),
        ([(1, b"220 a\r\n"), (0, b"BDAT 7 LAST\r\nhello\r\n")], []),
        ([(1, b"220 a\r\n"), (0, b"X" * 4093 + b"\r\n")], []),
        ([(1, b"220 a\r\n"), (0, b"X" * 4094 + b"\r\n")], ["max_command_line_len_exceeded", "truncated_line"]),
        ([(1, b"220 " + b"X" * 4090 + b"\r\n")], ["max_reply_line_len_exceeded", "truncated_line"]),
        (
            talk(b'Content-Type: multipart/x; boundary="%s"\r\n\r\n' % (b"A" * 255)),
            ["mime_parse_failed", "mime_long_boundary"],
        ),
        (talk(b"Content-Type: multipart/x; boundary=A\r\n\r\n--A\r\n\r\nx\r\n"), ["mime_malformed_msg"]),
        (talk(b"Content-Type: multipart/x; boundary=A\r\n\r\n--A\r\n\r\nx\r\n--A--\r\n"), []),
        (talk(b"Content-Type: multipart/x\r\n\r\n"), []),
        (talk(b"no header\r\n\r\n"), []),
        (talk(b"X" * 75 + b": y\r\n\r\n"), []),
        (talk(b"X" * 76 + b": y\r\n\r\n"), ["mime_long_header_name"]),
        (talk(b"X: " + b"y \r\n " * 900 + b"\r\n\r\n"), ["mime_long_header_value"]),
        (talk(ATTACHED % b"a" + b"\r\n\r\n" + b"x" * 1000 + b"\r\n"), ["mime_long_line"]),
        (talk(ATTACHED % (b"n" * 256) + b"\r\n\r\nx\r\n"), ["mime_long_filename"]),
        (talk(ATTACHED % (b"n" * 255) + b"\r\n\r\nx\r\n"), []),
        (
            talk(ATTACHED % b"a" + b"\r\nContent-Transfer-Encoding: base64\r\n\r\n" + b"QUJD" * 20 + b"\r\n*\r\n"),
            ["mime_invalid_base64", "mime_long_enc_line"],
        ),
        (
            talk(ATTACHED % b"a" + b"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\na=zz\r\n"),
            ["mime_invalid_qp"],
        ),
        (
            talk(ATTACHED % b"a" + b"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\na=3d=\r\n=3D\r\n"),
            ["mime_invalid_qp"],
        ),
        (
            talk(ATTACHED % b"a" + b"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\na=3D=\r\n=3D\r\n"),
            [],
        ),
        (talk(), []),
    ],
)
def test_events(conversation, events):
    parser, _ = run(conversation)
    assert [event.event for event, _ in parser.anomalies()] == [f"smtp.{event}" for event in events]


def _attachments(*heads, body=b"x"):
    """Return the names and contents of the files of a mail of one attachment."""
    part = b"\r\n".join([*heads, b"", body])
    mail = b"Content-Type: text/plain\r\nContent-Type: x/y; boundary=B\r\n\r\n--B\r\n" + part + b"\r\n--B--\r\n"
    _, stages = run(talk(mail))
    return [(name, file.data) for name, file in files(stages).items()]


def test_the_last_field_of_a_name_counts_and_any_boundary_parts():
    assert _attachments(b"Content-Disposition: attachment; filename=a") == [(b"a", b"x")]


def test_names_of_files_may_have_blanks_and_are_cut():
    assert _attachments(b"Content-Disposition: attachment; filename=a b.c ; x=y") == [(b"a b.c", b"x")]
    assert _attachments(b'Content-Disposition: attachment; filename="%s"' % (b"n" * 300)) == [(b"n" * 255, b"x")]


@pytest.mark.parametrize(("body", "data"), [
    (b"a=20b=\r\nc", b"a bc\r\n"),
    (b"a=", b"a"),
    (b"a=ZZ", b"aZZ\r\n"),
    (b"a=4", b"a4\r\n"),
    (b"a=\r\n", b"a\r\n"),
])  # fmt: skip
def test_the_last_line_of_quoted_printable_keeps_its_end(body, data):
    heads = (b"Content-Disposition: attachment; filename=a", b"Content-Transfer-Encoding: quoted-printable")
    assert _attachments(*heads, body=body) == [(b"a", data)]


def test_starttls_ends_what_can_be_read():
    parser, stages = run(
        [(1, b"220 a\r\n"), (0, b"EHLO x\r\nSTARTTLS\r\n"), (1, b"250 a\r\n220 go\r\n"), (0, b"\x16\3")]
    )
    assert parser.done
    assert parser.becomes == "tls"
    assert (parser.rest(TO_SERVER), parser.rest(TO_CLIENT)) == (b"", b"")
    assert [s.stage for s in stages] == [STAGE_ENVELOPE, STAGE_MAIL]
    assert parser.anomalies() == []


def test_uuencoded_file_in_a_text():
    lines = b"".join(binascii.b2a_uu(PICTURE[at : at + 45]) for at in range(0, 450, 45)).replace(b"\n", b"\r\n")
    _, stages = run(talk(b"Subject: x\r\n\r\nsee:\r\nbegin 644 a b.exe\r\n" + lines + b"`\r\nend\r\nbye\r\n"))
    assert files(stages)[b"a b.exe"].data == PICTURE[:450]
    assert files(stages)[b"a b.exe"].complete


def test_nested_entities():
    inner = (
        b"Content-Type: multipart/alternative; boundary=in\r\n\r\n--in\r\n"
        + ATTACHED % b"deep"
        + b"\r\n\r\nabc\r\n--in--"
    )
    outer = part(b"Content-Type: text/plain\r\n" + ATTACHED % b"mail" + b"\r\n\r\nxyz", b"Content-Type: message/rfc822")
    mail = b"Content-Type: multipart/mixed; boundary=B=1\r\n\r\n--B=1\r\n" + inner + b"\r\n" + outer + b"--B=1--\r\n"
    _, stages = run(talk(mail))
    assert {name: file.data for name, file in files(stages).items()} == {b"deep": b"abc", b"mail": b"xyz"}


def test_entities_and_files_are_bounded():
    mail = b"Content-Type: multipart/mixed; boundary=B=1\r\n\r\n" + part(b"x", ATTACHED % b"a") * 2000
    _, stages = run(talk(mail))
    assert sum(s.stage == STAGE_FILE for s in stages) == 100
    deep = b"".join(b"Content-Type: multipart/x; boundary=%d\r\n\r\n--%d\r\n" % (n, n) for n in range(50))
    parser, _ = run(talk(deep))
    assert parser.done


def test_recipients_are_bounded():
    _, stages = run([(1, b"220 a\r\n"), (0, b"RCPT TO:<%s>\r\n" % (b"x" * 100) * 3000)])
    assert len(stages[0].tx.rcpt_to) <= limits.RECIPIENTS
    assert sum(map(len, stages[0].tx.rcpt_to)) <= limits.RECIPIENT_BYTES


def test_files_kept_for_the_mail_are_bounded():
    file = part((b"x" * 998 + b"\r\n") * 120, ATTACHED % b"a")
    _, stages = run(talk(b"Content-Type: multipart/mixed; boundary=B=1\r\n\r\n" + file * 20))
    assert sum(s.stage == STAGE_FILE for s in stages) == 20
    mail = stages[-2]  # what is behind it is a transaction of its own
    assert 0.8 * limits.FILE_BYTES < sum(len(file.data) for file in mail.tx.files) <= limits.FILE_BYTES


def test_waiting_commands_are_bounded():
    parser = SmtpParser()
    parser.feed(TO_SERVER, b"NOOP\r\n" * 10000, 0)
    assert len(parser._waiting) == limits.COMMANDS


@pytest.mark.parametrize("after", [7, 8])
def test_gap(after):
    parser = SmtpParser()
    for side, data in talk()[:7]:
        parser.feed(side, data, 0)
    parser.feed(TO_SERVER, MAIL[:900], 0)
    stages = parser.gap(TO_SERVER, 50, 0)
    assert [s.stage for s in stages] == [STAGE_FILE, STAGE_MAIL]
    assert parser.anomalies() == [(AppAnomaly.PROTOCOL_GAP, TO_SERVER)]
    assert not parser.done
    parser.gap(TO_CLIENT, 5, 0)
    assert parser.feed(TO_SERVER, b"rest\r\nMAIL FROM:<x>\r\n", 0) == []
    assert parser.finish(0)[-1].tx.mail_from == b"<x>"


def test_long_lines_are_taken_in_pieces():
    data = bytes(range(256)) * 300
    line = base64.b64encode(data)
    mail = ATTACHED % b"a" + b"\r\nContent-Transfer-Encoding: base64\r\n\r\n" + line + b"\r\n"
    _, stages = run(talk(mail))
    assert files(stages)[b"a"].data == data


@pytest.mark.parametrize(
    ("line", "path"),
    [
        (b"mail from:<a b>", b"<a b>"),
        (b"MAIL FROM: a@b SIZE=1", b"a@b"),
        (b"MAIL FROM:", b""),
        (b"MAIL TO:<a>", None),
        (b"MAIL FROM:<a", b"<a"),
    ],
)
def test_paths(line, path):
    assert parse.path(line, b"MAIL FROM:") == path


def test_bytes_behind_the_consent_to_tls_are_handed_on():
    parser = SmtpParser()
    parser.feed(TO_SERVER, b"STARTTLS\r\n\x16\3", 0)
    parser.feed(TO_CLIENT, b"220 a\r\n220 go\r\n\x16\3\3", 0)
    assert (parser.rest(TO_SERVER), parser.rest(TO_CLIENT)) == (b"\x16\3", b"\x16\3\3")


def _long(body, *heads):
    return b"\r\n".join([*heads, b"", body, b".", b""])


@pytest.mark.parametrize(("mail", "cut", "events"), [
    (_long(b"x" * 1200, b"Subject: a"), 2000, {AppAnomaly.SMTP_MIME_LONG_LINE}),
    (_long(b"x" * 1200, b"Subject: a"), 1100, {AppAnomaly.SMTP_MIME_LONG_LINE}),
    (_long(b"x" * 1200, b"Subject: a"), 500, set()),
    (_long(b"x" * 9000, b"Subject: a"), 900, set()),
    (_long(b"x" * 998, b"Subject: a"), 2000, set()),
    (_long(b"b", b"Subject: " + b"x" * 1200), 500, {AppAnomaly.SMTP_MIME_LONG_LINE}),
    (_long(b"eHh4" * 30, b'Content-Type: a/b; name="x"', b"Content-Transfer-Encoding: base64"), 400,
     {AppAnomaly.SMTP_MIME_LONG_ENC_LINE}),
    (_long(b"eHh4" * 19, b'Content-Type: a/b; name="x"', b"Content-Transfer-Encoding: base64"), 143, set()),
    (_long(b"eHh4" * 30, b'Content-Type: a/b; name="x"', b"Content-Transfer-Encoding: base64"), 60, set()),
])  # fmt: skip
def test_a_line_is_as_long_as_what_comes_of_it_at_once(mail, cut, events):
    """Of a header, all of it; so Suricata counts."""
    parser = SmtpParser()
    for side, data in talk()[:7]:
        parser.feed(side, data, 0)
    for at in range(0, len(mail), cut):
        parser.feed(TO_SERVER, mail[at : at + cut], 0)
    assert {what for what, _ in parser.anomalies()} == events


@pytest.mark.parametrize(("heads", "names"), [
    ((b'Content-Disposition: attachment; filename=""',), [b""]),
    ((b'Content-Disposition: attachment; filename=""', b'Content-Type: a/b; name="x"'), [b""]),
    ((b"Content-Disposition: attachment; filename=", b'Content-Type: a/b; name="x"'), [b"x"]),
    ((b'Content-Type: a/b; name=""',), [b""]),
    ((b"Content-Disposition: attachment; filename=",), []),
    ((b'Content-Disposition: attachment; name=""',), []),
    ((b"Content-Disposition: attachment",), []),
])  # fmt: skip
def test_a_file_may_have_an_empty_name(heads, names):
    _, stages = run(talk(_long(b"hello", *heads).removesuffix(b".\r\n")))
    assert list(files(stages)) == names
