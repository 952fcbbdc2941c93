"""Conversations of which one side is missing are told from those that nobody answers."""

import pytest
from enginekit import run

from sensor.engine.offline.forge import Conversation

CLIENT, SERVER = bytes([10, 0, 0, 1]), bytes([10, 0, 0, 2])


def conversation(port=40_000):
    talk = Conversation(CLIENT, SERVER, port, 80, 10**18)
    talk.tcp(0, b"hello", b"welcome")
    return talk.frames


def side(frames, number):
    """Return the frames that one side sent."""
    return [(ts, frame) for ts, frame in frames if frame[26:30] == (CLIENT, SERVER)[number]]


def counted(frames, block=16_384):
    sight = run(frames, block=block).pipeline.sight
    return sight.tcp_ended, sight.one_way


@pytest.mark.parametrize("block", [1, 16_384])
def test_both_sides(block):
    assert counted(conversation() + conversation(40_001), block) == (2, 0)


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("block", [1, 16_384])
def test_one_side(number, block):
    assert counted(conversation() + side(conversation(40_001), number), block) == (2, 1)


def test_who_never_answers_is_no_fault_of_the_mirror():
    syn = side(conversation(), 0)[0]
    assert counted([(syn[0] + n * 10**9, syn[1]) for n in range(4)]) == (0, 0)


def test_datagrams_have_one_side_often():
    talk = Conversation(CLIENT, SERVER, 40_000, 514, 10**18)
    for _ in range(3):
        talk.udp(0, b"a log line")
    assert counted(talk.frames) == (0, 0)
