import pytest
from handshakes import drive
from mqttkit import answer, connack, connect, packet, publish, string, subscribe, talk, unsubscribe

from sensor.model.anomaly import AppAnomaly
from sensor.proto.mqtt import limits, transaction
from sensor.proto.mqtt.fields import SPEC
from sensor.proto.mqtt.state import STAGE_BEGUN, STAGE_DONE, STAGE_MESSAGE, STAGE_OPEN, MqttParser

INTRODUCED = [(0, connect()), (1, connack())]

DONE = (STAGE_DONE, STAGE_OPEN)


def run(conversation):
    parser = MqttParser()
    stages = drive(parser, conversation)
    return parser, [s for s in stages if s.stage in DONE], [s for s in stages if s.stage == STAGE_MESSAGE]


def odd(conversation):
    return [event for event, _ in run(conversation)[0].anomalies()]


def test_exchanges_of_version_5():
    parser, done, frames = run(talk())
    assert parser.anomalies() == []
    words = [list(s.tx.eve()) for s in done]
    assert words == [
        ["connect", "connack"], ["subscribe", "suback"], ["publish", "pubrec", "pubrel", "pubcomp"],
        ["publish", "puback"], ["pingreq"], ["pingresp"], ["unsubscribe", "unsuback"], ["disconnect"],
    ]  # fmt: skip
    assert sorted(s.tx.id for s in done) == list(range(8))
    assert [s.side for s in done[:5]] == [0, 0, 0, 1, 0]
    assert len(frames) == 15


def test_buffers_of_connect():
    _, done, _ = run(talk())
    tx = done[0].tx
    found = {b.name: tx.buffer(b.name) for b in SPEC.buffers if b.stage == STAGE_BEGUN and tx.buffer(b.name)}
    assert found == {
        "mqtt.connect.clientid": [b"guest-7"],
        "mqtt.connect.username": [b"joe"],
        "mqtt.connect.password": [b"pw"],
        "mqtt.connect.willtopic": [b"w/t"],
        "mqtt.connect.willmessage": [b"gone"],
        "mqtt.connect.protocol_string": [b"MQTT"],
    }
    assert tx.numbers("mqtt.connect.flags") == [1 | 2 | 4 | 16]
    assert tx.numbers("mqtt.connack.session_present") == ()  # known of an answer alone
    assert tx.numbers("mqtt.protocol_version") == (5,)
    assert tx.numbers("mqtt.type") == [1, 2]


def test_buffers_and_numbers_of_the_others():
    _, done, _ = run(talk())
    assert done[1].tx.buffer("mqtt.subscribe.topic") == [b"a/#", b"b/+"]
    assert done[1].tx.numbers("mqtt.reason_code") == [1, 0]
    assert done[2].tx.buffer("mqtt.publish.topic") == [b"a/x"]
    assert done[2].tx.buffer("mqtt.publish.message") == [b"\xff\xd8\xff\xe0jpeg"]
    assert done[2].tx.numbers("mqtt.qos") == [2, 0, 1, 0]
    assert done[2].tx.numbers("mqtt.reason_code") == [0, 0, 0x92]
    assert done[6].tx.buffer("mqtt.unsubscribe.topic") == [b"a/#", b"b/+"]
    assert done[6].tx.buffer("mqtt.subscribe.topic") == []
    assert done[6].tx.numbers("mqtt.reason_code") == [0x11, 0]
    assert done[7].tx.numbers("mqtt.reason_code") == [0]
    assert done[7].tx.buffer("no.such") == done[7].tx.numbers("no.such") == ()


