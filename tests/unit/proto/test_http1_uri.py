import pytest

from sensor.proto.http1 import uri


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (b"/", b"/"),
        (b"/plain/path?q=1&r=2", b"/plain/path?q=1&r=2"),
        (b"/a//b///c", b"/a/b/c"),
        (b"/./././images.gif", b"/images.gif"),
        (b"/a/../b", b"/b"),
        (b"/../../x", b"/x"),
        (b"/a/b/..", b"/a"),
        (b"/a/b/../", b"/a"),
        (b"/a/.", b"/a"),
        (b"/a/./", b"/a"),
        (b"/a/../", b""),
        (b"/..", b""),
        (b"/.?q", b"?q"),
        (b"a/../b", b"/b"),
        (b"../a/", b"a/"),
        (b"..", b""),
        (b"/.hidden/..x", b"/.hidden/..x"),
        (b"/%61%2e%2E/%2fetc", b"/a../etc"),
        (b"/a/%2e%2e/b", b"/b"),
        (b"/a\\..\\b", b"/b"),
        (b"/%2527", b"/%27"),
        (b"/%zz%4", b"/%zz%4"),
        (b"/%u0041%uff21%u20ac", b"/AA?"),
        (b"/p?x=%41+b//c/../d", b"/p?x=A+b//c/../d"),
        (b"/p#%41", b"/p#A"),
        (b"/caf\xc3\xa9%u0100", b"/caf\xe9A"),
        (b"/a\xe9b", b"/a?b"),
        (b"/a\xe9", b"/a"),
        (b"/\xe3\x81a", b"/?a"),
        (b"/\xed\xa0\x80x", b"/???x"),
        (b"/\xef\xbc\x8f\xe2\x88\x95", b"///"),
        (b"/%e3%81%82?%e3", b"/??\xe3"),
        (b"/%c0%ae%c0%ae/x", b"/x"),
        (b"/a%c0%ae%c0%ae%c0%afb", b"/a../b"),
        (b"/%c1%9c", b"/\\"),
        (b"http://u:p@h:1/p?q", b"/p?q"),
        (b"http://h", b""),
        (b"http://h?q", b"?q"),
        (b"h:443", b"443"),
        (b"x.php?u=http://y/z", b"/z"),
        (b"*", b"*"),
        (b"", b""),
    ],
)
def test_normalisation(target, expected):
    assert uri.normalise(target) == expected


def test_authority():
    assert uri.authority(b"http://user:pw@Host:81/x") == b"Host:81"
    assert uri.authority(b"/x") == b""


def test_double_encoding():
    assert uri.double_encoded(b"/%2541")
    assert not uri.double_encoded(b"/100%25")
    assert not uri.double_encoded(b"/%41")
