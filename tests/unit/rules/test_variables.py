import pytest

from sensor.rules.nodes import AddressSet, PortSet
from sensor.rules.variables import VariableError, Variables, is_never


def key(text):
    return bytes(10) + b"\xff\xff" + bytes(map(int, text.split(".")))


def test_ipv4_lies_mapped_and_ranges_are_merged():
    group = Variables().addresses("[10.0.1.0/24,10.0.0.0/24,10.0.0.7]")
    assert group.include == ((key("10.0.0.0"), key("10.0.1.255")),)
    assert group.exclude == ()


def test_the_shorter_form_is_kept():
    variables = Variables()
    assert variables.addresses("any") == AddressSet()
    assert variables.addresses("!10.0.0.1").exclude == ((key("10.0.0.1"), key("10.0.0.1")),)
    assert variables.ports("!80") == PortSet(exclude=((80, 80),), text="!80")
    assert variables.ports("[80,1024:,!1030]").include == ((80, 80), (1024, 1029), (1031, 65535))


def test_defaults_can_be_replaced_and_used():
    variables = Variables({"HOME_NET": ["10.5.0.0/16", "10.6.0.0/16"]}, {"HTTP_PORTS": [80, 8080], "X": 5})
    assert variables.addresses("$HTTP_SERVERS").include == ((key("10.5.0.0"), key("10.6.255.255")),)
    assert variables.ports("$FILE_DATA_PORTS").include == ((80, 80), (110, 110), (143, 143), (8080, 8080))
    assert variables.ports("$X").include == ((5, 5),)
    assert variables.fingerprint() != Variables().fingerprint() == Variables().fingerprint()


def test_equal_texts_share_one_set():
    variables = Variables()
    assert variables.addresses("$HOME_NET") is variables.addresses("$HOME_NET")


def test_external_net_is_any_so_its_negation_is_empty():
    variables = Variables()
    assert variables.addresses("$EXTERNAL_NET").include == ()
    assert not is_never(variables.addresses("$EXTERNAL_NET"))
    for text in ("!$EXTERNAL_NET", "!any", "[10.0.0.0/8,!10.0.0.0/8]"):
        assert is_never(variables.addresses(text)), text
    assert is_never(variables.ports("!any"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("10.0.0.300", "'10.0.0.300' is no address"),
        ("HOME_NET", "'HOME_NET' is no address"),
        ("$HOME_NTE", r"\$HOME_NTE is not defined"),
        ("10.0.0.9-10.0.0.1", "no range"),
        ("10.0.0.1-::1", "no range"),
        ("fe80::1%eth0", "no range"),
        ("[10.0.0.1", "not closed"),
        ("[10.0.0.1 10.0.0.2]", "unexpected '10.0.0.2'"),
        ("10.0.0.1,10.0.0.2", "unexpected ','"),
        ("[]", "missing"),
        ("!", "missing"),
        ("", "missing"),
        ("[" * 40 + "any" + "]" * 40, "nested deeper"),
    ],
)
def test_wrong_addresses(text, message):
    with pytest.raises(VariableError, match=message):
        Variables().addresses(text)


@pytest.mark.parametrize("text", ["65536", "80-90", "http", ":", "90:80", "-1", "+80", "8\u0660"])
def test_wrong_ports(text):
    with pytest.raises(VariableError):
        Variables().ports(text)


def test_loops_are_refused_with_their_path():
    variables = Variables({"A": "$B", "B": "[$C,10.0.0.1]", "C": "!$A"})
    with pytest.raises(VariableError, match="A -> B -> C -> A"):
        variables.addresses("$A")
    assert {name for name, _, _ in variables.problems()} == {"A", "B", "C"}


def test_a_variable_that_doubles_at_each_step_costs_linear_time():
    groups = {f"V{n}": f"[$V{n + 1},$V{n + 1}]" for n in range(40)} | {"V40": "10.0.0.1"}
    assert Variables(groups).addresses("$V0").include == ((key("10.0.0.1"), key("10.0.0.1")),)


def test_hints_name_the_nearest():
    with pytest.raises(VariableError) as error:
        Variables().addresses("$HOME_NTE")
    assert error.value.hint == "did you mean 'HOME_NET'?"