def test_eve():
    _, done, _ = run(talk())
    found = done[0].tx.eve()
    assert found["connect"] == {
        "qos": 0, "retain": False, "dup": False, "protocol_string": "MQTT", "protocol_version": 5,
        "client_id": "guest-7", "username": "joe",
        "flags": {"username": True, "password": True, "will_retain": False, "will": True, "clean_session": True},
        "will": {"topic": "w/t", "message": "gone"},
        "properties": {"session_expiry_interval": 10, "k": "v"},
    }  # fmt: skip
    assert found["connack"] == {
        "qos": 0, "retain": False, "dup": False, "session_present": True, "return_code": 0,
        "properties": {"topic_alias_maximum": 10},
    }  # fmt: skip
    assert done[1].tx.eve()["subscribe"]["topics"] == [{"topic": "a/#", "qos": 1}, {"topic": "b/+", "qos": 0}]
    assert done[1].tx.eve()["suback"]["qos_granted"] == [1, 0]
    assert done[2].tx.eve()["publish"]["message"] == "\\xff\\xd8\\xff\\xe0jpeg"
    assert done[2].tx.eve()["pubcomp"]["reason_code"] == 0x92
    assert done[6].tx.eve()["unsuback"]["reason_codes"] == [17, 0]


def test_frames():
    _, _, frames = run(INTRODUCED)
    first = frames[0].tx
    assert first.buffer("frame.mqtt.pdu") == (connect(),)
    assert first.buffer("frame.mqtt.header") == (connect()[:2],)
    assert first.buffer("frame.mqtt.data") == (connect()[2:],)
    assert first.buffer("mqtt.connect.username") == ()
    assert first.eve() == frames[1].tx.eve()
    assert run([(0, packet(12))])[2][0].tx.buffer("frame.mqtt.data") == ()


def test_declared_buffers_are_those_that_exist():
    frames = {"frame.mqtt.pdu", "frame.mqtt.header", "frame.mqtt.data"}
    assert set(transaction._BUFFERS) | frames == {b.name for b in SPEC.buffers}
    assert set(transaction._NUMBERS) | {"mqtt.protocol_version"} == {n.name for n in SPEC.numbers}


@pytest.mark.parametrize(
    ("conversation", "events"),
    [
        ([(1, connack())], ["mqtt.missing_connect"]),
        ([*INTRODUCED, (1, answer(4))], ["mqtt.missing_publish"]),
        ([*INTRODUCED, (1, answer(9, 1, b"\0"))], ["mqtt.missing_subscribe"]),
        ([*INTRODUCED, (1, answer(11))], ["mqtt.missing_unsubscribe"]),
        ([*INTRODUCED, (0, connect())], ["mqtt.double_connect"]),
        ([(0, publish())], ["mqtt.unintroduced_message"]),
        ([(1, answer(7))], ["mqtt.missing_publish", "mqtt.unintroduced_message"]),
        ([*INTRODUCED, (0, publish(qos=3))], ["mqtt.invalid_qos_level"]),
        ([(0, packet(0, b"x"))], ["mqtt.unassigned_msg_type"]),
        ([(0, packet(1, b"\0\4MQ"))], ["mqtt.malformed_traffic"]),
        ([(0, b"\x10\xff\xff\xff\xff")], ["mqtt.malformed_traffic"]),
        ([*INTRODUCED, (0, packet(8, b"\0\1\0\x09ab", 2))], ["mqtt.malformed_traffic"]),
        ([*INTRODUCED], []),
    ],
)
def test_events(conversation, events):
    assert [event.event for event in odd(conversation)] == events


def test_malformed_is_final():
    parser = MqttParser()
    parser.feed(0, b"\x10\xff\xff\xff\xff" + connect(), 0)
    assert parser.done
    assert parser.feed(0, connect(), 0) == parser.feed(1, connack(), 0) == parser.finish(0) == []


def test_an_identifier_that_is_taken_waits_until_the_end():
    _, done, _ = run([*INTRODUCED, (0, publish(b"one", qos=1) + publish(b"two", qos=1)), (1, answer(4))])
    assert [s.tx.buffer("mqtt.publish.topic") for s in done[1:]] == [[b"one"], [b"two"]]
    assert [s.stage for s in done[1:]] == [STAGE_DONE, STAGE_OPEN]  # no answer, no rule


def test_messages_that_the_broker_publishes_have_their_topic_alone():
    """As in Suricata: who publishes a message has sent it, whoever gets it from the broker has it, too."""
    _, done, _ = run([*INTRODUCED, (1, publish(b"a/x", b"text"))])
    assert done[1].tx.buffer("mqtt.publish.topic") == [b"a/x"]
    assert done[1].tx.buffer("mqtt.publish.message") == ()


