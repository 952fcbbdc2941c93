# ruff: noqa: E501 - tables of cases, one a line
import pytest
from rulekit import body, problems, rule, unit

from sensor.rules.nodes import (
    All,
    Any,
    Base64,
    BufferMatch,
    BufferSize,
    ByteExtract,
    ByteTest,
    Content,
    FlowBits,
    FlowInt,
    HeaderTest,
    IsDataAt,
    Not,
    Regex,
    Threshold,
    Transform,
)
from sensor.rules.variables import Variables

FULL = """\
- id: 9000101
  title: Shellshock attempt
  revision: 3
  classification: attempted-admin
  attack: [T1190, T1059.004]
  references: cve:2014-6271
  metadata: {affected: bash, tags: [a, b]}
  protocol: http
  source: $EXTERNAL_NET
  destination: [$HOME_NET, "!10.1.0.0/16"]
  destination-port: [80, "1024:", "!8080"]
  direction: "<>"
  flow: [established, from_client]
  threshold: {type: limit, track: by_src, count: 5, seconds: 60}
  no-alert: true
  target: dest_ip
  examples:
    - {match: true, payload: "GET|0d 0a|", count: 2}
    - {match: false, pcap: a/b.pcap, note: none}

# a comment behind the rule
"""


def test_every_key_of_the_header():
    found = rule(FULL)
    assert (found.sid, found.gid, found.rev, found.msg, found.proto) == (9000101, 1, 3, "Shellshock attempt", "http")
    assert (found.severity, found.category) == (1, "Attempted Administrator Privilege Gain")
    assert found.attack == ("T1190", "T1059.004")
    assert found.references == ("cve:2014-6271",)
    assert found.metadata == (("affected", ("bash",)), ("tags", ("a", "b")))
    assert found.dst.text == "[$HOME_NET,!10.1.0.0/16]"
    assert found.dport.include == ((80, 80), (1024, 8079), (8081, 65535))
    assert (found.bidirectional, found.established, found.direction) == (True, True, "to_server")
    assert found.thresholds == (Threshold("limit", "by_src", 5, 60),)
    assert (found.noalert, found.target) == (True, "dest_ip")
    assert found.examples[0].payload == b"GET\r\n"
    assert (found.examples[0].count, found.examples[1].pcap) == (2, "a/b.pcap")
    assert (found.file, found.line, found.body) == ("a.yaml", 1, All(()))
    assert found.text.startswith("id: 9000101\ntitle:")
    assert found.text.endswith("note: none}")


def test_text_is_moved_to_the_margin_and_counts_characters():
    found = unit("rules:\n  - {id: 1, title: é😀}\n  - id: 2\n    title: b\n    match:\n      - {content: x}\n").rules
    assert found[0].text == "{id: 1, title: é😀}"
    assert found[1].text == "id: 2\ntitle: b\nmatch:\n  - {content: x}"


@pytest.mark.parametrize(
    ("flow", "established", "direction"),
    [
        ("established", True, ""),
        ("[not_established, to_client]", False, "to_client"),
        ("stateless", None, ""),
        ("[]", None, ""),
    ],
)
def test_flow(flow, established, direction):
    found = rule(f"- {{id: 1, flow: {flow}}}")
    assert (found.established, found.direction) == (established, direction)


@pytest.mark.parametrize(
    ("lines", "severity"),
    [
        ("", 3),
        ("classification: misc-attack", 2),
        ("classification: misc-attack\n  severity: info", 4),
        ("severity: 9", 9),
    ],
)
def test_severity_comes_from_the_rule_then_from_its_class(lines, severity):
    assert rule(f"- id: 1\n  {lines}\n").severity == severity


def test_an_unknown_class_must_describe_itself():
    assert "unknown classification" in problems("- {id: 1, classification: mine}")[0]
    found = rule("- {id: 1, classification: mine, category: Mine, severity: low}")
    assert (found.classtype, found.category) == ("mine", "Mine")


def test_defaults_and_suppressions():
    found = unit("""\
        defaults: {severity: info, protocol: udp}
        rules:
          - {id: 1, protocol: tcp}
          - {id: 2}
        suppress:
          - {id: 2}
          - {id: 0, track: by_either, address: 10.0.0.0/8}
        """)
    assert found.problems == ()
    assert [(one.proto, one.severity) for one in found.rules] == [("tcp", 4), ("udp", 4)]
    assert [(one.sid, one.track) for one in found.suppressions] == [(2, ""), (0, "by_either")]


