"""Databases of countries: forged ones, read by the library that reads real ones."""

import importlib.util
from ipaddress import ip_address

import pytest

from sensor.rules import outside
from sensor.rules.outside import NOTHING, Outside, open_countries

NEEDED = pytest.mark.skipif(not importlib.util.find_spec("maxminddb"), reason="needs the package maxminddb (geoip)")
MAPPED = bytes(10) + b"\xff\xff"


def encoded(value):
    """A value in the data format of a MaxMind DB."""
    if isinstance(value, dict):
        return bytes([0xE0 + len(value)]) + b"".join(encoded(one) for pair in value.items() for one in pair)
    if isinstance(value, list):
        return bytes([len(value), 4]) + b"".join(map(encoded, value))
    if isinstance(value, bytes):
        return value
    if isinstance(value, int):
        return bytes([0xC4]) + value.to_bytes(4, "big")
    return bytes([0x40 + len(value)]) + value.encode()


def short(value):
    """A number of 16 bits."""
    return bytes([0xA2]) + value.to_bytes(2, "big")


def database(record, first_bit=1):
    """Addresses of IPv4 whose first bit is `first_bit` have the record, the others none."""
    nodes = 1
    branches = [nodes, nodes]
    branches[first_bit] = nodes + 16
    tree = b"".join(branch.to_bytes(3, "big") for branch in branches)
    about = {"node_count": nodes, "record_size": short(24), "ip_version": short(4),
             "binary_format_major_version": short(2), "binary_format_minor_version": short(0),
             "build_epoch": b"\x01\x02\x01", "database_type": "Test", "languages": [],
             "description": {"en": "x"}}  # fmt: skip
    return tree + bytes(16) + encoded(record) + b"\xab\xcd\xefMaxMind.com" + encoded(about)


def opened(tmp_path, content):
    (tmp_path / "a.mmdb").write_bytes(content)
    return open_countries(str(tmp_path / "a.mmdb"))


@NEEDED
@pytest.mark.parametrize(
    ("address", "code"), [("200.1.2.3", "NZ"), ("10.0.0.1", ""), ("2001:db8::1", ""), ("::ffff:200.1.2.3", "NZ")]
)
def test_countries_of_addresses(tmp_path, address, code):
    country, problems = opened(tmp_path, database({"country": {"iso_code": "nz"}}))
    assert problems == []
    packed = ip_address(address).packed
    assert country(packed if len(packed) == 16 else MAPPED + packed) == code


@NEEDED
@pytest.mark.parametrize("record", ["x", {"country": "x"}, {"country": {"iso_code": 5}}, {"continent": {"code": "x"}}])
def test_records_of_another_form_have_no_country(tmp_path, record):
    country, _ = opened(tmp_path, database(record))
    assert country(MAPPED + bytes([200, 1, 2, 3])) == ""


@NEEDED
@pytest.mark.parametrize("content", [b"", b"nonsense", database({"country": {"iso_code": "nz"}})[:-9]])
def test_what_is_no_database_is_told(tmp_path, content):
    country, problems = opened(tmp_path, content)
    assert country is None
    assert "no database of countries" in problems[0].message


@NEEDED
def test_a_file_that_is_not_there_is_told(tmp_path):
    assert open_countries(str(tmp_path / "none"))[1]


def test_without_the_library_it_says_what_to_install(monkeypatch, tmp_path):
    def missing(_name):
        raise ImportError

    monkeypatch.setattr(outside.importlib, "import_module", missing)
    country, problems = open_countries(str(tmp_path / "a.mmdb"))
    assert country is None
    assert "xensor[geoip]" in problems[0].hint


def test_the_fingerprint_tells_what_rules_can_be_read():
    given = (NOTHING, Outside({"Bad": 1}), Outside({"Good": 1}), Outside(country=str))
    assert len({one.fingerprint() for one in given}) == 4
