# SPDX-License-Identifier: Apache-2.0
"""``lsood select``: which frames of many drives to send home and label."""

import argparse
import math
from collections.abc import Sequence
from pathlib import Path
from unicodedata import normalize

from lsood_runtime._cli.arguments import Commands, add_command, positive_count
from lsood_runtime._cli.destinations import check_destinations
from lsood_runtime._cli.frame_counter import FrameCounter
from lsood_runtime._cli.matplotlib_figure import check_picture, save_figure
from lsood_runtime._cli.pick_lists import (
    add_to_fiftyone,
    check_fiftyone,
    coco_list,
    cvat_manifest,
    pick_row,
    unreadable,
    write_whole,
)
from lsood_runtime._cli.pick_sheet import draw_picks
from lsood_runtime._cli.terminal import say
from lsood_runtime._cli.verdict_files import VerdictFile
from lsood_runtime._exceptions import MediaError
from lsood_runtime._media.find_files import distinct_files, find_files
from lsood_runtime._select.picking import Pick, Selection
from lsood_runtime._select.scored_frame import TERMS
from lsood_runtime._select.selector import (
    DEFAULT_CANDIDATES,
    DEFAULT_MIN_DISTANCE,
    GROUPS,
    ROW_SUFFIXES,
    FrameSelector,
)
from lsood_runtime._text.counted import counted

_LISTS = (".csv", ".jsonl", ".parquet")
_EPILOG = """\
A vehicle scores its frames and sends rows, not frames; what comes home is chosen from the rows:

  lsood score monitor/ drive/ --features --out rows/drive.parquet      in the vehicle, or where the recordings lie
  lsood select rows/ --budget 200 --out pick.csv                       over all rows

Relevant are frames with a high score, with a low or unknown expected quality, or with a clear unknown object, as far as the
rows tell these. The most relevant of each cause are candidates; among them each pick is the one that is least like all
earlier picks, by the bundle's features, so that the list is worth labelling from its beginning. pick.csv has rank, frame,
drive, camera, stamp, score, quality, cause, number of objects, why the frame was picked, and its distance to the nearest
earlier pick.

A row without a column drive is of the file that it stands in, whose name begins that of its drive: give the rows of each
vehicle a file of their own name, as rows/car-17.parquet, and images of the same name are never taken for one frame.

The memory does not grow with the rows; of Parquet a row group is held, so write groups of some thousand rows, as lsood does.
Rows must be of one bundle. Frames that are invalid, have no features or one that is no finite number are never picked.

exit codes: 0 the list is written, 2 bad usage or rows, or nothing to pick, 3 unexpected error, 130 Ctrl-C

examples:
  lsood select rows/*.parquet --budget 200 --out pick.csv --sheet pick.png
  lsood select rows/ --budget 50 --by objects --per-drive 3 --out objects.csv
  lsood select rows.csv --budget 20 --group-by prefix --out pick.csv --coco pick.json
"""


def add_parser(commands: Commands) -> None:
    """Add the command to ``lsood``."""
    parser = add_command(commands, "select", run, "which frames to send home and label", _EPILOG)
    parser.add_argument(
        "files",
        nargs="+",
        metavar="ROWS",
        help=".parquet, .csv or .jsonl files that `lsood score --features --out` or watch wrote, folders of them, patterns",
    )
    parser.add_argument("--budget", type=positive_count, required=True, metavar="N", help="frames to pick, at most")
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="FILE",
        help="the list: .csv, .jsonl or .parquet, in the order of picking",
    )
    how = parser.add_argument_group("what is picked")
    how.add_argument(
        "--by",
        nargs="+",
        choices=tuple(TERMS),
        metavar="TERM",
        help=f"{', '.join(TERMS)} (default: all that the rows tell)",
    )
    how.add_argument(
        "--per-drive",
        type=positive_count,
        metavar="N",
        help="frames of one drive, at most (default: a tenth of the budget)",
    )
    how.add_argument(
        "--per-cause",
        type=positive_count,
        metavar="N",
        help="frames of one cause, such as fog, at most; without a cause any number (default: half of the budget)",
    )
    how.add_argument(
        "--group-by",
        choices=GROUPS,
        help="what tells drives apart: the column drive or camera, the folder of the image (or the recording), or prefix, "
        "its name up to the first underscore (default: drive, and folder without this column)",
    )
    how.add_argument(
        "--candidates",
        type=positive_count,
        default=DEFAULT_CANDIDATES,
        metavar="K",
        help="pick among K times the budget: 1 for the most relevant alone, more for variety (default: %(default)s)",
    )
    how.add_argument(
        "--min-distance",
        type=_distance,
        default=DEFAULT_MIN_DISTANCE,
        metavar="D",
        help="frames nearer to a pick are near-duplicates; 1 is a standard deviation in every feature (default: %(default)s)",
    )
    how.add_argument("--seed", type=_seed, default=0, metavar="N", help="of the order of equals (default: %(default)s)")
    also = parser.add_argument_group("for people, and for tools in which to label")
    also.add_argument("--sheet", type=Path, metavar="PICTURE", help="the frames with their reasons, the first 60")
    also.add_argument("--coco", type=Path, metavar="FILE.json", help="a COCO file of the images, without annotations")
    also.add_argument(
        "--cvat",
        type=Path,
        metavar="FILE.jsonl",
        help="a manifest of CVAT, in a folder above the images: a task in this order",
    )
    also.add_argument(
        "--fiftyone", metavar="NAME", help="a new persistent dataset of FiftyOne, which must be installed"
    )


