import gzip
import zlib
from functools import partial

import brotli
import pytest

from sensor.model.anomaly import AppAnomaly
from sensor.proto.http1 import limits
from sensor.proto.http1.coding import codings, decode

TEXT = b"the quick brown fox " * 20


def raw(data):
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"gzip", ["gzip"]),
        (b"x-gzip, br", ["gzip", "br"]),
        (b"identity", []),
        (b"GZ\0IP", ["gzip"]),
        (b"deflate,", ["deflate"]),
        (b"", []),
    ],
)
def test_names(value, expected):
    assert codings(value) == expected


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress, raw], ids=["gzip", "zlib", "raw"])
@pytest.mark.parametrize("name", ["gzip", "deflate"])
def test_deflate_in_each_wrapping(pack, name):
    as_named = pack is raw if name == "deflate" else pack is not raw
    odd = None if as_named else AppAnomaly.HTTP_DECOMPRESSION_FAILED
    assert decode(pack(TEXT), [name], 10_000) == ([TEXT], odd)


def test_brotli_and_layers():
    assert decode(brotli.compress(TEXT), ["br"], 10_000) == ([TEXT], None)
    twice = gzip.compress(brotli.compress(TEXT))
    assert decode(twice, ["br", "gzip"], 10_000) == ([TEXT], None)


def test_only_so_many_layers_are_undone():
    data = TEXT
    for _ in range(limits.ENCODING_LAYERS + 1):
        data = gzip.compress(data)
    forms, _ = decode(data, ["deflate"] * (limits.ENCODING_LAYERS + 1), 10_000)
    assert gzip.decompress(forms[0]) == TEXT


def test_members_and_odd_headers():
    head = b"\x1f\x8b\x08\x1e" + bytes(6) + b"\x02\0ab" + b"name\0" + b"comment\0" + b"hc"
    assert decode(head + raw(TEXT), ["deflate"], 10_000)[0] == [TEXT]
    liar = b"\x1f\x8b\x08\x04" + bytes(6) + raw(TEXT)
    assert TEXT in decode(liar, ["deflate"], 10_000)[0]
    assert decode(gzip.compress(b"a") + gzip.compress(b"b"), ["deflate"], 100)[0] == [b"ab"]


def test_truncation_is_no_failure():
    forms, odd = decode(gzip.compress(TEXT)[:40], ["gzip"], 10_000)
    assert odd is None
    assert TEXT.startswith(forms[0])
    assert forms[0]


@pytest.mark.parametrize("data", [gzip.compress(b""), gzip.compress(TEXT)[:10], zlib.compress(b""), b""])
def test_nothing_that_is_encoded_is_nothing(data):
    assert decode(data, ["gzip"], 10_000)[0] == []


def test_what_is_not_encoded_is_inspected_as_it_is():
    forms, odd = decode(b"X5O!P%@AP[4 plain", ["deflate", "br"], 10_000)
    assert b"X5O!P%@AP[4 plain" in forms
    assert odd is AppAnomaly.HTTP_DECOMPRESSION_FAILED


def test_damage_keeps_what_precedes_it_and_the_raw_bytes():
    packer = zlib.compressobj()
    broken = packer.compress(TEXT) + packer.flush(zlib.Z_FULL_FLUSH) + b"\x07 there is no block of this type"
    forms, odd = decode(broken, ["deflate"], 100_000)
    assert odd is AppAnomaly.HTTP_DECOMPRESSION_FAILED
    assert forms == [TEXT, broken]


@pytest.mark.parametrize("at", [-8, -1])
def test_a_checksum_or_length_that_is_wrong_is_odd_and_hides_nothing(at):
    data = bytearray(gzip.compress(TEXT))
    data[at] ^= 1
    assert decode(bytes(data), ["gzip"], 10_000) == ([TEXT], AppAnomaly.HTTP_DECOMPRESSION_FAILED)
    assert decode(bytes(data[:-1]), ["gzip"], 10_000) == ([TEXT], None)


@pytest.mark.parametrize(("name", "pack"), [("deflate", gzip.compress), ("br", partial(brotli.compress, quality=5))])
def test_bombs_stop_at_the_limit(name, pack):
    forms, odd = decode(pack(bytes(50_000_000)), [name], 102_400)
    assert [len(form) for form in forms] == [102_400]
    assert odd is AppAnomaly.HTTP_DECOMPRESSION_BOMB


def test_a_large_but_ordinary_body_is_no_bomb():
    forms, odd = decode(gzip.compress(TEXT * 1000), ["gzip"], 5_000)
    assert len(forms[0]) == 5_000
    assert odd is None
