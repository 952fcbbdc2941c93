"""SMB: which conversations carry contents is told from the beginnings of messages, wherever blocks end."""

import pytest
import smbforge as smb
from contentskit import FAR, TALKS, WANTED, carried, cut_out, found, found_at_once, missed

from sensor.model.app import PIPED


@pytest.mark.parametrize("size", [None, 1, 2, 5, 64, 150])
@pytest.mark.parametrize(
    ("talk", "want"), list(zip(TALKS, WANTED, strict=True)), ids=[str(n) for n in range(len(TALKS))]
)
def test_what_asks_for_contents_is_found(talk, want, size):
    # What stands far behind the beginning of a message that a block's end cuts may be anything, and so is a share.
    wanted = {want, 3} if talk in FAR and size else {want, 3, 3 | want} if want >> PIPED and size else {want}
    assert found(talk, size) in wanted
    assert not missed(talk, size)


def test_the_talks_carry_contents():
    """Of SMB 1 pipes are not told from files."""
    wanted = *WANTED[:5], 3 << PIPED, *WANTED[6:]
    assert tuple(files | pipes << PIPED for files, pipes in map(carried, TALKS)) == wanted
    assert tuple(map(found_at_once, TALKS)) == tuple(want & 3 or want for want in WANTED)


CONNECT, CONNECTED, CREATE, CREATED = TALKS[1][4:8]
READ, DID = (0, smb.nbss(smb.read2(9, 0, smb.PIPE_HANDLE))), (1, smb.nbss(smb.did_read2(b"MZ" * 5)))
OPENED = [CREATE, CREATED, READ, DID]
START = TALKS[1][:4]


def connect(path, *, message=3):
    return 0, smb.nbss(smb.tree_connect2(path, message))


@pytest.mark.parametrize(
    ("talk", "piped"),
    [
        pytest.param([CONNECT, CONNECTED, *OPENED], True, id="as usual"),
        pytest.param([connect("\\\\srv\\ipc$"), CONNECTED, *OPENED], True, id="small letters"),
        pytest.param([connect("\\\\srv\\IPC$x"), CONNECTED, *OPENED], False, id="another name"),
        pytest.param([connect("IPC$"), CONNECTED, *OPENED], False, id="no host"),
        pytest.param([connect("\\\\s\0\\IPC$"), CONNECTED, *OPENED], False, id="a name behind a zero"),
        pytest.param([CONNECT, CREATE, CONNECTED, CREATED, READ, DID], False, id="opened before it is connected"),
        pytest.param([CONNECTED, CONNECT, *OPENED], False, id="answered before it is asked"),
        pytest.param([connect("\\\\s\\IPC$", message=9), CONNECTED, *OPENED], False, id="the answer to another"),
        pytest.param([CONNECT, (1, smb.nbss(smb.tree_connected2(status=9))), *OPENED], False, id="refused"),
        pytest.param([CONNECT, (1, smb.nbss(smb.tree_connected2(tree=8))), *OPENED], False, id="another number"),
        pytest.param([CONNECT, READ, CONNECTED, *OPENED], False, id="a request between"),
        pytest.param([CONNECT, CONNECTED, *TALKS[0][4:6], *OPENED], False, id="another share of that number"),
        pytest.param(OPENED, False, id="unknown"),
    ],
)  # fmt: skip
def test_what_is_read_of_shares_of_pipes_is_told_from_files(talk, piped):
    for size in (None, 5):
        assert not missed([*START, *talk], size)
    assert found_at_once([*START, *talk]) == (2 << PIPED if piped else 2)
    assert found([*START, *talk]) & 3 == (0 if piped else 2)


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
