"""Parsers of messages in streams: how bytes are cut changes nothing, and no bytes make them raise."""

import sys
from pathlib import Path

import pytest
from effort import effort
from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.append(str(Path(__file__).resolve().parents[1] / "unit" / "proto"))  # the forged bytes of the unit tests

import h2kit
import handshakes as forge
import mqttkit
import test_ftp
import test_imap
import test_pop3
import test_smtp
import test_telnet

from sensor.proto.ftp.fields import SPEC as FTP
from sensor.proto.ftpdata.fields import SPEC as FTP_DATA
from sensor.proto.http2.fields import SPEC as HTTP2
from sensor.proto.imap.fields import SPEC as IMAP
from sensor.proto.mqtt.fields import SPEC as MQTT
from sensor.proto.pop3.fields import SPEC as POP3
from sensor.proto.smtp.fields import SPEC as SMTP
from sensor.proto.telnet.fields import SPEC as TELNET

TALKS = {
    MQTT.name: (MQTT, [mqttkit.talk(), [(0, mqttkit.connect(3, b"MQIsdp")), (0, mqttkit.publish(qos=3))]]),
    FTP.name: (FTP, [test_ftp.TALK]),
    POP3.name: (POP3, [test_pop3.TALK]),
    IMAP.name: (IMAP, [test_imap.TALK]),
    TELNET.name: (TELNET, [test_telnet.TALK]),
    HTTP2.name: (HTTP2, [h2kit.talk()]),
    SMTP.name: (SMTP, [test_smtp.talk(), [(0, data) for side, data in test_smtp.talk() if side == 0]]),
    FTP_DATA.name: (FTP_DATA, [[(0, b"some bytes"), (0, b"and more"), (1, b"noise")]]),
}


@st.composite
def changed(draw, base):
    """Return a conversation with a few bytes changed, dropped or put in."""
    talk = list(draw(st.sampled_from(base)))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(talk) - 1))
        side, data = talk[at]
        if not data:
            continue
        pos = draw(st.integers(0, len(data) - 1))
        byte = bytes([draw(st.integers(0, 255))])
        mutants = [
            data[:pos] + byte + data[pos + 1 :],
            data[:pos] + byte * draw(st.integers(1, 300)) + data[pos:],
            data[:pos] + data[pos + draw(st.integers(1, 50)) :],
        ]
        talk[at] = (side, draw(st.sampled_from(mutants)))
    return talk


def outcome(spec, talk, size=None):
    parser = spec.new_parser()
    stages = forge.drive(parser, talk, size)
    files = [s.file for s in stages]
    return forge.seen(spec, stages), [s.tx.eve() for s in stages], files, parser.anomalies(), parser.done


@pytest.mark.parametrize("name", TALKS)
@settings(max_examples=effort(60, 20), deadline=None)
@given(st.data(), st.integers(1, 9))
def test_cut(name, data, size):
    spec, talks = TALKS[name]
    talk = data.draw(changed(talks))
    assert outcome(spec, talk, size) == outcome(spec, talk)


@pytest.mark.parametrize("name", TALKS)
@settings(max_examples=effort(60, 20), deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1), st.binary(max_size=80)), max_size=6))
def test_any_bytes(name, talk):
    spec, _ = TALKS[name]
    assert outcome(spec, talk, 1) == outcome(spec, talk)


@pytest.mark.parametrize("name", TALKS)
@pytest.mark.parametrize("after", range(5))
def test_gap_raises_nothing(name, after):
    spec, talks = TALKS[name]
    for side in (0, 1):
        parser = spec.new_parser()
        for part in talks[0][:after]:
            parser.feed(*part, 0)
        stages = parser.gap(side, 1000, 0)
        stages += [stage for part in talks[0][after:] for stage in parser.feed(*part, 0)] + parser.finish(0)
        assert all(isinstance(value, bytes) for s in stages for b in spec.buffers for value in s.tx.buffer(b.name))
