"""From a snapshot to Prometheus families."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from sensor.metrics.names import COUNTER, METRICS, Metric, Snapshot


class SnapshotCollector(Collector):
    """Yields the families of the latest snapshot; called by the listener's thread, which only ever reads."""

    def __init__(self, latest: Callable[[], Snapshot]) -> None:
        self._latest = latest

    def describe(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
        """Yield the families without values, so that registering needs no snapshot."""
        for metric in METRICS:
            yield _family(metric)

    def collect(self) -> Iterator[CounterMetricFamily | GaugeMetricFamily]:
        """Yield the families."""
        snapshot = self._latest()
        for metric in METRICS:
            family = _family(metric)
            for labels, value in snapshot.get(metric.name, {}).items():
                family.add_metric(labels, value)
            yield family


def _family(metric: Metric) -> CounterMetricFamily | GaugeMetricFamily:
    kind = CounterMetricFamily if metric.kind == COUNTER else GaugeMetricFamily
    return kind(metric.name, metric.help, labels=metric.labels)


def registry(latest: Callable[[], Snapshot]) -> CollectorRegistry:
    """Return a registry of its own (nothing global) with the sensor's metrics and those of its process."""
    made = CollectorRegistry()
    made.register(SnapshotCollector(latest))
    ProcessCollector(registry=made)
    return made