def run(options: argparse.Namespace) -> int:
    """Select frames and write the lists."""
    found = find_files(options.files, lambda path: path.suffix.lower() in ROW_SUFFIXES, "files of rows")
    files = distinct_files(found)
    _check_outputs(options, [str(path) for path in files])
    selector, counter = _selector(options), FrameCounter(shown=True)
    with VerdictFile(options.out) as out:
        try:
            for path in files:
                selector.read(path, lambda rows: counter.show(rows, "read"))
        finally:
            counter.clear()
        selection = selector.select()
        if not selection.picks:
            raise MediaError(
                f"expected frames that can be picked, {counted(selection.rows, 'row')} have none, {selection.invalid} of "
                f"them invalid, {selection.without_features} without features, {selection.not_finite} with features that are "
                "no finite numbers: check that they were scored with --features"
            )
        lists = _lists(options, selection)
        for picked in selection.picks:
            out.write(pick_row(picked))
    for path, text in lists.items():
        write_whole(path, text)
    if options.fiftyone is not None:
        add_to_fiftyone(selection.picks, options.fiftyone)
    if options.sheet is not None:
        save_figure(draw_picks(selection.picks), options.sheet)
        if missing := sum(1 for _ in unreadable(selection.picks)):
            say(
                f"lsood: note: {counted(missing, 'frame')} of {len(selection.picks)} cannot be shown: no image file here"
            )
    _report(options, selection)
    return 0


def _selector(options: argparse.Namespace) -> FrameSelector:
    try:
        return FrameSelector(
            options.budget,
            by=options.by,
            per_drive=options.per_drive,
            per_cause=options.per_cause,
            candidates=options.candidates,
            min_distance=options.min_distance,
            group_by=options.group_by,
            seed=options.seed,
        )
    except ValueError as error:
        raise MediaError(str(error)) from error


def _check_outputs(options: argparse.Namespace, sources: list[str]) -> None:
    """Refuse what could not be written at the end, before the first row is read."""
    for path, suffixes in ((options.out, _LISTS), (options.coco, (".json",)), (options.cvat, (".jsonl",))):
        if path is not None and path.suffix.lower() not in suffixes:
            raise MediaError(f"expected a file that ends in {' or '.join(suffixes)}, got {path}: rename it")
    if options.sheet is not None:
        check_picture(options.sheet)
    outputs = [path for path in (options.out, options.coco, options.cvat, options.sheet) if path is not None]
    check_destinations(outputs, sources)
    if options.fiftyone is not None:
        check_fiftyone(options.fiftyone)


def _lists(options: argparse.Namespace, selection: Selection) -> dict[Path, str]:
    """The text of each list for a tool; made before anything is written, as images may be missing."""
    lists = {}
    if options.coco is not None:
        lists[options.coco] = coco_list(selection.picks)
    if options.cvat is not None:
        lists[options.cvat] = cvat_manifest(selection.picks, options.cvat)
    return lists


def _report(options: argparse.Namespace, selection: Selection) -> None:
    picks = selection.picks
    drives, rows = len({picked.drive for picked in picks}), counted(selection.rows, "row", comma=",")
    without = f", {selection.without_features} without features" if selection.without_features else ""
    if selection.not_finite:
        without += f", {selection.not_finite} with features that are no finite numbers"
    say(
        f"{counted(len(picks), 'frame')} of {counted(drives, 'drive')} picked from {rows} "
        f"({selection.invalid} invalid{without}), among {counted(selection.candidates, 'candidate')}: {options.out}"
    )
    if alike := _alike_names(picks):
        say(
            f"lsood: note: {counted(alike, 'frame')} picked beside one whose name differs by its Unicode form alone, as an é "
            "that is one letter or two: they are two files, or one on a system that does not tell such names apart"
        )
    nearest = min(picked.distance for picked in picks)
    if math.isfinite(nearest):
        say(f"the two that are most alike are {nearest:.2f} apart")
    if len(picks) < options.budget:
        say(
            f"lsood: note: fewer than {options.budget}: of the other candidates {selection.near_duplicates} are "
            f"near-duplicates and "
            f"{selection.over_quota} of a drive or cause that has its share; more --candidates or larger quotas give more"
        )


def _alike_names(picks: Sequence[Pick]) -> int:
    """How many picks have the name of an earlier one but for its Unicode form."""
    names = {(picked.drive, picked.frame) for picked in picks}
    return len(names) - len({tuple(normalize("NFC", name) for name in each) for each in names})


def _distance(text: str) -> float:
    """Parse a number of 0 or more."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number < math.inf:
        raise argparse.ArgumentTypeError(f"expected a number of 0 or more, got {text!r}")
    return number


def _seed(text: str) -> int:
    """Parse a whole number of 0 or more."""
    return 0 if text == "0" else positive_count(text)