def test_content_and_its_modifiers():
    found = body("""
        - http.uri: {content: a|0d|, nocase: true, not: true, offset: 1, depth: 9, fast: true}
        - http.uri:
            - {content: abc, distance: -4, within: 3, endswith: true}
            - x
        """)
    assert found == All((
        BufferMatch("http.uri", (Content(b"a\r", nocase=True, negated=True, offset=1, depth=9, fast=True),)),
        BufferMatch("http.uri", (Content(b"abc", distance=-4, within=3, endswith=True), Content(b"x"))),
    ))  # fmt: skip


def test_every_other_test():
    found = body(r"""
        - payload:
            - {equals: POST, nocase: true}
            - {regex: '/a\/b/iR', not: true, captures: ["flow:x"]}
            - byte_extract: {bytes: 2, name: n, endian: little, align: 4}
            - byte_test: {bytes: 4, op: "!&", value: 0x10, offset: n, base: hex}
            - {isdataat: n, relative: true, not: true}
            - {bsize: "8<>16"}
            - {bsize: n}
        """)
    assert found.children[0].tests == (
        Content(b"POST", nocase=True, startswith=True, endswith=True),
        Regex(r"a\/b", "i", negated=True, relative=True, captures=("flow:x",)),
        ByteExtract(2, "n", endian="little", align=4),
        ByteTest(4, "!&", 16, offset="n", base="hex"),
        IsDataAt("n", relative=True, negated=True),
        BufferSize("<>", 8, 16),
        BufferSize("=", "n"),
    )


def test_combinations():
    found = body("""
        any:
          - {tcp.flags: S, ttl: "<5"}
          - not: [{content: a}]
          - all: [{present: http.uri}, {absent: http.referer}]
        """)
    assert found == Any((
        All((HeaderTest("tcp.flags", "exact", 2), HeaderTest("ip.ttl", "<", 5))),
        Not(All((BufferMatch("payload_or_stream", (Content(b"a"),)),))),
        All((BufferMatch("http.uri", ()), BufferMatch("http.referer", (), absent=True))),
    ))  # fmt: skip


@pytest.mark.parametrize(
    ("text", "test"),
    [
        ("icmp.type: [8, 13]", HeaderTest("icmp.type", "in", values=(8, 13))),
        ("ip.proto: gre", HeaderTest("ip.proto", "=", 47)),
        ("dsize: '10<>20'", HeaderTest("payload.size", "<>", 10, 20)),
        ("tcp.flags: {all: SA, ignore: CE}", HeaderTest("tcp.flags", "all", 18, mask=192)),
        ("fragbits: M", HeaderTest("ip.fragbits", "exact", 1)),
        ("flags: 0", HeaderTest("tcp.flags", "exact", 0)),
        ("same_ip: true", HeaderTest("same_ip", "=", 1)),
        ("decode.event: decoder.ip.land", HeaderTest("decode.event", "=", 50)),
        ("tunnel.kind: '!=vxlan'", HeaderTest("tunnel.kind", "!=", 4)),
        ("ttl: '!5'", HeaderTest("ip.ttl", "!=", 5)),
        ("flowbits: {isset: [a, b]}", FlowBits("isset", ("a", "b"))),
        ("flowint: {name: x, action: isset}", FlowInt("x", "isset")),
        ("flowint: {name: x, action: '>', value: y}", FlowInt("x", ">", "y")),
    ],
)
def test_conditions(text, test):
    assert body(f"- {text}") == All((test,))


@pytest.mark.parametrize(
    ("protocol", "buffer"),
    [
        ("ip", "payload_or_stream"),
        ("tcp", "payload_or_stream"),
        ("http", "payload_or_stream"),
        ("tcp-stream", "stream"),
        ("tcp-pkt", "payload"),
        ("udp", "payload"),
        ("dhcp", "payload"),
    ],
)
def test_the_buffer_of_a_bare_test_follows_the_protocol(protocol, buffer):
    found = body("- content: a\n- {content: b, distance: 0}\n- ttl: 5\n- content: c", f"protocol: {protocol}\n")
    assert found.children[0] == BufferMatch(buffer, (Content(b"a"), Content(b"b", distance=0)))
    assert found.children[2] == BufferMatch(buffer, (Content(b"c"),))


def test_buffers_of_both_sides_follow_the_flow():
    lines = "- http.header: a\n- http_header: a\n- http.header@to_server: a\n- http.header@to_client: a\n- http.stat_code: '200'"
    one, other = "http.header", "http.header@to_client"
    for flow, names in (("to_client", [other, other, one, other]), ("to_server", [one, one, one, other])):
        found = body(lines, f"flow: {flow}\n")
        assert [child.buffer for child in found.children] == [*names, "http.stat_code"]
    assert body("- http.header: a").children[0].buffer == one


