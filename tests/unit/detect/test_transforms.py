import hashlib

import pytest
from judgekit import FakeContext, body_holds

from sensor.detect.evaluator.transforms import compile_transforms
from sensor.errors import RuleError
from sensor.rules.nodes import BufferMatch, Content, Transform

CASES = [
    ("to_lowercase", "", b"AbC\xc9", b"abc\xc9"),
    ("to_uppercase", "", b"aBc\xe9", b"ABC\xe9"),
    ("to_md5", "", b"x", hashlib.md5(b"x", usedforsecurity=False).digest()),
    ("to_sha1", "", b"x", hashlib.sha1(b"x", usedforsecurity=False).digest()),
    ("to_sha256", "", b"x", hashlib.sha256(b"x").digest()),
    ("url_decode", "", b"a+b%20c%2Fd%zz%u0041%4", b"a b c/d%zz%u0041%4"),
    ("url_decode", "", b"%2541", b"%41"),
    ("strip_whitespace", "", b" a\t b\r\n\v\fc ", b"abc"),
    ("compress_whitespace", "", b"a \t b\r\n c\td\0 e", b"a b\rc\td\0 e"),
    ("dotprefix", "", b"example.com", b".example.com"),
    ("dotprefix", "", b"", b""),
    ("strip_pseudo_headers", "", b":method: GET\r\nHost: a\r\n:path: /\r\n", b"Host: a\r\n"),
    ("strip_pseudo_headers", "", b"a\n:b", b"a\n"),
    ("header_lowercase", "", b"Host: AbC\r\nX-Y: Z:W\r\nNoColon", b"host: AbC\r\nx-y: Z:W\r\nnocolon"),
    ("xor", "0d0ac8ff", b"\x0d\x0b\xc8\xff\x0d", b"\x00\x01\x00\x00\x00"),
    ("xor", "ff", b"", b""),
    ("pcrexform", "data=(.*)", b"/get?data=abc", b"abc"),
    ("pcrexform", "data=(.*)", b"/get", b"/get"),
    ("pcrexform", "a(b)?", b"ac", b"ac"),
    ("pcrexform", "a(b*)", b"ac", b"ac"),
]


@pytest.mark.parametrize(("name", "args", "data", "expected"), CASES)
def test_transforms(name, args, data, expected):
    _, change = compile_transforms((Transform(name, args),))
    assert change(data) == expected


def test_a_chain_runs_in_order():
    _, change = compile_transforms(
        (Transform("url_decode"), Transform("to_lowercase"), Transform("dotprefix"))
    )
    assert change(b"A%42") == b".ab"


def test_keys_tell_chains_apart():
    keys = {
        compile_transforms(chain)[0]
        for chain in (
            (Transform("xor", "01"), Transform("xor", "02")),
            (Transform("xor", "02"), Transform("xor", "01")),
            (Transform("xor", "0102"),),
        )
    }
    assert len(keys) == 3


@pytest.mark.parametrize(
    ("name", "args"),
    [("rot13", ""), ("xor", "zz"), ("xor", ""), ("pcrexform", "abc"), ("pcrexform", "("), ("to_md5", "x")],
)
def test_bad_transforms_are_refused(name, args):
    with pytest.raises(RuleError):
        compile_transforms((Transform(name, args),))


def test_rules_see_the_transformed_buffer_and_windows_keep_it():
    ctx = FakeContext({"tls.sni": b"Example.com"})
    chain = (Transform("to_lowercase"), Transform("dotprefix"))
    node = BufferMatch("tls.sni", (Content(b".example.com", endswith=True),), chain)
    assert body_holds(node, ctx)
    assert not body_holds(BufferMatch("tls.sni", node.tests), ctx)
    (window,) = ctx.buffers["tls.sni"]
    key, change = compile_transforms(chain)
    assert window.view(key, lambda data: pytest.fail("computed twice")).data == change(window.data)
