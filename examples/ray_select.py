# SPDX-License-Identifier: Apache-2.0
"""Selects frames to label from the rows of a fleet: Ray tasks over files, each selects from its own, and selections merge.

    pip install 'ray'
    lsood score monitor/ drive/ --features --out rows/drive.parquet      once for each drive, on any machine
    python examples/ray_select.py rows/*.parquet --budget 200 --out pick.csv

The list is that of `lsood select` over all files, whatever the number of tasks: no row is moved between machines, only each
task's candidates, whose number does not grow with the rows.
"""

import argparse
import csv
import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lsood_runtime import FrameSelector, LsoodError, Pick

MERGED_AT_ONCE = 16


def select_from(files: Sequence[str], options: dict[str, Any]) -> FrameSelector:
    """What a task does: select from some files."""
    selector = FrameSelector(**options)
    for file in files:
        selector.read(file)
    return selector


def join(*selectors: FrameSelector) -> FrameSelector:
    """What another task does: merge selections."""
    first, *others = selectors
    for other in others:
        first.merge(other)
    return first


def select_over(ray: Any, files: Sequence[str], options: dict[str, Any], files_a_task: int) -> FrameSelector:
    """Select from all files: tasks over some files each, then tasks that merge their selections, sixteen at once."""
    select, merge = ray.remote(select_from), ray.remote(join)
    shards = [files[start : start + files_a_task] for start in range(0, len(files), files_a_task)]
    waiting = [select.remote(shard, options) for shard in shards]
    while len(waiting) > 1:
        groups = [waiting[start : start + MERGED_AT_ONCE] for start in range(0, len(waiting), MERGED_AT_ONCE)]
        waiting = [merge.remote(*group) for group in groups]
    selector: FrameSelector = ray.get(waiting[0])
    return selector


def main(arguments: Sequence[str] | None = None) -> int:
    """Select and write the list."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", metavar="ROWS", help="Parquet or CSV files that every machine can read")
    parser.add_argument("--budget", type=int, required=True, help="frames to pick, at most")
    parser.add_argument("--out", type=Path, required=True, help="CSV file of the picks")
    parser.add_argument("--per-drive", type=int, help="frames of one drive, at most (default: a tenth of the budget)")
    parser.add_argument("--per-cause", type=int, help="frames of one cause, at most (default: half of the budget)")
    parser.add_argument("--group-by", help="drive, camera, folder or prefix (default: as lsood select)")
    parser.add_argument("--files-a-task", type=int, default=8, help="files that one task reads (default: %(default)s)")
    given = parser.parse_args(arguments)
    if given.files_a_task < 1:
        parser.error(f"expected 1 file a task or more, got {given.files_a_task}")
    try:
        import ray
    except ImportError:
        parser.error("this example needs Ray: pip install ray")
    options = {name: getattr(given, name) for name in ("budget", "per_drive", "per_cause", "group_by")}
    try:
        FrameSelector(**options)  # here, not in the log of a task
        selection = select_over(ray, given.files, options, given.files_a_task).select()
    except (LsoodError, ValueError) as error:
        parser.error(str(error))
    with given.out.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(field.name for field in dataclasses.fields(Pick))
        rows.writerows(dataclasses.astuple(pick) for pick in selection.picks)
    print(f"{len(selection.picks)} frames picked from {selection.rows} rows of {len(given.files)} files: {given.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
