"""Settings: names, values, overrides."""

import pickle
from pathlib import Path

import pytest

from sensor.config.document import document
from sensor.config.load import as_text, dump, load, need_restart
from sensor.config.make import by_section, hint, make
from sensor.config.readers import (
    FOREIGN_EVE_TYPES,
    boolean,
    count,
    eve_types,
    interval,
    ports,
    seconds,
    size,
    within,
    words,
)
from sensor.config.settings import EVE_TYPES, POLICIES, Settings
from sensor.config.table import SETTINGS
from sensor.errors import ConfigError, UsageError
from sensor.flow import defrag, table
from sensor.proto.registry import PROTOCOLS


def test_checksums_keep_nothing_out_by_default():
    assert Settings().flow.checksum_validation is False


def test_settings_can_be_handed_to_another_process():
    made = make({"vars.address-groups.HOME_NET": "10.0.0.0/8", "stream.midstream": "no"}).settings
    assert pickle.loads(pickle.dumps(made)) == made  # noqa: S301 - made two lines above


@pytest.mark.parametrize(
    ("text", "want"),
    [("1mb", 1 << 20), ("64 KiB", 64 << 10), ("8kb", 8192), (12, 12), ("2g", 2 << 30), ("0.5k", 512), ("100b", 100)],
)
def test_size(text, want):
    assert size(text) == want


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (size, "much"), (size, "-1"), (size, ""), (size, "1e999"), (size, "kb"), (size, "nan"), (seconds, "soon"),
        (seconds, "inf"), (seconds, []), (count, "1.5"), (count, "-1"), (count, ""), (ports, "80,http"),
        (boolean, "maybe"), (eve_types, "alert,nonsense"), (within(count, 1, 2), "3"),
    ],
)  # fmt: skip
def test_values_that_are_not_valid(read, text):
    with pytest.raises(ValueError, match=r"expected|must be"):
        read(text)


@pytest.mark.parametrize(
    ("text", "want"), [("minute", 60), ("Hour", 3600), ("day", 86_400), ("90s", 90), ("15m", 900), ("2h", 7200), (0, 0)]
)
def test_interval(text, want):
    assert interval(text) == want


@pytest.mark.parametrize("text", ["week", "", "1.5h", "-1s", "h", "\u0661s"])
def test_what_is_no_interval(text):
    with pytest.raises(ValueError, match="expected minute"):
        interval(text)


def test_boolean():
    assert all(boolean(word) for word in ("yes", "TRUE", " on ", "1", True, "enabled"))
    assert not any(boolean(word) for word in ("no", "False", "off", "0", False, "disabled"))


def test_words():
    assert words("[a, b]") == words(["a", "b"]) == words("a,b,") == ("a", "b")


def test_types_that_only_suricata_has_are_left_out():
    assert eve_types("alert,netflow,flow,alert") == ("alert", "flow")


def test_suricata_names():
    made = make({
        "stream.midstream": "false", "stream.reassembly.depth": "8kb", "vlan.use-for-tracking": "false",
        "vars.address-groups.HOME_NET": "[10.0.0.0/8]", "vars.port-groups.HTTP_PORTS": "80",
        "host-os-policy.old-linux.0": "2.2.2.2", "flow-timeouts.tcp.new": "5", "flow-timeouts.udp.new": "6",
        "defrag.timeout": "30", "dedup.window": "0.002", "decoder.vxlan.ports": "[4789, 8472]",
    })  # fmt: skip
    s = made.settings
    assert (s.flow.midstream, s.flow.depth, s.flow.vlan_tracking) == (False, 8192, False)
    assert (s.flow.timeouts.tcp_new, s.flow.timeouts.udp_new, s.flow.timeouts.tcp_closed) == (5, 6, 60)
    assert (s.defrag.timeout_ns, s.dedup.window_ns) == (30 * 10**9, 2 * 10**6)
    assert s.decode.vxlan_ports == (4789, 8472)
    assert s.address_groups == {"HOME_NET": "[10.0.0.0/8]"}
    assert s.port_groups == {"HTTP_PORTS": "80"}
    assert s.os_policies == (("2.2.2.2", "old-linux"),)
    assert made.ignored == []


def test_policies_are_those_of_both_reassemblies():
    assert set(POLICIES) == set(table.POLICIES) == set(defrag.POLICIES)


