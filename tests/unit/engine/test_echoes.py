"""What waits for its acknowledgment takes bounded memory."""

from sensor.engine.echoes import Echo, Echoes
from sensor.model.anomaly import AppAnomaly
from sensor.proto.registry import BY_NAME

ODD = AppAnomaly.TLS_INVALID_RECORD_TYPE


def echo(size):
    return Echo(BY_NAME["tls"], ODD, 0, (1,), bytes(size), ())


def test_those_that_waited_longest_give_way_and_are_counted():
    echoes = Echoes(limit=10_000)
    for slot in range(4):
        echoes.add(slot, echo(4000))
    assert [slot in echoes for slot in range(4)] == [False, False, True, True]
    assert echoes.forgotten + sum(len(echoes.take(slot)) for slot in range(4)) == 4


def test_what_was_taken_or_forgotten_takes_nothing():
    echoes = Echoes(limit=10_000)
    for slot in range(20):
        echoes.add(slot, echo(4000))
        if slot % 2:
            echoes.forget([slot])
        else:
            assert echoes.take(slot) == [echo(4000)]
    assert echoes.forgotten == 0


def test_a_reload_lets_them_go():
    old, new = Echoes(limit=5500), Echoes()
    old.add(1, echo(4000))
    old.add(2, echo(4000))
    new.adopt(old)
    assert (new.forgotten, 2 in new) == (2, False)
