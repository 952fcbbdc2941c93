import pytest
from suricatakit import refused, rule

from sensor.rules.nodes import All, Any, BufferMatch, ByteTest, Content, HeaderTest
from sensor.rules.sides import sided

UUID = "12345678-1234-abcd-ef00-0123456789ab"
HEAD = "alert dcerpc any any -> any any"


def body(options, head=HEAD):
    return rule(options, head).body


@pytest.mark.parametrize("keyword", ["dce_iface", "dcerpc.iface"])
@pytest.mark.parametrize("options", ["", ",any_frag"])
def test_interface(keyword, options):
    found = body(f"flow:to_server; {keyword}:{UUID.upper()}{options};")
    assert found == BufferMatch("dcerpc.iface", (Content(f"{UUID} ".encode(), startswith=True),))


@pytest.mark.parametrize(
    ("text", "op", "value"), [("=1", "=", 1), (">2", ">", 2), ("<3,any_frag", "<", 3), ("!4", "!=", 4)]
)
def test_version_of_an_interface(text, op, value):
    found = body(f"flow:to_client; dce_iface:{UUID},{text};")
    assert found.buffer == "dcerpc.iface@to_client"
    assert found.tests[1] == ByteTest(0, op, value, 37, base="dec")


@pytest.mark.parametrize(
    ("text", "node"),
    [
        ("9", HeaderTest("dcerpc.opnum", "=", 9)),
        ("15, 26", HeaderTest("dcerpc.opnum", "in", values=(15, 26))),
        ("5-7", HeaderTest("dcerpc.opnum", "<>", 4, 8)),
        ("0-7", HeaderTest("dcerpc.opnum", "<=", 7)),
        (">9", HeaderTest("dcerpc.opnum", ">", 9)),
        ("9,30-40", Any((HeaderTest("dcerpc.opnum", "=", 9), HeaderTest("dcerpc.opnum", "<>", 29, 41)))),
    ],
)
def test_operation(text, node):
    assert body(f"flow:to_server; dce_opnum:{text};") == node


def test_a_rule_without_direction_is_about_calls_and_answers():
    parts = sided(rule("dcerpc.opnum:9;", "alert smb any any -> any any"))
    assert [part.direction for part in parts] == ["to_server", "to_client"]


def test_byte_order_of_the_call():
    found = body('flow:to_server; dce_stub_data; content:"ab"; byte_test:2,=,46,0,relative,dce;')
    content = Content(b"ab")
    tests = [(content, ByteTest(2, "=", 46, 0, relative=True, endian=order)) for order in ("big", "little")]
    either = [
        All((HeaderTest("dcerpc.byte_order", "=", n), BufferMatch("dcerpc.stub_data", steps)))
        for n, steps in enumerate(tests)
    ]
    assert found == All((BufferMatch("dcerpc.stub_data", (content,)), Any(tuple(either))))


def test_byte_order_of_the_call_is_settled_in_every_test():
    math = "byte_math:bytes 1, offset 0, oper +, rvalue 1, result r, dce;"
    found = body(f"flow:to_server; dce_stub_data; byte_extract:2,0,n,dce; byte_jump:2,0,dce; {math}")
    assert isinstance(found, Any)
    assert [[test.endian for test in one.children[1].tests] for one in found.children] == [["big"] * 3, ["little"] * 3]


@pytest.mark.parametrize(
    "option", ["dce_iface:xyz", f"dce_iface:{UUID},1,2", f"dce_iface:{UUID},1<>5", "dce_opnum:x", "dce_opnum:7-7"]
)
def test_refused(option):
    assert len(refused(f"{option};", HEAD)) == 1
