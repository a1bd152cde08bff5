# SPDX-License-Identifier: Apache-2.0
"""Recalibrate a bundle from within a program; needs no torch."""

import os
from typing import Any

from export.calibration.recalibration_options import RecalibrationOptions
from export.cli.keyword_options import Paths, keyword_options, path_word, path_words
from export.recalibrate import RecalibrationResult, recalibrate
from export.reporter import SILENT, Reporter


def recalibrate_monitor(
    bundle: str | os.PathLike[str],
    /,
    frames: Paths = (),
    *,
    out: str | os.PathLike[str] | None = None,
    reporter: Reporter = SILENT,
    **options: Any,
) -> RecalibrationResult:
    """Refit detector and thresholds of a bundle on new frames: what ``python -m export calibrate`` does.

    Args:
        bundle: that an export wrote; it is left as it is.
        frames: in-distribution folders or image files in the order of recording; none where ``features`` are given.
        out: the new bundle's folder; None for the old one's name with ``-recalibrated``.
        reporter: told each stage as it begins, and how far the loops over frames have come.
        options: further options, named and valued as the flags, with underscores: ``group_by="folder"``,
            ``false_alarm_rate=[0.05, "strict=0.01"]``.

    Returns:
        The new bundle's manifest, and the files that only an export can make anew.

    Raises:
        ExportError: one of its classes for each cause; nothing is written then.
        BundleError: the old bundle is damaged.
    """
    given = {"frames": path_words(frames), "out": None if out is None else path_word(out)}
    chosen = keyword_options(RecalibrationOptions, given, options, "the keyword arguments", [path_word(bundle)])
    return recalibrate(chosen, reporter)
