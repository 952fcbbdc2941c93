"""Kinds of references and the addresses that become of them."""

import pytest

from sensor.rules import references


def test_parse_collects_kinds_and_problems():
    kinds = "config reference: CVE http://x/?n=\nconfig reference: cve http://y/\n"
    text = f"# a\n\n{kinds}nonsense\nconfig reference: url\n"
    found, problems = references.parse(text, "r.config")
    assert found == {"cve": "http://y/"}
    assert [problem.line for problem in problems] == [5, 6]


@pytest.mark.parametrize(
    ("reference", "address"),
    [
        ("url:example.org/a:b", "http://example.org/a:b"),
        ("url:https://example.org", "https://example.org"),
        ("CVE:2014-6271", "https://cve.mitre.org/cgi-bin/cvename.cgi?name=2014-6271"),
        ("odd:1", "odd:1"),
    ],
)
def test_expand(reference, address):
    assert references.expand(reference, references.DEFAULT) == address