def test_buffers_of_either_side():
    found = body("- http.header@either: a\n- {absent: http.cookie@either}").children
    assert [(child.buffer, child.either) for child in found] == [("http.header", True), ("http.cookie", True)]
    head = "- id: 1\n  protocol: http\n"
    (wrong,) = problems(f"{head}  flow: to_server\n  match: [{{http.header@either: a}}]")
    assert "flow says to_server already" in wrong
    (wrong,) = problems(f"{head}  match: [{{http.uri@either: a}}]")
    assert "does not exist on both sides" in wrong


def test_base64():
    (found,) = body("- http.cookie: [{base64: {bytes: 8, offset: 1, relative: true, match: [a, {regex: /b/}]}}]").children
    assert found.tests == (Base64((Content(b"a"), Regex("b")), 8, 1, relative=True),)
    (wrong,) = problems("- id: 1\n  match: [{base64: {match: [{base64: {match: a}}]}}]")
    assert "inside base64" in wrong


def test_transforms():
    found = body("- http.uri: a\n  transforms: [to_lowercase, {xor: '0d0a'}]").children[0]
    assert found.transforms == (Transform("to_lowercase"), Transform("xor", "0d0a"))


WRONG = [
    ("- {id: 1, titel: x}", "a.yaml:1:11: unknown key 'titel' in rule (did you mean 'title'?)"),
    ("- {id: 1, source_port: 5}", "a.yaml:1:11: unknown key 'source_port' in rule (did you mean 'source-port'?)"),
    ("- {title: x}", "a.yaml:1:3: rule needs the key 'id' (number of the rule, unique with its generator)"),
    ("- {id: x}", "a.yaml:1:8: expected a whole number, got 'x'"),
    ("- {id: 0}", "a.yaml:1:8: 0 is out of range (1 to 4294967295)"),
    ("- {id: 1, title: }", "a.yaml:1:11: expected text, got nothing"),
    ("- {id: 1, severity: hi}", "unknown severity 'hi' (did you mean 'high'?)"),
    ("- {id: 1, protocol: htp}", "unknown protocol 'htp' (did you mean 'http'?)"),
    ("- {id: 1, flow: [to_server, to_client]}", "flow names both directions"),
    ("- {id: 1, flow: only_stream}", "unknown flow word 'only_stream' (write protocol: tcp-stream)"),
    ("- {id: 1, no-alert: yes}", "expected true or false, got 'yes' (write true)"),
    ("- {id: 1, attack: 1190}", "'1190' does not have the form wanted here (T1190 or T1059.004)"),
    ("- {id: 1, source: $HOME_NTE}", "the variable $HOME_NTE is not defined (did you mean 'HOME_NET'?)"),
    ("- {id: 1, threshold: {type: limit, count: 1, seconds: 1}}", "threshold needs the key 'track'"),
    ("- {id: 1, examples: [{match: true}]}", "an example needs either pcap or payload"),
    ("- {id: 1, examples: [{match: true, pcap: ../x}]}", "(a relative path below pcaps/)"),
    ("- {id: 1, match: a}", "expected a condition, got 'a' (content: …)"),
    ("- {id: 1, match: [{}]}", "the condition is empty"),
    ("- {id: 1, match: [{http.uir: a}]}", "unknown buffer or field 'http.uir' (did you mean 'http.uri'?)"),
    ("- {id: 1, match: [{content: ''}]}", "the content is empty (bsize: 0 tests for an empty buffer)"),
    ("- {id: 1, match: [{content: abcd, depth: 2}]}", "depth 2 is less than the 4 bytes of the content"),
    ("- {id: 1, match: [{content: a, startswith: true, offset: 1}]}", "offset cannot be combined with startswith"),
    ("- {id: 1, match: [{content: a, no_case: true}]}", "unknown key 'no_case' in content (did you mean 'nocase'?)"),
    ("- {id: 1, match: [{content: 'a|0'}]}", "a '|' section is not closed, at character 2 of the text"),
    ("- {id: 1, match: [{regex: abc}]}", "a regex is written between slashes ('/pattern/flags')"),
    ("- {id: 1, match: [{regex: /a/q}]}", "unknown regex flag 'q'"),
    ("- {id: 1, match: [{http.uri: {contant: a}}]}", "unknown test 'contant' (did you mean 'content'?)"),
    ("- {id: 1, match: [{http.uri: {nocase: true}}]}", "the test has no keyword"),
    ("- {id: 1, match: [{http.uri: []}]}", "the list is empty"),
    ("- {id: 1, match: [{isdataat: ln}]}", "nothing defines 'ln'"),
    ("- {id: 1, match: [{byte_test: {bytes: 1, op: '~', value: 1}}]}", "unknown word '~'"),
    (
        "- {id: 1, match: [{byte_jump: {bytes: 1}, offset: 1}]}",
        "'offset' is out of place (it belongs into byte_jump: {…})",
    ),
    ("- {id: 1, match: [{ttl: 256}]}", "256 is out of range (0 to 255)"),
    ("- {id: 1, match: [{ttl: '5<>6'}]}", "nothing lies strictly between 5 and 6"),
    ("- {id: 1, match: [{ttl: [1, '<5']}]}", "a list holds values, no comparisons"),
    ("- {id: 1, match: [{tcp.flags: SX}]}", "'SX' is not made of FSRPAUEC"),
    ("- {id: 1, match: [{tcp.flags: {exact: S, all: A}}]}", "tcp.flags needs exactly one of"),
    (
        "- {id: 1, match: [{decode.event: decoder.ip.lnd}]}",
        "unknown name 'decoder.ip.lnd' (did you mean 'decoder.ip.land'?)",
    ),
    ("- {id: 1, match: [{flowbits: {isset: a, set: b}}]}", "flowbits takes one action and its names"),
    ("- {id: 1, match: [{any: []}]}", "any: [] never holds"),
    ("- {id: 1, match: [{any: {ttl: 5}}]}", "any takes a list of conditions, got a mapping"),
    (
        "- {id: 1, match: [{http.uri: a, http.host: b, transforms: to_md5}]}",
        "transforms stand beside exactly one buffer",
    ),
    ("- {id: 1, match: [{http.uri: a, transforms: xor}]}", "xor needs an argument ({xor: …})"),
    (
        "- {id: 1, match: [{http.uri: a, transforms: to_lower}]}",
        "unknown transform 'to_lower' (did you mean 'to_lowercase'?)",
    ),
    ("suppress: [{id: 1, track: by_src}]", "track and address go together"),
    ("rule: []", "unknown key 'rule' in a rule file (did you mean 'rules'?)"),
    ("defaults: {id: 5}\nrules: []", "'id' cannot be a default"),
    ("id: 5", "a file holds a list of rules (put '- ' before the rule's first key)"),
    ("hello", "expected rules, got 'hello'"),
    ("- 5", "expected a rule, got the number 5"),
]


