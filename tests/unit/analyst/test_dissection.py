"""Packets of pyshark's as records of ours; nothing here needs tshark."""

from types import SimpleNamespace

import pytest

from sensor.analyst.dissection import packet_of


class Layer:
    """As pyshark has one: fields of one name together, in the order of the first of each name."""

    def __init__(self, name, *fields):
        self.layer_name = name
        self._fields = {}
        for field in fields:
            self._fields.setdefault(field.name, []).append(field)

    @property
    def field_names(self):
        return list(self._fields)

    def get_field(self, name):
        return SimpleNamespace(all_fields=self._fields[name])


def field(name, show, showname=None, pos="0", size="1", hide=False, raw_value=None):
    value = showname.split(": ", 1)[1] if showname and ": " in showname else None
    return SimpleNamespace(
        name=name, show=show, showname=showname, showname_value=value, pos=pos, size=size, hide=hide,
        raw_value=raw_value,
    )  # fmt: skip


def made(*layers):
    return packet_of(SimpleNamespace(number="7", length="99", layers=list(layers)))


@pytest.mark.parametrize(
    ("names", "application"),
    [
        (["eth", "ip", "tcp", "http", "data-text-lines"], ["http", "data-text-lines"]),
        (["eth", "ip", "udp", "vxlan", "eth", "ip", "tcp", "tls", "tls"], ["tls", "tls"]),
        (["eth", "ip", "tcp"], ["tcp"]),
        (["eth", "arp"], ["arp"]),
        ([], []),
    ],
)
def test_the_layer_of_the_application(names, application):
    packet = made(*(Layer(name) for name in names))
    assert (packet.number, packet.length) == (7, "99")
    assert [layer.name for layer in packet.layers if layer.application] == application


def test_fields_come_in_the_order_of_their_bytes():
    packet = made(
        Layer(
            "dns",
            field("dns.id", "1", pos="0"), field("dns.name", "a", pos="2"), field("dns.name", "b", pos="6"),
            field("dns.type", "A", pos="4"), field("dns.type", "B", pos="8"),
            field("dns.time", "0.1", pos="0", size="0"), field("dns.hidden", "x", hide=True),
        )
    )  # fmt: skip
    assert [f.value for f in packet.layers[0].fields] == ["1", "a", "A", "0.1", "b", "B"]


def test_values_and_texts():
    packet = made(
        Layer(
            "http",
            field("http.host", "web", "Host: web\\r\\n", pos="1"), field("", "Timestamps", pos="2"),
            field("http.data", None, "Data (4 bytes)", pos="3", raw_value="00ff"),
            field("http.empty", None, "Nothing", pos="4"), field("", "\\r\\n", pos="5"),
            field("http.long", "x" * 100_000, pos="x"),
        )
    )  # fmt: skip
    found = {f.name: (f.value, f.text) for f in packet.layers[0].fields}
    assert len(found.pop("http.long")[1]) == 1 << 16
    assert found == {
        "http.host": ("web", "web"), "": ("Timestamps", "Timestamps"), "http.data": ("00ff", "00ff"),
        "http.empty": ("", "Nothing"),
    }  # fmt: skip


def test_summaries():
    ip = Layer("ip", field("ip.src", "10.0.0.1"), field("ip.dst", "10.0.0.2"), field("ip.ttl", "64"))
    odd = Layer("x", field("", "text"), field("_ws.expert", "!"), *(field(f"x.{i}", str(i)) for i in range(9)))
    summaries = [layer.summary for layer in made(ip, odd, Layer("y"), Layer("tcp")).layers]
    assert summaries == ["10.0.0.1 → 10.0.0.2, ttl: 64", "0: 0, 1: 1, 2: 2", "", ""]


def test_fields_are_bounded():
    assert len(made(Layer("x", *(field("x.y", "1") for _ in range(5000)))).layers[0].fields) == 2000
    assert len(made(Layer("x", *(field(f"x.{i}", "1") for i in range(600)))).layers[0].fields) == 500
