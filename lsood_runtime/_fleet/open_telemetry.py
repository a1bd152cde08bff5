# SPDX-License-Identifier: Apache-2.0
"""Hand the counts of a vehicle to OpenTelemetry, whose exporters send them on as OTLP."""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from lsood_runtime._arguments import check_type
from lsood_runtime._exceptions import missing_extra
from lsood_runtime._fleet.metrics import COUNT_METRICS, CountMetric, Totals

if TYPE_CHECKING:
    from opentelemetry.metrics import CallbackOptions, Meter, Observation


def observe(meter: "Meter", totals: Callable[[], Totals], labels: Mapping[str, str]) -> None:
    """Create an observable counter ``lsood.NAME`` for each metric; bins of a histogram have the attribute ``le``.

    Args:
        meter: of a provider that the stack has set up.
        totals: gives the counts by camera.
        labels: attributes of every observation.

    Raises:
        MissingPackageError: opentelemetry-sdk is missing.
        TypeError: no meter.
    """
    try:
        from opentelemetry.metrics import Meter, Observation
    except ImportError as error:
        raise missing_extra("metrics for OpenTelemetry", "fleet") from error
    check_type(meter, Meter, "a meter of OpenTelemetry", 'pass meter_provider.get_meter("lsood")')

    def observed(metric: CountMetric) -> Callable[["CallbackOptions"], Iterable["Observation"]]:
        names = ("camera", metric.label)

        def observe_now(_: "CallbackOptions") -> Iterable["Observation"]:
            for values, count in metric.of(totals()):
                yield Observation(count, {**labels, **dict(zip(names, values, strict=False))})

        return observe_now

    for metric in COUNT_METRICS:
        meter.create_observable_counter(
            f"lsood.{metric.name}", callbacks=[observed(metric)], unit="1", description=metric.text
        )
