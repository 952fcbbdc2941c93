import pytest

from sensor.rules import literal


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("GET /", b"GET /"),
        ("a|0d 0a|b", b"a\r\nb"),
        ("|0D0a|", b"\r\n"),
        (r"a\|b\\c", b"a|b\\c"),
        (r"\;\:\"", b';:"'),
        ("é", b"\xc3\xa9"),
        ("||", b""),
    ],
)
def test_parse(text, data):
    assert literal.parse(text) == data


@pytest.mark.parametrize(
    ("text", "position", "word"),
    [("ab|0d", 2, "closed"), ("a|0g|", 1, "hex"), ("a|0|", 1, "hex"), (r"ab\n", 2, "escape"), ("ab\\", 2, "backslash")],
)
def test_errors_say_where(text, position, word):
    with pytest.raises(literal.LiteralError, match=word) as error:
        literal.parse(text)
    assert error.value.position == position


def test_write_keeps_text_readable():
    assert literal.write(b'GET /|a\\"\r\n\xff') == r'GET /\|a\\"|0d 0a ff|'
