"""Spellings that Suricata 7 takes, and what they mean there."""

import pytest
from rulekit import unit as yaml_unit
from suricatakit import conditions, matches, refused, rule, steps_of, unit

from sensor.rules.export import export
from sensor.rules.nodes import BufferSize, ByteJump, ByteTest, Content, HeaderTest, Regex

TCP, HTTP = "alert tcp any any -> any any", "alert http any any -> any any"
SIZE = "stream.size.to_server"


@pytest.mark.parametrize(
    ("options", "head", "expected"),
    [
        ("dsize:>1kb;", TCP, HeaderTest("payload.size", ">", 1024)),
        ("tcp.mss:1KB<>2kb;", TCP, HeaderTest("tcp.mss", "<>", 1024, 2048)),
        ("stream_size:client,!,5;", TCP, HeaderTest(SIZE, "!=", 5)),
        ("stream_size:client,!=,5;", TCP, HeaderTest(SIZE, "!=", 5)),
        ("ip_proto:!ipv6-icmp;", "alert ip any any -> any any", HeaderTest("ip.proto", "!=", 58)),
        ("ip_proto:IPV6-Frag;", "alert ip any any -> any any", HeaderTest("ip.proto", "=", 44)),
        ("nfs.version:70000;", "alert nfs any any -> any any", HeaderTest("nfs.version", "=", 70000)),
        (
            "krb5.ticket_encryption:-133,23;", "alert krb5 any any -> any any",
            HeaderTest("krb5.ticket_encryption", "in", values=(0xFFFFFF7B, 23)),
        ),
    ],
)  # fmt: skip
def test_numbers(options, head, expected):
    assert conditions(options, head)[0] == expected


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("byte_test:4,=,16,0,string;", ByteTest(4, "=", 16, base="auto")),
        ("byte_test:1,<,-1,0;", ByteTest(1, "<", (1 << 64) - 1)),
        ("byte_jump:1,0,string;", ByteJump(1, base="auto")),
        ('pcre:"!/a/i";', Regex("a", "i")),
        ('pcre:!"!/a/";', Regex("a", negated=True)),
        ("pcre:!/a/;", Regex("a", negated=True)),
        ("pcre:/a/R;", Regex("a", relative=True)),
    ],
)
def test_steps(options, expected):
    assert steps_of(options) == (expected,)


@pytest.mark.parametrize(("text", "severity"), [("0", 0), ("300", 300), ("4294967295", 4294967295)])
def test_any_priority(text, severity):
    assert rule(f'content:"a"; priority:{text};').severity == severity


@pytest.mark.parametrize("options", ["filename:a.exe;", 'filename:"a.exe";'])
def test_names_of_files_without_quotes(options):
    (match,) = matches(rule(options, HTTP))
    assert match.tests == (Content(b"a.exe", nocase=True),)


def test_other_spellings():
    assert rule('flow:To_Server,ESTABLISHED; content:"a";').established is True
    assert rule('content:"a";', "Alert tcp any any -> any any").action == "alert"
    (match,) = matches(rule("tls.version:0x0303;", "alert tls any any -> any any"))
    assert match.tests == (Content(b"1.2", startswith=True, endswith=True),)
    assert matches(rule("urilen:<1kb;", HTTP))[0].tests == (BufferSize("<", 1024),)
    assert rule('content:"a"; tls.store;')


@pytest.mark.parametrize(
    "option",
    [
        "decode-event:ipv4.opt_unknown;",
        "ipopts:any;",
        "stream-event:wrong_thread;",
        "stream-event:3whs_ack_data_inject;",
        "stream-event:reassembly_insert_limit;",
        "stream-event:est_ack_zwp_data;",
        "engine-event:stream.reassembly_no_segment;",
        "decode-event:udp.hlen_invalid;",
        "app-layer-event:tls.heartbeat_message;",
        "app-layer-event:dhcp.malformed_options;",
        "app-layer-event:dns.too_many_labels;",
        "app-layer-event:tls.certificate_invalid_string;",
    ],
)
def test_what_never_happens_is_loaded_and_said(option):
    made = rule(option, "alert pkthdr any any -> any any")
    assert made.unmatchable == "it asks for what never happens here"
    (again,) = yaml_unit(export([made])).rules
    assert again.body == made.body
    assert again.unmatchable == made.unmatchable


def test_what_another_version_requires_is_passed_over():
    found = unit(f'{TCP} (requires: something new; content:"a"; sid:1;)')
    assert (found.rules, found.problems) == ((), ())


@pytest.mark.parametrize(
    ("options", "head"),
    [
        ('ssh.softwareversion:!"OpenSSH";', "alert ssh any any -> any any"),
        ('frame:nbss.pdu; content:"a";', HTTP),
        ("byte_test:4,=,16,0,dec;", TCP),
        ('pcre:"/(a)(b)/, pkt:value, pkt:key";', TCP),
        ('pcre:"/(a)/, alert:x";', TCP),
        ("flowvar:x;", TCP),
    ],
)
def test_what_means_nothing_is_refused(options, head):
    assert refused(options, head)