@pytest.mark.parametrize("everywhere", ["[0.0.0.0/0]", "default"])
def test_default_policy(everywhere):
    made = make({"host-os-policy.windows": everywhere, "host-os-policy.linux": "[10.0.0.0/8, 10.1.2.3]"}).settings
    assert made.default_policy == "windows"
    assert made.os_policies == (("10.0.0.0/8", "linux"), ("10.1.2.3", "linux"))


def test_foreign_settings_are_named():
    assert make({"app-layer.protocols.dnp3.enabled": "yes"}).ignored == ["app-layer.protocols.dnp3.enabled"]


def test_foreign_settings_by_section():
    assert list(by_section(["a.b", "a.c.d", "e"])) == ["a.* (2)", "e"]


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("streem.midstream", "yes", "unknown setting 'streem.midstream'"),
        ("stream.midstream", "perhaps", r"stream\.midstream: 'perhaps' is not valid: expected yes or no"),
        ("outputs.eve-log.types", "alert,nonsense", "one or more of alert, anomaly"),
        ("flow.max-flows", "0", r"flow\.max-flows: '0' is not valid: .*must be 1-"),
        ("flow-timeouts.tcp.new", "0", "must be 1-604"),
        ("stream.inspect-window", "2mb", r"inspect-window: '2mb' is not valid: must be 0-"),
        ("decoder.vxlan.ports", "[1,2,3,4,5]", "at most"),
        ("outputs.eve-log.rotate-interval", "2s", r"rotate-interval must be 60-"),
        ("outputs.eve-log.rotate-size", "1kb", r"rotate-size must be 4096-"),
        ("host-os-policy.beos", "1.2.3.4", "unknown policy"),
        ("host-os-policy.linux", "1.2.3.400", r"host-os-policy\.linux: "),
        ("vars", "x", "^$"),
    ],
)
def test_errors(name, value, text):
    if text == "^$":
        assert make({name: value}).ignored == ["vars"]
        return
    with pytest.raises(ConfigError, match=text):
        make({name: value})


def test_hint():
    with pytest.raises(ConfigError, match=r"did you mean 'stream.midstream'"):
        make({"streem.midstream": "yes"})
    assert hint("nothing.like.it") == ""


CONFIG = """%YAML 1.1
---
vars:
  address-groups:
    HOME_NET: '[10.0.0.0/8]'
    LIST: [10.0.0.1, 10.0.0.2]
  port-groups: {HTTP_PORTS: 80}
stream: {midstream: no, memcap: 64mb, reassembly: {depth: 2mb}}
af-packet:
  - interface: eth0
    cluster-id: 99
  - interface: eth1
  - interface: default
outputs:
  - fast: {enabled: yes}
  - eve-log:
      enabled: yes
      types:
        - alert: {payload: no, payload-buffer-size: 1kb, tagged-packets: yes}
        - http: {extended: yes}
        - tls: {enabled: no}
        - netflow
        - flow
rule-files: [a.yaml, b.yaml]
host-os-policy:
  windows: [0.0.0.0/0]
  linux: [10.0.0.0/8]
pid-file:
"""


def test_file_as_suricata_writes_it(tmp_path):
    file = tmp_path / "sensor.yaml"
    file.write_text(CONFIG)
    made = load(str(file), ["stream.reassembly.depth = 0", "flood.burst=5"])
    s = made.settings
    assert (s.flow.midstream, s.flow.depth, s.run.flood_burst) == (False, 0, 5)
    assert s.eve.types == ("alert", "http", "flow")
    assert (s.eve.payload, s.eve.payload_size) == (False, 1024)
    assert s.run.fast
    assert s.run.rule_files == ("a.yaml", "b.yaml")
    assert s.address_groups == {"HOME_NET": "[10.0.0.0/8]", "LIST": "10.0.0.1, 10.0.0.2"}
    assert s.port_groups == {"HTTP_PORTS": "80"}
    assert (s.default_policy, s.os_policies) == ("windows", (("10.0.0.0/8", "linux"),))
    assert s.run.interfaces == ("eth0", "eth1")
    assert made.ignored == ["stream.memcap", "af-packet.cluster-id", "outputs.eve-log.enabled"]


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("vars: {a: 1}\nvars: {a: 2}\n", r"sensor\.yaml:2:1: "),
        ("stream:\n  midstream: perhaps\n", r"sensor\.yaml:2:14: stream\.midstream"),
        ("stream:\n  reassembly:\n    depth: [1]\n", r"sensor\.yaml:3:12: stream\.reassembly\.depth"),
        ("a: 1\n", r"sensor\.yaml:1:4: unknown setting 'a'"),
        ("- a\n", r"sensor\.yaml: a configuration is a mapping"),
        ("{", r"sensor\.yaml:\d+:\d+: not YAML"),
    ],
)
def test_bad_file_names_the_place(tmp_path, text, where):
    file = tmp_path / "sensor.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=where):
        load(str(file))


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(ConfigError, match="No such file"):
        load(str(tmp_path / "none.yaml"))
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load(str(tmp_path / "bytes.yaml"))


