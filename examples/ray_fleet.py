# SPDX-License-Identifier: Apache-2.0
"""Merges the daily summaries of a fleet: Ray tasks over files, each merges some into one, and their files merge in turn.

    pip install 'ray'
    python examples/ray_fleet.py summaries/ --out fleet/

Files and --out lie where every machine can read and write. Page, figures and merged summaries are those of
`python -m export fleet`, whatever the number of tasks: counts are whole numbers and add up exactly. Each task reads its
files as sorted streams, in memory that does not grow with them; no summary goes through Ray itself.
"""

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from export import merge_fleet
from export.errors import ExportError
from export.fleet.fleet_text import difference_line, lost_line, summary_sentences
from export.fleet.merge import FILES_AT_ONCE, merge_group
from export.reporter import SILENT, Reporter
from lsood_runtime import LsoodError


def merge_some(out: str, *files: str) -> str:
    """What a task does: merge some files into one, and name it."""
    merge_group([Path(file) for file in files], Path(out))
    return out


def merge_over(ray: Any, files_a_task: int, paths: Sequence[Path], out: Path, reporter: Reporter = SILENT) -> int:
    """Merge all files: tasks over some each, then tasks over what these wrote, and the last few here.

    Args:
        ray: the module.
        files_a_task: that one task merges, at most.
        paths: of the files.
        out: the file; what tasks write lies beside it until the end.
        reporter: of the progress.

    Returns:
        The number of summaries in it.
    """
    merge = ray.remote(merge_some)
    with TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as folder:
        waiting: list[Any] = [str(path.resolve()) for path in paths]
        tasks: list[Any] = []
        while len(waiting) > files_a_task:
            groups = [waiting[start : start + files_a_task] for start in range(0, len(waiting), files_a_task)]
            waiting = [merge.remote(f"{folder}/{len(tasks) + i}.parquet", *group) for i, group in enumerate(groups)]
            tasks += waiting
        if tasks:
            try:
                waiting = list(reporter.progress(map(ray.get, waiting), f"{len(tasks)} tasks", len(waiting)))
            finally:  # where one failed, or somebody pressed Ctrl-C, others still write into the folder, which goes then
                ray.wait(tasks, num_returns=len(tasks))
        return merge_group([Path(path) for path in waiting], out)


def main(arguments: Sequence[str] | None = None) -> int:
    """Merge, and print what differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("summaries", nargs="+", metavar="SUMMARIES", help="files, folders of them, or quoted patterns")
    parser.add_argument("--out", type=Path, required=True, help="folder for the page, the figures and merged summaries")
    parser.add_argument("--rate", type=float, default=0.05, help="of false discoveries (default: %(default)s)")
    parser.add_argument("--min-frames", type=int, default=100, help="as of `python -m export fleet` (default: 100)")
    parser.add_argument(
        "--files-a-task", type=int, default=FILES_AT_ONCE, help="files that one task merges (default: %(default)s)"
    )
    given = parser.parse_args(arguments)
    if given.files_a_task < 2:
        parser.error(f"expected 2 files a task or more, got {given.files_a_task}: one alone is not merged")
    try:
        import ray
    except ImportError:
        parser.error("this example needs Ray: pip install ray")
    try:
        figures = merge_fleet(
            given.summaries,
            out=given.out,
            merge=partial(merge_over, ray, given.files_a_task),
            rate=given.rate,
            min_frames=given.min_frames,
        )
    except (ExportError, LsoodError) as error:
        parser.error(str(getattr(error, "cause", error)))  # Ray's error of a task holds that of the task
    lines = *map(lost_line, figures.lost_days), *map(difference_line, figures.differences)
    print(*summary_sentences(figures), *lines, sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
