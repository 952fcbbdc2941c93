from judgekit import holds

from sensor.rules.nodes import Content, InList

VALUES = (b"abc", b"x")


def test_the_whole_buffer_is_looked_up():
    assert holds(b"abc", InList("l", "string", VALUES))
    assert not holds(b"abcd", InList("l", "string", VALUES))
    assert not holds(b"", InList("l", "string", ()))


def test_negated_holds_for_all_else():
    assert not holds(b"abc", InList("l", "string", VALUES, negated=True))
    assert holds(b"ab", InList("l", "string", VALUES, negated=True))


def test_it_leaves_the_cursor():
    assert holds(b"abc", Content(b"a"), InList("l", "string", VALUES), Content(b"b", within=1))
    assert not holds(b"abc", Content(b"a"), InList("l", "string", VALUES), Content(b"c", within=1))


def test_hashes_fit_digits_and_digests():
    known = InList("l", "md5", (b"00ff" * 8,))
    assert holds(b"00ff" * 8, known)
    assert holds(b"\x00\xff" * 8, known)
    assert not holds(b"\x00\xff" * 7, known)
    assert not holds(b"\xff\x00" * 8, known)
