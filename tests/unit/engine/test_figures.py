"""The snapshot that metrics export: every name of the table has a value, and no other name has."""

from types import SimpleNamespace

import enginekit

from sensor.alert.eve import EveBuilder
from sensor.alert.flood import SECOND, FloodControl, FloodLimits
from sensor.capture.ring import RingCounters
from sensor.cli.outlets import outlets
from sensor.config.make import make
from sensor.engine.live.figures import Figures, worker_figures
from sensor.engine.options import EngineOptions
from sensor.engine.pipeline import Pipeline
from sensor.engine.records.sinks import Sinks
from sensor.engine.records.writer import Writer
from sensor.metrics.names import BY_NAME


def test_every_metric_has_a_value(tmp_path):
    settings = make({
        "default-log-dir": str(tmp_path), "outputs.fast.enabled": "yes", "outputs.syslog.enabled": "yes",
        "outputs.syslog.server": f"unix://{tmp_path}/none", "outputs.unix-socket.enabled": "yes",
        "outputs.pcap-log.enabled": "yes", "outputs.file-store.enabled": "yes",
    }).settings  # fmt: skip
    opened = outlets(settings, lambda _text: None)
    writer = Writer(EveBuilder(), FloodControl(FloodLimits(1000, 60 * SECOND)), Sinks(opened.sinks))
    pipeline = Pipeline(enginekit.empty_rules(), EngineOptions(settings), writer)
    ring = SimpleNamespace(name="eth1", counters=RingCounters(), attached=True)
    figures = Figures("1", 7)
    figures.outlets = opened
    writer.events["alert"] += 1
    try:
        measured = worker_figures(pipeline, SimpleNamespace(rings=[ring], totals=RingCounters))
        found = figures.snapshot(pipeline.plan, writer, pipeline.thresholds, measured)
    finally:
        writer.finish()
    assert set(found) <= set(BY_NAME)
    written = ("output", "evidence", "spool", "file_store")
    assert {name for name in BY_NAME if any(word in name for word in written)} <= set(found)
    assert set(found["xensor_output_lost_total"]) == {("eve.json",), ("fast.log",), ("syslog",), ("unix-socket",)}
    assert found["xensor_spool_limit_bytes"] == {("syslog",): 64 << 20, ("unix-socket",): 64 << 20}
    for name, values in found.items():
        assert all(len(labels) == len(BY_NAME[name].labels) for labels in values), name
