# SPDX-License-Identifier: Apache-2.0
"""Hand the counts of a vehicle to prometheus-client, which serves them as OpenMetrics."""

from collections.abc import Callable, Iterator, Mapping
from itertools import groupby
from typing import TYPE_CHECKING

from lsood_runtime._exceptions import missing_extra
from lsood_runtime._fleet.metrics import COUNT_METRICS, CountMetric, Totals

if TYPE_CHECKING:
    from prometheus_client.metrics_core import CounterMetricFamily, HistogramMetricFamily, Metric
    from prometheus_client.registry import Collector


def prometheus_collector(totals: Callable[[], Totals], labels: Mapping[str, str]) -> "Collector":
    """A collector that asks for the counts whenever they are scraped.

    Args:
        totals: gives the counts by camera.
        labels: of every sample.

    Raises:
        MissingPackageError: prometheus-client is missing.
    """
    try:
        from prometheus_client.metrics_core import CounterMetricFamily, HistogramMetricFamily
        from prometheus_client.registry import Collector
    except ImportError as error:
        raise missing_extra("metrics for Prometheus", "fleet") from error

    def counter(metric: CountMetric, counts: Totals) -> "CounterMetricFamily":
        names = [*labels, "camera", *([metric.label] if metric.label else [])]
        family = CounterMetricFamily(f"lsood_{metric.name}", metric.text, labels=names)
        for values, count in metric.of(counts):
            family.add_metric([*labels.values(), *values], count)
        return family

    def histogram(metric: CountMetric, counts: Totals) -> "HistogramMetricFamily":
        family = HistogramMetricFamily(f"lsood_{metric.name}", metric.text, labels=[*labels, "camera"])
        for camera, samples in groupby(metric.of(counts), key=lambda sample: sample[0][0]):
            buckets = [(edge, count) for (_, edge), count in samples]
            family.add_metric([*labels.values(), camera], [*buckets, ("+Inf", buckets[-1][1])], None)
        return family

    class SummaryCollector(Collector):
        def collect(self) -> Iterator["Metric"]:
            counts = totals()
            for metric in COUNT_METRICS:
                yield histogram(metric, counts) if metric.edges else counter(metric, counts)

    return SummaryCollector()
