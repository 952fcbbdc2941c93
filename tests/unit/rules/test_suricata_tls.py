"""Keywords about TLS that name no buffer."""

import re

import pytest
from suricatakit import conditions, matches, refused, rule, steps_of

from sensor.proto.tls.views import STATES
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
        ("ssl_state:client_kex;", "'client_kex' is no state"),
        ("ssl_state:client_hello|;", "'' is no state"),
        ("ssl_state:unknown;", "never found"),
        ("ssl_version:tls9;", "'tls9' names no versions"),
        ("ssl_version:tls1.0,!tls1.1;", "not both"),
    ],
)
def test_refusals(option, reason):
    assert reason in refused(option, HEAD)[0]


@pytest.mark.parametrize(
    ("option", "fits"),
    [
        ("client_hello", {"client_hello"}),
        ("client_hello|server_keyx", {"client_hello", "server_keyx"}),
        ("client_hello , server_keyx", {"client_hello", "server_keyx"}),
        ("!client_keyx", {"none", "client_hello", "server_hello", "server_keyx"}),
        ("!client_keyx,client_keyx", {*STATES}),
        ("!client_hello|!server_hello", {*STATES}),
        ("unknown,client_hello", {"client_hello"}),
        ("!unknown", {*STATES}),
    ],
)
def test_states(option, fits):
    (match,) = matches(rule(f"ssl_state:{option};", HEAD))
    assert (match.buffer, match.either) == ("tls.state", True)
    (regex,) = match.tests
    others = sorted({*STATES} - fits)
    for word in STATES:
        assert bool(re.search(regex.pattern, word)) is (word in fits)
        assert bool(re.search(regex.pattern, " ".join([*others, word]))) is (word in fits)
        # A state that fits was found before: the rule has alerted for this side.
        assert not re.search(regex.pattern, f"{min(fits)} {word}")


@pytest.mark.parametrize(
    ("option", "regex"),
    [
        ("ssl_version:tls1.0,sslv3;", Regex(r"^(?:1\.0|sslv3)$", "E")),
        ("ssl_version:!tls1.2;", Regex(r"^(?:1\.2)$", "E", negated=True)),
    ],
)
def test_versions(option, regex):
    assert steps_of(option, HEAD) == (regex,)
