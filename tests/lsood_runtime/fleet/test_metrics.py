# SPDX-License-Identifier: Apache-2.0
"""Metrics of a recorder, as a scraper of OpenMetrics and a reader of OpenTelemetry see them."""

import sys
from typing import Any, cast

import numpy as np
import pytest

from lsood_runtime import MediaError, State, SummaryCounts, SummaryRecorder
from lsood_runtime._fleet.frame_facts import FrameFacts
from lsood_runtime._fleet.metrics import COUNT_METRICS
from lsood_runtime._fleet.summary_counts import P_VALUE_EDGES
from tests.lsood_runtime.fleet.drawn_summaries import START_NS
from tests.lsood_runtime.fleet.test_recorder import DAY_NS, DigestMonitor, fed


@pytest.fixture
def recorder() -> SummaryRecorder:
    recorder = SummaryRecorder(DigestMonitor(), vehicle="car-17")
    for offset in range(3):
        fed(recorder, [0, 0.5, 2, 0.25, 3], START_NS + offset * DAY_NS)
    recorder.add_dropped(4, camera="rear")
    return recorder


NOT_TOLD = {
    "causes",
    "unknown_objects",
    "object_frames",
    "objects_known_frames",
    "objects_unknown_frames",
    "expected_quality",
    "unknown_quality_frames",
    "quality_alarms",
}
"""Metrics that have no sample where the bundle tells no answers beside the score."""

LABELS = {"vehicle": "car-17", "bundle": "d" * 64}


def test_scraper_reads_the_counts(recorder: SummaryRecorder) -> None:
    registry_module = pytest.importorskip("prometheus_client")
    from prometheus_client.openmetrics.exposition import generate_latest
    from prometheus_client.openmetrics.parser import text_string_to_metric_families

    read_families, write_families = cast(Any, text_string_to_metric_families), cast(Any, generate_latest)

    registry = registry_module.CollectorRegistry()
    registry.register(recorder.prometheus_collector())
    text = write_families(registry).decode()
    families = {family.name: family for family in read_families(text)}
    assert set(families) == {f"lsood_{metric.name}" for metric in COUNT_METRICS}
    without = {f"lsood_{name}" for name in NOT_TOLD}
    assert {name for name, family in families.items() if not family.samples} == without
    front = {**LABELS, "camera": "front"}

    def value(name: str, **labels: str) -> float | None:
        sampled: float | None = registry.get_sample_value(name, {**front, **labels})
        return sampled

    assert value("lsood_frames_total", state="out_of_distribution") == 6
    assert value("lsood_frames_total", state="ok") == 9
    assert value("lsood_alarms_total") == 6
    assert value("lsood_dropped_frames_total", camera="rear") == 4
    assert value("lsood_p_value_bucket", le="+Inf") == value("lsood_p_value_bucket", le="1.0") == 15
    buckets = [value("lsood_p_value_bucket", le=str(edge)) for edge in P_VALUE_EDGES]
    assert buckets == np.cumsum(recorder.totals()["front"].p_values).tolist()


def test_reader_of_opentelemetry_observes_the_same_counts(recorder: SummaryRecorder) -> None:
    pytest.importorskip("opentelemetry.sdk")
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader

    reader = InMemoryMetricReader()
    provider = MeterProvider(metric_readers=[reader])
    recorder.observe(provider.get_meter("lsood"))

    def observed() -> dict[tuple[str, frozenset[tuple[str, Any]]], float]:
        data: Any = reader.get_metrics_data()
        (resource,) = data.resource_metrics
        return {
            (metric.name, frozenset(point.attributes.items() - LABELS.items())): point.value
            for scope in resource.scope_metrics
            for metric in scope.metrics
            for point in metric.data.data_points
        }

    first = observed()
    front = ("camera", "front")
    assert first["lsood.frames", frozenset({front, ("state", "out_of_distribution")})] == 6
    assert first["lsood.p_value", frozenset({front, ("le", "1.0")})] == 15
    assert first["lsood.dropped_frames", frozenset({("camera", "rear")})] == 4
    assert not {f"lsood.{name}" for name in NOT_TOLD} & {name for name, _ in first}
    assert ("lsood.alarms", frozenset({("camera", "rear")})) not in first, "no stream followed it"
    recorder.add_dropped(1, camera="rear")
    assert observed()["lsood.dropped_frames", frozenset({("camera", "rear")})] == 5
    provider.shutdown()
    with pytest.raises(TypeError, match="expected a meter of OpenTelemetry, got 3"):
        recorder.observe(3)  # type: ignore[arg-type]


def test_metrics_of_answers_have_a_sample_as_soon_as_a_frame_tells_them() -> None:
    counts = {"front": SummaryCounts(), "rear": SummaryCounts()}
    told = FrameFacts(
        "front", START_NS, 1.5, State.OK, p_value=0.5, quality=0.7, cause="none", objects=0, followed=True
    )
    counts["front"].add(told)
    counts["rear"].add(FrameFacts("rear", START_NS, 1.5, State.OK, p_value=0.5))
    samples = {metric.name: dict(metric.of(counts)) for metric in COUNT_METRICS}
    for name in NOT_TOLD:
        assert {labels[0] for labels in samples[name]} == {"front"}, name
    assert samples["objects_known_frames"] == {("front",): 1}
    assert samples["unknown_objects"] == samples["objects_unknown_frames"] == {("front",): 0}


@pytest.mark.parametrize("package", ["prometheus_client", "opentelemetry"])
def test_missing_package_is_told_with_its_extra(
    recorder: SummaryRecorder, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == package]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, package, None)
    meter: Any = None
    with pytest.raises(MediaError, match="with its extra fleet"):
        recorder.prometheus_collector() if package == "prometheus_client" else recorder.observe(meter)
