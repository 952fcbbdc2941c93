from rulekit import rule

from sensor.rules.describe import describe


def test_a_rule_in_words():
    text = describe(rule("- {id: 7, title: T, protocol: http, destination-port: 80, match: [{http.uri: /abc|00|}]}"))
    assert "1:7 revision 1: T" in text
    assert "http any port any -> any port 80" in text
    assert "on each http transaction, at 'request_headers'" in text
    assert "'/abc|00|' in http.uri (uri on the wire)" in text
    assert "http.uri: {content: /abc|00|}" in text


def test_what_never_matches_stands_out():
    text = describe(rule("- {id: 7, source: '!any', direction: <>}"))
    assert "NEVER MATCHES: the source !any is empty" in text
    assert "no literal" in text
    assert "each packet" in text
