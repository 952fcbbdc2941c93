"""SMB: which conversations carry contents is told from the beginnings of messages, wherever blocks end."""

import pytest
import smbforge as smb
from contentskit import FAR, TALKS, WANTED, carried, found


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
