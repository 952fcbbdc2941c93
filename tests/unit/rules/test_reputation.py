"""Files of reputations, and what is found in them."""

import random
from ipaddress import ip_address, ip_network

import pytest
from effort import effort

from sensor.rules import reputation
from sensor.rules.reputation import Line, categories, flatten, scores

MAPPED = bytes(10) + b"\xff\xff"


def key(text):
    packed = ip_address(text).packed
    return packed if len(packed) == 16 else MAPPED + packed


def read(text):
    found, problems = scores([(text, "a.list")], {"Bad": 1, "Good": 2})
    assert problems == []
    return found


def test_categories():
    found, problems = categories("# a\n1,Bad,Known, bad hosts\n2,Good\n60,High\nnonsense\n", "c.txt")
    assert found == {"Bad": 1, "Good": 2}
    assert [problem.line for problem in problems] == [4, 5]


@pytest.mark.parametrize(
    ("address", "bad", "good"),
    [
        ("10.0.0.1", 50, 0),
        ("10.0.0.2", 0, 7),
        ("10.0.0.3", 20, -1),
        ("10.0.1.0", -1, -1),
        ("9.255.255.255", -1, -1),
        ("2001:db8::5", 100, -1),
        ("2001:db9::", -1, -1),
    ],
)
def test_the_smallest_network_counts(address, bad, good):
    found = read("10.0.0.1,1,50\n10.0.0.0/24,1,20\n10.0.0.2,2,7\n2001:db8::/32,1,100\n")
    assert [found.score(key(address), category) for category in (1, 2)] == [bad, good]


def test_lines_of_one_network_add_up_and_the_last_of_a_category_holds():
    found = read("10.0.0.1,1,50\n10.0.0.1,2,6\n10.0.0.1,1,51\n")
    assert [found.score(key("10.0.0.1"), category) for category in (1, 2)] == [51, 6]


@pytest.mark.parametrize("line", ["10.0.0.1,1", "10.0.0.1,1,128", "10.0.0.1,3,1", "10.0.0.256,1,1", "a,b,c"])
def test_lines_that_are_none_are_told(line):
    found, problems = scores([(f"\n{line}\n10.0.0.9,1,1\n", "a.list")], {"Bad": 1})
    assert [(problem.file, problem.line) for problem in problems] == [("a.list", 2)]
    assert found.score(key("10.0.0.9"), 1) == 1


def test_problems_and_entries_are_capped(monkeypatch):
    assert len(scores([("nonsense\n" * 100, "a")], {})[1]) == 20
    monkeypatch.setattr(reputation, "MAX_ENTRIES", 2)
    found, problems = scores([("10.0.0.1,1,1\n10.0.0.2,1,1\n10.0.0.3,1,1\n", "a")], {"Bad": 1})
    assert problems[0].line == 3
    assert [found.score(key(f"10.0.0.{n}"), 1) for n in (1, 2, 3)] == [1, 1, -1]


def test_whole_space_and_its_ends():
    found = read("::/0,1,5\n255.255.255.255,1,9\nffff::/16,2,1\n")
    assert [found.score(key(a), 1) for a in ("::", "1.2.3.4", "255.255.255.255", "::1:0:0:0")] == [5, 5, 9, 5]
    assert found.score(b"\xff" * 16, 2) == 1


def test_same_as_a_plain_search():
    source = random.Random(7)
    made = []
    for _ in range(300):
        network = ip_network((source.getrandbits(12) << 4, source.choice((20, 24, 26, 28, 30, 32))), strict=False)
        made.append((network, source.randint(1, 3), source.randint(0, 127)))
    base = 0xFFFF << 32
    found = flatten(
        Line(base + int(n.network_address), base + int(n.broadcast_address), category, score, n.prefixlen == 32)
        for n, category, score in made
    )
    for number in range(0, 1 << 16, effort(4, 20)):
        address = ip_address(number)
        around = [one for one in made if address in one[0]]
        host = {category: score for network, category, score in around if network.prefixlen == 32}
        for category in (1, 2, 3):
            mine = sorted((n.prefixlen, i) for i, (n, c, _) in enumerate(around) if c == category)
            expected = host.get(category, 0) if host else around[mine[-1][1]][2] if mine else -1
            assert found.score(MAPPED + number.to_bytes(4, "big"), category) == expected