@pytest.mark.parametrize(("text", "problem"), WRONG, ids=[text[:50] for text, _ in WRONG])
def test_problems_say_where_what_and_what_instead(text, problem):
    found = problems(text)
    assert any(problem in one for one in found), found
    assert len(found) == 1


def test_all_problems_of_all_rules_are_collected_and_good_rules_stay():
    found = unit("""\
        - id: 1
          severity: hgh
          protocol: htp
          match:
            - http.uir: a
            - ttl: 300
            - any: [{content: ''}, {bsize: x}]
        - {id: 2}
        - {id: x, title: ''}
        """)
    assert [one.sid for one in found.rules] == [2]
    assert [problem.line for problem in found.problems] == [2, 3, 5, 6, 7, 7, 9, 9]


def test_a_wrong_default_is_reported_once():
    assert len(problems("defaults: {severity: hgh}\nrules:\n  - {id: 1}\n  - {id: 2}\n")) == 1


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("source: '!$EXTERNAL_NET'", "the source !$EXTERNAL_NET is empty"),
        ("destination-port: '!any'", "the destination port !any is empty"),
        ("protocol: udp\n  match: [{http.uri: a}]", "http.uri never exists in udp"),
        ("protocol: dns\n  match: [{http.uri: a}]", "http.uri never exists in dns|http.uri and dns exclude each other"),
        ("match: [{http.uri: a}, {tls.sni: a}]", "tls.sni and http exclude each other"),
        ("protocol: http\n  match: [{snmp.version: 1}]", "snmp.version and http exclude each other"),
        ("match: [{snmp.version: 1}, {krb5.msg_type: 10}]", "krb5.msg_type and snmp exclude each other"),
        ("protocol: udp\n  match: [{tcp.flags: S}]", "tcp.flags never exists in udp"),
        (
            "match: [{http.method: [{content: POST}, {bsize: '<3'}]}]",
            "http.method holds at most 2 bytes by bsize, a content has 4",
        ),
        ("match: [{any: [{http.uri: a}, {tls.sni: a}]}]", ""),
    ],
)
def test_rules_that_can_never_match_say_why(text, reason):
    assert rule(f"- id: 1\n  {text}\n").unmatchable in reason.split("|")


def test_variables_decide_what_can_match():
    text = "- {id: 1, source: '!$EXTERNAL_NET'}"
    assert rule(text).unmatchable
    assert not rule(text, Variables({"EXTERNAL_NET": "!$HOME_NET"})).unmatchable
