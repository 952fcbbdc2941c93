"""Keywords about TLS that name no buffer."""

import pytest
from suricatakit import conditions, matches, refused, rule, steps_of

from sensor.rules.nodes import HeaderTest, Regex

HEAD = "alert tls any any -> any any"


@pytest.mark.parametrize(
    ("option", "test"),
    [
        ("tls_cert_notbefore:1970-02;", HeaderTest("tls.cert_notbefore", "=", 31 * 86400)),
        ("tls_cert_notbefore:<2020;", HeaderTest("tls.cert_notbefore", "<", 2020)),
        ("tls_cert_notbefore:>1970-01-02T01;", HeaderTest("tls.cert_notbefore", ">", 25 * 3600)),
        ('tls_cert_notafter:"<1970-01-02 00:00:01";', HeaderTest("tls.cert_notafter", "<", 86401)),
        ("tls_cert_notafter:86400<>1970-01-03;", HeaderTest("tls.cert_notafter", "<>", 86400, 172800)),
        ("tls_cert_expired;", HeaderTest("tls.cert_expired", "=", 1)),
        ("tls_cert_valid;", HeaderTest("tls.cert_valid", "=", 1)),
    ],
)
def test_validity(option, test):
    assert conditions(option, HEAD) == [test]


@pytest.mark.parametrize(
    ("option", "reason"),
    [
        ("tls_cert_notbefore:soon;", "'soon' is no date"),
        ("tls_cert_notbefore:1970-13-01;", "'1970-13-01' is no date"),
        ("tls_cert_expired:1;", "takes no value"),
        ("ssl_state:client_keyx;", "'client_keyx' is no state that is kept"),
        ("ssl_version:tls9;", "'tls9' names no versions"),
        ("ssl_version:tls1.0,!tls1.1;", "not both"),
    ],
)
def test_refusals(option, reason):
    assert reason in refused(option, HEAD)[0]


def test_states_are_hellos():
    found = matches(rule("ssl_state:client_hello|server_hello;", HEAD))
    assert [(match.buffer, match.tests) for match in found] == [("tls.random", ()), ("tls.random@to_client", ())]


@pytest.mark.parametrize(
    ("option", "regex"),
    [
        ("ssl_version:tls1.0,sslv3;", Regex(r"^(?:1\.0|sslv3)$", "E")),
        ("ssl_version:!tls1.2;", Regex(r"^(?:1\.2)$", "E", negated=True)),
    ],
)
def test_versions(option, regex):
    assert steps_of(option, HEAD) == (regex,)
