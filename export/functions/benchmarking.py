# SPDX-License-Identifier: Apache-2.0
"""Judge a bundle on published data sets from within a program; needs no torch."""

import os
from typing import Any

from export.benchmark.options import BenchmarkOptions
from export.benchmark.result import BenchmarkResult
from export.cli.benchmark import benchmark_and_write
from export.cli.keyword_options import keyword_options, path_word
from export.reporter import SILENT, Reporter


def benchmark_monitor(
    bundle: str | os.PathLike[str],
    /,
    root: str | os.PathLike[str],
    ind: str,
    *,
    out: str | os.PathLike[str],
    reporter: Reporter = SILENT,
    **options: Any,
) -> BenchmarkResult:
    """Judge a bundle on whichever published data sets are there: what ``python -m export benchmark`` does.

    Args:
        bundle: that an export or a recalibration wrote.
        root: folder with a sub-folder for each data set.
        ind: data set whose unseen frames are in distribution, with its split where that is not the usual one.
        out: folder for the tables, the figures as JSON and the chart.
        reporter: told each stage as it begins, and how far the loops over frames have come.
        options: further options, named and valued as the flags, with underscores: ``datasets=["camvid"]``, ``most=200``.

    Returns:
        The figures; ``asdict()`` gives the figures as that JSON has them.

    Raises:
        ExportError: one of its classes for each cause; nothing is written then.
        BundleError: the bundle is damaged.
    """
    given = {"root": path_word(root), "ind": ind, "out": path_word(out)}
    chosen = keyword_options(BenchmarkOptions, given, options, "the keyword arguments", [path_word(bundle)])
    return benchmark_and_write(chosen, reporter)
