# SPDX-License-Identifier: Apache-2.0
"""Write a benchmark: a page, its figures and a chart."""

import json
from importlib.util import find_spec
from pathlib import Path

from export.atomic_write import atomic_folder
from export.benchmark.markdown import markdown
from export.benchmark.result import BenchmarkResult
from export.destination import check_own_folder
from export.errors import UsageError

_MARK = "benchmark.json"
_REMEDY = "choose another --out"


def check_benchmark_folder(folder: Path) -> None:
    """Refuse a folder that could not be written to in the end, before the frames are scored.

    Raises:
        UsageError: it cannot take its place, it holds something other than a benchmark, or matplotlib is missing.
    """
    if find_spec("matplotlib") is None:
        raise UsageError(
            "expected matplotlib for the chart, found none: install lsood-export with its extra guide, which brings it"
        )
    check_own_folder(folder, _MARK, "a benchmark", _REMEDY)


def write_benchmark(result: BenchmarkResult, folder: Path) -> None:
    """Write the page, its figures as JSON and the chart atomically; a benchmark that is there is replaced.

    Raises:
        UsageError: as for :func:`check_benchmark_folder`.
    """
    check_benchmark_folder(folder)
    from export.benchmark.chart import benchmark_chart  # here, since the figures need no matplotlib

    chart = benchmark_chart(result)
    with atomic_folder(folder) as temporary:
        (temporary / _MARK).write_text(json.dumps(result.asdict(), indent=1, allow_nan=False) + "\n")
        (temporary / "benchmark.md").write_text(f"{markdown(result)}\n![AUROC of each set](benchmark.svg)\n")
        (temporary / "benchmark.svg").write_text(f'<?xml version="1.0" encoding="utf-8"?>\n{chart}')