def test_empty_file_changes_nothing(tmp_path):
    (tmp_path / "empty.yaml").write_text("# nothing\n")
    assert load(str(tmp_path / "empty.yaml")).settings == Settings()


@pytest.mark.parametrize("text", ["nonsense", "=yes", "streem.midstream=yes", "stream.midstream=perhaps"])
def test_bad_overrides_are_the_command_line_s_fault(text):
    with pytest.raises(UsageError, match="--set"):
        load(None, [text])


def _read_back(text):
    values = dict(line.split(" = ", 1) for line in text.splitlines())
    return make({k: v for k, v in values.items() if v}).settings


def test_dump_reads_back():
    text = dump(Settings())
    assert len(text.splitlines()) == len(SETTINGS)
    assert _read_back(text) == Settings()


def test_dump_of_changes_reads_back(tmp_path):
    (tmp_path / "sensor.yaml").write_text(CONFIG)
    changed = load(str(tmp_path / "sensor.yaml"), ["dedup.window=0.0025", "decoder.geneve.ports=1,2"]).settings
    assert _read_back(dump(changed)) == changed


def test_what_a_reload_of_rules_cannot_change_is_named():
    old = Settings()
    new = make({"rule-files": "a.yaml", "vars.address-groups.X": "10.0.0.1", "flow.max-flows": 7}).settings
    assert need_restart(old, new) == ["flow.max-flows"]
    assert need_restart(old, old) == []
    assert as_text(new)["flow.max-flows"] == "7"


def test_suricata_s_words_for_syslog_and_sockets():
    made = make({"outputs.syslog.level": "Critical", "outputs.syslog.facility": "Local3",
                 "unix-command.filename": "custom.socket"}).settings  # fmt: skip
    assert (made.syslog.level, made.syslog.facility) == ("crit", "local3")
    assert made.run.control_socket == "/run/xensor/custom.socket"
    assert make({"unix-command.filename": "/tmp/x"}).settings.run.control_socket == "/tmp/x"  # noqa: S108 - text


def test_suricata_s_auto_is_yes():
    assert make({"unix-command.enabled": "auto"}).settings.run.control
    assert not make({"unix-command.enabled": "no"}).settings.run.control


def test_every_setting_says_what_it_is_and_names_are_unique():
    assert all(s.help for s in SETTINGS)
    assert len({s.name for s in SETTINGS}) == len(SETTINGS)
    assert len({s.target for s in SETTINGS}) == len(SETTINGS)


def test_every_protocol_has_an_event_type():
    assert {spec.eve_key or spec.name for spec in PROTOCOLS} <= set(EVE_TYPES)
    assert FOREIGN_EVE_TYPES.isdisjoint(EVE_TYPES)


def test_every_event_type_can_be_asked_for():
    assert make({"outputs.eve-log.types": ",".join(EVE_TYPES)}).settings.eve.types == EVE_TYPES


@pytest.mark.parametrize(("value", "without"), [("no", ("ja4",)), ("yes", ()), ("auto", ())])
def test_features_of_rules(value, without):
    made = make({"app-layer.protocols.tls.ja4-fingerprints": value})
    assert made.settings.run.without == without


def test_sets_of_values_are_described_as_in_suricata():
    values = {"datasets.seen.type": "string", "datasets.seen.state": "seen.lst", "datasets.directory": "/var/lib/x",
              "datasets.defaults.memcap": "1mb"}  # fmt: skip
    made = make(values)
    assert made.settings.datasets == {"seen": {"type": "string", "state": "seen.lst"}}
    assert made.settings.run.dataset_folder == "/var/lib/x"
    assert made.ignored == ["datasets.defaults.memcap"]
    assert "datasets.seen.state = seen.lst" in dump(made.settings)


def test_the_page_of_settings_is_current():
    page = Path(__file__).resolve().parents[3] / "docs/settings.md"
    assert page.read_text() == document(), "run: python -m sensor.config.document > docs/settings.md"