def test_long_publish_keeps_its_head():
    data = bytes(range(256)) * 5000
    _, done, frames = run([*INTRODUCED, (0, publish(b"t", data) + packet(12))])
    (message,) = done[1].tx.buffer("mqtt.publish.message")
    assert message == data[: limits.KEPT - 3]
    assert len(frames[2].tx.buffer("frame.mqtt.pdu")[0]) == limits.KEPT + 4
    assert list(done[2].tx.eve()) == ["pingreq"]


@pytest.mark.parametrize(("size", "topics"), [(limits.KEPT, [[b"t"]]), (limits.KEPT - 9, [])])
def test_a_long_publish_that_breaks_off_is_judged_at_the_end(size, topics):
    """Its end may lie behind the depth of the stream."""
    whole = publish(b"t", b"m" * size)
    _, done, _ = run([*INTRODUCED, (0, whole[: size // 2]), (0, whole[size // 2 : -5])])
    assert [stage.tx.buffer("mqtt.publish.topic") for stage in done[1:]] == topics


def test_other_long_messages_are_passed_over():
    parser, done, _ = run([*INTRODUCED, (0, subscribe([(b"x" * 60000, 0)] * 20)), (0, packet(12))])
    assert done[1].tx.eve() == {
        "subscribe": {"qos": 1, "retain": False, "dup": False, "truncated": True, "skipped_length": 1200066}
    }
    assert done[1].tx.buffer("mqtt.subscribe.topic") == []
    assert parser.anomalies() == []


def test_exchanges_without_answer_are_bounded():
    many = b"".join(publish(qos=1, number=n) for n in range(1, limits.MAX_PENDING + 3))
    parser = MqttParser()
    stages = [s for side, data in [*INTRODUCED, (0, many)] for s in parser.feed(side, data, 0)]
    assert [s.tx.id for s in stages if s.stage == STAGE_DONE] == [0, 1, 2]
    assert parser.anomalies() == [(AppAnomaly.MQTT_TOO_MANY_TRANSACTIONS, 0)] * 2


def test_bytes_without_answer_are_bounded():
    parser = MqttParser()
    for side, data in INTRODUCED:
        parser.feed(side, data, 0)
    for n in range(1, 100):
        parser.feed(0, publish(b"t", b"x" * 60000, 1, n), 0)
    assert parser._bytes < limits.MAX_PENDING_BYTES + 2 * 60020


def test_endless_exchange_is_bounded():
    parser, done, _ = run([*INTRODUCED, (0, publish(qos=2)), (1, answer(5) * 200)])
    assert len(done[-1].tx.messages) == limits.MAX_MESSAGES
    assert parser.anomalies()[0] == (AppAnomaly.MQTT_MISSING_PUBLISH, 1)


def test_topics_are_bounded():
    _, done, _ = run([*INTRODUCED, (0, subscribe([(b"", 0)] * 5000))])
    assert len(done[1].tx.messages[0].topics) == limits.MAX_ITEMS


def test_unsubscribe_of_version_3_has_no_properties():
    _, done, _ = run([*INTRODUCED, (0, unsubscribe((b"q",)))])
    assert done[1].tx.buffer("mqtt.unsubscribe.topic") == [b"q"]


def test_unknown_property_ends_the_list():
    _, done, _ = run([(0, connect(5, props=b"\x7fabc"))])
    assert done[0].tx.buffer("mqtt.connect.username") == [b"joe"]
    assert "properties" not in done[0].tx.eve()["connect"]


def test_gap():
    parser = MqttParser()
    parser.feed(0, connect(), 0)
    assert [s.stage for s in parser.gap(1, 4, 0)] == [STAGE_OPEN]
    assert parser.done
    assert parser.anomalies() == [(AppAnomaly.PROTOCOL_GAP, 1)]


def test_old_name():
    _, done, _ = run([(0, connect(3, b"MQIsdp"))])
    assert done[0].tx.eve()["connect"]["protocol_string"] == "MQIsdp"


def test_body_strings_stay_inside():
    """A length that leaves the message is malformed, also where further messages follow."""
    assert odd([(0, packet(3, string(b"t")[:1] + b"\xffab") + connect())]) == [AppAnomaly.MQTT_MALFORMED_TRAFFIC]
