"""SMB: which conversations carry contents is told from the beginnings of messages, wherever blocks end."""

import pytest
import smbforge as smb
from contentskit import FAR, TALKS, WANTED, carried, cut_out, found


@pytest.mark.parametrize("size", [None, 1, 2, 5, 64, 150])
@pytest.mark.parametrize(
    ("talk", "want"), list(zip(TALKS, WANTED, strict=True)), ids=[str(n) for n in range(len(TALKS))]
)
def test_what_asks_for_contents_is_found(talk, want, size):
    # What stands far behind the beginning of a message that a block's end cuts may be anything.
    assert found(talk, size) in ({want, 3} if talk in FAR and size else {want})
    assert carried(talk) & ~want == 0


def test_the_talks_carry_contents():
    assert tuple(carried(talk) for talk in TALKS) == WANTED


def test_a_flow_that_is_no_row_of_messages_may_carry_anything():
    assert found([(0, b"\7\0\0\4abcd")]) == 3
    assert found([(0, b"\0\0\0\4abcd")]) == 0


def test_messages_behind_a_malformed_one_are_seen():
    assert found([(0, smb.nbss(b"\xfeSMB" + bytes(90)) + smb.nbss(smb.read2(9)))]) == 2
    assert found([(0, smb.nbss(smb.read2(9)[:60]) + smb.nbss(smb.write2(b"x")))]) == 1


def test_messages_behind_missing_bytes_are_seen():
    """A gap in the data of a message is passed over; behind one between messages the next mark is looked for."""
    talk = [(0, smb.nbss(smb.create2("a" * 90)) + smb.nbss(smb.close2()) + smb.nbss(smb.read2(9)))]
    first, second = (4 + len(message) for message in (smb.create2("a" * 90), smb.close2()))
    assert found(cut_out(talk, 0, 150, 20)) == 2
    assert found(cut_out(talk, 0, 150, 200)) == 2
    assert found(cut_out(talk, 0, first, second)) == 2
    assert found(cut_out(talk, 0, first, second + 1)) == 0
    assert found(cut_out(talk, 0, 20, 9)) == 3, "not enough is known of the message that is cut"
    quiet = [(0, smb.nbss(smb.create2("a" * 90)) + smb.nbss(smb.close2()) * 2)]
    assert [found(cut_out(quiet, 0, at, 40)) for at in (150, first, first + 100)] == [0, 0, 3]
