"""Records of several workers come out in one order, and none is held back for ever."""

import random

from sensor.engine.crew.merge import Merge


def drained(merge):
    return [record for _, record in merge.take()]


def test_a_record_waits_until_no_other_worker_can_have_an_earlier_one():
    merge = Merge(2)
    merge.add(0, [5, 7], ["a", "b"], 9)
    assert drained(merge) == []
    merge.add(1, [], [], 6)
    assert drained(merge) == ["a"]
    merge.add(1, [6, 8], ["c", "d"], 8)
    assert drained(merge) == ["c", "b", "d"]


def test_equal_keys_come_in_the_order_of_the_workers():
    merge = Merge(2)
    merge.add(1, [3], ["second"], 3)
    merge.add(0, [3], ["first"], 3)
    assert drained(merge) == ["first"]
    merge.add(0, [3], ["first again"], 4)
    assert drained(merge) == ["first again", "second"]


def test_any_interleaving_of_lots_gives_the_one_order():
    rng = random.Random(4)
    for _ in range(50):
        lots, everything = [], []
        for worker in range(4):
            keys = sorted(rng.choices(range(60), k=rng.randrange(30)))
            cuts = sorted(rng.choices(range(len(keys) + 1), k=3))
            for start, end in zip([0, *cuts], [*cuts, len(keys)], strict=True):
                part = keys[start:end]
                upto = keys[end] if end < len(keys) else 99
                lots.append((worker, part, [(key, worker, start + i) for i, key in enumerate(part)], upto))
            everything += [(key, worker, i) for i, key in enumerate(keys)]
        merge, found = Merge(4), []
        queues = {w: [lot for lot in lots if lot[0] == w] for w in range(4)}
        while any(queues.values()):
            worker = rng.choice([w for w, queue in queues.items() if queue])
            merge.add(*queues[worker].pop(0))
            found += drained(merge)
        assert found == sorted(everything)
        assert merge.late == 0


def test_a_worker_that_has_ended_is_not_waited_for():
    merge = Merge(2)
    merge.add(0, [5], ["a"], 5)
    merge.close(1)
    assert drained(merge) == ["a"]


def test_what_an_excused_worker_brings_later_is_counted():
    merge = Merge(2)
    merge.add(0, [5], ["a"], 5)
    merge.excuse(1)
    assert drained(merge) == ["a"]
    merge.add(1, [2], ["late"], 2)
    assert merge.upto(1) == 2
    merge.add(0, [6], ["b"], 6)
    assert drained(merge) == ["late"]
    assert merge.late == 1
    assert merge.waiting(0) == 1
    merge.add(1, [], [], 7)
    assert drained(merge) == ["b"]


def test_a_worker_that_takes_the_place_of_another_is_waited_for_again():
    merge = Merge(2)
    merge.add(0, [5, 8], ["a", "b"], 8)
    merge.close(1)
    assert drained(merge) == ["a", "b"]
    merge.reopen(1)
    merge.add(0, [9], ["c"], 9)
    assert drained(merge) == []
    merge.add(1, [8], ["d"], 20)
    assert drained(merge) == ["d", "c"]
