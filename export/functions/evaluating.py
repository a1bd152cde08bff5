# SPDX-License-Identifier: Apache-2.0
"""Evaluate a bundle from within a program; needs no torch."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from export.cli.evaluate import evaluate_and_write
from export.cli.keyword_options import Paths, keyword_options, path_word, path_words
from export.evaluation.options import EvaluationOptions
from export.evaluation.result import Evaluation
from export.reporter import SILENT, Reporter


def evaluate_monitor(
    bundle: str | os.PathLike[str],
    /,
    ind: Paths,
    *,
    ood: Mapping[str, Paths] | None = None,
    report: str | os.PathLike[str] | None = None,
    update_card: bool = False,
    reporter: Reporter = SILENT,
    **options: Any,
) -> Evaluation:
    """Measure what a bundle detects and what it misses: what ``python -m export evaluate`` does.

    Args:
        bundle: that an export or a recalibration wrote.
        ind: in-distribution frames that neither network, detector nor thresholds have seen: folders or image files.
        ood: out-of-distribution frames by name.
        report: folder for the report, ``index.html`` and ``figures.json``; None for none.
        update_card: put the figures into the bundle's manifest and model card.
        reporter: told each stage as it begins, and how far the loops over frames have come.
        options: further options, named and valued as the flags, with underscores: ``synthetic=["fog"]``,
            ``labels="labels/"``.

    Returns:
        The figures; ``asdict()`` gives what ``--json`` prints.

    Raises:
        ExportError: one of its classes for each cause; no report is written then.
        BundleError: the bundle is damaged.
    """
    given = {"ind": path_words(ind)}
    chosen = keyword_options(EvaluationOptions, given, options, "the keyword arguments", [path_word(bundle)])
    chosen = replace(chosen, ood={name: tuple(map(Path, path_words(paths))) for name, paths in (ood or {}).items()})
    place = None if report is None else Path(report)
    return evaluate_and_write(chosen, place, "export.evaluate_monitor", reporter, update=update_card)
