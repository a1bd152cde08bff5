# SPDX-License-Identifier: Apache-2.0
"""Merge the daily summaries of a fleet from within a program; needs no torch."""

import os
from typing import Any

from export.cli.keyword_options import Paths, keyword_options, path_word, path_words
from export.fleet.fleet_figures import FleetFigures
from export.fleet.fleet_page import write_fleet
from export.fleet.merge import Merge, merge_files
from export.fleet.options import FleetOptions
from export.reporter import SILENT, Reporter


def merge_fleet(
    summaries: Paths,
    /,
    *,
    out: str | os.PathLike[str],
    merge: Merge = merge_files,
    reporter: Reporter = SILENT,
    **options: Any,
) -> FleetFigures:
    """Merge daily summaries, and find the vehicles and days that differ: what ``python -m export fleet`` does.

    Args:
        summaries: files that ``lsood summary`` or a ``SummaryRecorder`` wrote, folders of them, or patterns.
        out: folder for the page, the figures as JSON and the merged summaries; one that is there is replaced.
        merge: merges files of summaries into one file, and gives the number of summaries in it; ``examples/ray_fleet.py``
            lets many machines do so.
        reporter: told each stage as it begins, and how far the merge has come.
        options: further options, named and valued as the flags, with underscores: ``rate=0.01``, ``min_frames=1000``.

    Returns:
        The figures; ``asdict()`` gives them as ``fleet.json`` has them.

    Raises:
        ExportError: one of its classes for each cause; nothing is written then.
        MediaError: a file of summaries cannot be read.
    """
    given = {"out": path_word(out)}
    chosen = keyword_options(FleetOptions, given, options, "the keyword arguments", path_words(summaries))
    return write_fleet(chosen, "export.merge_fleet", reporter, merge)
