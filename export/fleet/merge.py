# SPDX-License-Identifier: Apache-2.0
"""Merge files of daily summaries: a tree of merges, each of some files that are sorted by key, in memory that does not grow.

Counts are whole numbers, so that the result has the same bytes whatever the tree.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias

from export.reporter import SILENT, Reporter
from lsood_runtime import read_summaries
from lsood_runtime.offline import counted, merged_summaries, write_sorted_summaries

Merge: TypeAlias = Callable[[Sequence[Path], Path, Reporter], int]
"""Merges files of daily summaries into one, and gives the number of summaries in it, as :func:`merge_files` does."""

FILES_AT_ONCE = 64
"""That one merge reads side by side, each by blocks."""


def merge_group(paths: Sequence[Path], out: Path) -> int:
    """Merge some files of daily summaries into one; give the number of summaries in it.

    Raises:
        MediaError: a file cannot be read or is damaged, or nothing can be written.
    """
    return write_sorted_summaries(merged_summaries(map(read_summaries, paths)), out)


def merge_files(paths: Sequence[Path], out: Path, reporter: Reporter = SILENT) -> int:
    """Merge any number of files of daily summaries into one; give the number of summaries in it.

    Args:
        paths: at least one.
        out: the file; what is merged on the way lies beside it until the end.
        reporter: of the progress.

    Raises:
        MediaError: as for :func:`merge_group`.
    """
    with TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as folder:
        scratch, level = Path(folder), 0
        while len(paths) > FILES_AT_ONCE:
            groups = [paths[i : i + FILES_AT_ONCE] for i in range(0, len(paths), FILES_AT_ONCE)]
            merged = [scratch / f"{level}-{number}.parquet" for number in range(len(groups))]
            what = f"merging {counted(len(paths), 'file', comma=',')}"
            for group, place in reporter.progress(zip(groups, merged, strict=True), what, len(groups)):
                merge_group(group, place)
            paths, level = merged, level + 1
        return merge_group(paths, out)
