"""What rules may test of MQTT. An exchange is judged when it is complete, what begins one and a frame when it is."""

from __future__ import annotations

from types import MappingProxyType

from sensor.model.anomaly import AppAnomaly
from sensor.model.app import RAW_VERBATIM, TO_SERVER, BufferSpec, NumberSpec, ProtocolSpec, StageSpec
from sensor.proto.mqtt.parse import KINDS
from sensor.proto.mqtt.state import STAGE_BEGUN, STAGE_DONE, STAGE_MESSAGE, STAGE_OPEN, MqttParser

_TEXTS = (
    ("mqtt.connect.clientid", "client identifier"),
    ("mqtt.connect.username", "user name"),
    ("mqtt.connect.password", "password"),
    ("mqtt.connect.willtopic", "topic of the will"),
    ("mqtt.connect.willmessage", "message of the will"),
    ("mqtt.connect.protocol_string", "`MQTT` or `MQIsdp`"),
    ("mqtt.publish.topic", "topic"),
    ("mqtt.publish.message", "message, its first MB"),
    ("mqtt.subscribe.topic", "each topic filter"),
    ("mqtt.unsubscribe.topic", "each topic filter"),
)
_FRAMES = (
    ("frame.mqtt.pdu", "each message"),
    ("frame.mqtt.header", "its fixed header"),
    ("frame.mqtt.data", "what follows the header"),
)

# Either side may publish: both stages are named after the client's side, so that no buffer gives a rule a direction.
SPEC = ProtocolSpec(
    name="mqtt",
    transports=(6,),
    ports=(1883,),
    stages=tuple(StageSpec(name, TO_SERVER) for name in ("message", "begun", "done", "open")),
    buffers=(
        *(
            BufferSpec(
                name,
                STAGE_DONE if name.endswith("subscribe.topic") else STAGE_BEGUN,
                RAW_VERBATIM,
                multi=name.endswith("subscribe.topic"),
                help=text,
            )
            for name, text in _TEXTS
        ),
        *(BufferSpec(name, STAGE_MESSAGE, RAW_VERBATIM, help=text) for name, text in _FRAMES),
    ),
    numbers=(
        NumberSpec(
            "mqtt.type",
            STAGE_DONE,
            "type of each message",
            15,
            MappingProxyType({name: value for value, name in enumerate(KINDS)}),
        ),
        NumberSpec("mqtt.flags", STAGE_DONE, "flags of each message: retain 1, dup 2", 3),
        NumberSpec("mqtt.qos", STAGE_DONE, "quality of service of each message", 3),
        NumberSpec(
            "mqtt.reason_code",
            STAGE_DONE,
            "each reason code, return code or QoS granted",
            aliases=("mqtt.connack.return_code",),
        ),
        NumberSpec(
            "mqtt.connack.session_present",
            STAGE_DONE,
            "the broker has kept a session",
            1,
            MappingProxyType({"yes": 1, "true": 1, "no": 0, "false": 0}),
        ),
        NumberSpec(
            "mqtt.connect.flags",
            STAGE_DONE,
            "flags of CONNECT: username 1, password 2, will 4, will_retain 8, clean_session 16",
            31,
        ),
        NumberSpec("mqtt.protocol_version", STAGE_DONE, "3 (MQTT 3.1), 4 (3.1.1), 5"),
    ),
    new_parser=MqttParser,
    events=tuple(one for one in AppAnomaly if one.name.startswith("MQTT_")),
    log_stages=(STAGE_DONE, STAGE_OPEN),
)
