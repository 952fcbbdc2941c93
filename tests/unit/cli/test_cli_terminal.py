"""What a person sees: table, summary, progress bar, and how they share a terminal."""

import io
import signal

import pytest

from sensor.cli.progress import Bar
from sensor.cli.screen import Screen, coloured
from sensor.cli.signals import Stop
from sensor.cli.summary import duration, render
from sensor.cli.terminal import FastStdout, Table
from sensor.engine.offline.replay import RuleAlerts, Summary
from sensor.model.records import Event


class Terminal(io.StringIO):
    def isatty(self):
        return True


def alert(severity=1, title="Found", **fields):
    base = {
        "timestamp": "2023-11-14T22:13:20.003000+0000", "event_type": "alert", "src_ip": "10.0.0.1", "src_port": 40000,
        "dest_ip": "10.0.0.2", "dest_port": 80, "proto": "TCP",
        "alert": {"gid": 1, "signature_id": 7, "rev": 1, "signature": title, "category": "", "severity": severity},
    }  # fmt: skip
    return Event("alert", base | fields)


def on_terminal(monkeypatch):
    made = Terminal()
    monkeypatch.setattr("sys.stdout", made)
    return made


def test_table(monkeypatch):
    terminal = on_terminal(monkeypatch)
    screen = Screen()
    table = Table(screen, colour=False)
    for event in (alert(), Event("flow", {}), alert(severity=9, title="two\nlines")):
        table.write(event)
    table.close()
    assert terminal.getvalue().splitlines() == [
        "TIME            SEVERITY      RULE  FROM                   TO                     ALERT",
        "22:13:20.003000 HIGH             7  10.0.0.1:40000         10.0.0.2:80            Found",
        "22:13:20.003000 9                7  10.0.0.1:40000         10.0.0.2:80            two lines",
    ]


def test_addresses_without_ports_and_of_ipv6(monkeypatch):
    terminal = on_terminal(monkeypatch)
    screen = Screen()
    table = Table(screen, colour=False)
    six = "fe80:0000:0000:0000:0000:0000:0000:0001"
    event = alert(src_ip=six, dest_ip=six)
    del event.fields["dest_port"]
    table.write(event)
    bare = alert()
    for name in ("src_ip", "src_port", "dest_ip", "dest_port", "proto"):
        del bare.fields[name]
    table.write(bare)
    screen.flush()
    rows = [line[36:].split() for line in terminal.getvalue().splitlines()[1:]]
    assert rows == [["[fe80::1]:40000", "fe80::1", "Found"], ["-", "-", "Found"]]


def test_colours_are_for_terminals_that_have_them(monkeypatch):
    terminal = on_terminal(monkeypatch)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert coloured(terminal)
    assert not coloured(io.StringIO())
    monkeypatch.setenv("NO_COLOR", "1")
    assert not coloured(terminal)
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert not coloured(terminal)
    screen = Screen()
    Table(screen, colour=True).write(alert())
    screen.flush()
    assert "\x1b[1;31mHIGH" in terminal.getvalue()


def test_summary_of_alerts_is_said_so(monkeypatch):
    terminal = on_terminal(monkeypatch)
    screen = Screen()
    FastStdout(screen).write(alert(xen={"flood_alerts": 41}))
    screen.flush()
    assert "Found (41 alerts) [**]" in terminal.getvalue()


def test_lines_do_not_pile_up(monkeypatch):
    terminal = on_terminal(monkeypatch)
    screen = Screen()
    for _ in range(1500):
        screen.line("x")
    assert terminal.getvalue().count("\n") == 1000


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def test_bar_appears_late_moves_and_goes():
    clock, stream, place = Clock(), Terminal(), [0, 1000]
    bar = Bar(lambda: tuple(place), stream, clock)
    bar.update()
    bar.hide()
    clock.now = 0.9
    bar.update()
    assert stream.getvalue() == ""
    clock.now = 1.1
    place[0] = 500
    bar.update()
    assert "500/1000 bytes" in stream.getvalue().replace("0.5/1.0 kB", "500/1000 bytes")
    shown = len(stream.getvalue())
    clock.now = 1.15
    bar.update()
    assert len(stream.getvalue()) == shown
    bar.hide()
    assert stream.getvalue().endswith("\r\x1b[2K")
    bar.close()
    shown = len(stream.getvalue())
    clock.now = 99
    bar.update()
    assert len(stream.getvalue()) == shown


def test_bar_of_a_pipe_has_no_end():
    clock, stream = Clock(), Terminal()
    bar = Bar(lambda: (500, 0), stream, clock)
    clock.now = 2
    bar.update()
    bar.close()
    assert "500/?" in stream.getvalue()


class Line(Bar):
    """Notes what is done to it."""

    def __init__(self, done):
        self.done = done

    def hide(self):
        self.done.append("hide")

    def close(self):
        self.done.append("close")


def test_bar_makes_room(monkeypatch, capsys):
    terminal = on_terminal(monkeypatch)
    screen, done = Screen(), []
    screen.attach(Line(done))
    screen.line("a")
    screen.flush()
    screen.flush()
    screen.note("b")
    screen.close()
    assert done == ["hide", "hide", "close"]
    assert terminal.getvalue() == "a\n"
    assert capsys.readouterr().err == "b\n"


def test_bar_stays_where_standard_output_is_elsewhere(monkeypatch):
    monkeypatch.setattr("sys.stdout", io.StringIO())
    screen, done = Screen(), []
    screen.attach(Line(done))
    screen.line("a")
    screen.flush()
    assert done == []


def test_stop_calls_once_then_interrupts():
    calls = []
    before = signal.getsignal(signal.SIGTERM)
    with Stop(lambda: calls.append(1)) as stop:
        signal.raise_signal(signal.SIGTERM)
        assert (stop.number, calls) == (signal.SIGTERM, [1])
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) == before
    assert calls == [1]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0.0 s"), (119.4, "119.4 s"), (400, "7 min"), (9000, "2 h 30 min"), (78772, "21 h 53 min"), (4e5, "4 d 15 h")],
)
def test_duration(seconds, text):
    assert duration(seconds) == text


def test_summary_without_anything():
    assert render(Summary()).splitlines() == [
        "", "0 packets, 0 bytes, 0 flows in 0.0 s of traffic", "no alerts", "everything was inspected",
    ]  # fmt: skip


def test_summary_with_everything():
    summary = Summary(
        captures=2, packets=1234, octets=1, flows=1, alerts=40, filtered=3, notes=["packets skipped: 2 of x"],
        by_rule=[RuleAlerts(1 + n % 2, n, f"rule {n}", 2, 1) for n in range(40)],
        events={"alert": 40, "flow": 2, "dns": 1}, not_inspected={"packets of a kind": 5}, suspended=[(1, 7)],
        anomalies={f"decoder.{n}": 20 - n for n in range(12)},
    )  # fmt: skip
    lines = render(summary).splitlines()
    assert lines[1:4] == [
        "1,234 packets of 2 captures, 1 byte, 1 flow in 0.0 s of traffic",
        "the capture filter left out 3 packets",
        "packets skipped: 2 of x",
    ]
    assert "40 alerts of 40 rules" in lines
    assert "          1  MEDIUM         2:1  rule 1" in lines
    assert "  … and 10 rules more" in lines
    assert "other events: 1 dns, 2 flow" in lines
    assert "          5  packets of a kind" in lines
    assert "rules suspended because they cost too much: 1:7" in lines
    assert lines[-1] == "  … and 4 kinds more"
    assert "everything was inspected" not in lines
