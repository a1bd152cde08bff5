# SPDX-License-Identifier: Apache-2.0
"""``lsood summary``: count the rows of ``score`` and ``watch`` in a summary of each camera and day."""

import argparse
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from pathlib import Path

from lsood_runtime._bundle.manifest import Manifest
from lsood_runtime._bundle.reader import SealedManifest, open_bundle
from lsood_runtime._cli.arguments import Commands, add_bundle, add_command, add_trust
from lsood_runtime._cli.destinations import check_destinations, paths_read
from lsood_runtime._cli.frame_counter import FrameCounter
from lsood_runtime._cli.terminal import tell
from lsood_runtime._exceptions import MediaError
from lsood_runtime._fleet.daily_summary import DailySummary, SummaryKey, summary_day
from lsood_runtime._fleet.frame_facts import ROW_COLUMNS, FrameFacts
from lsood_runtime._fleet.summary_file import import_pyarrow, write_summaries
from lsood_runtime._media.find_files import distinct_files
from lsood_runtime._rows.no_rows import no_rows
from lsood_runtime._rows.row_files import read_blocks
from lsood_runtime._text.counted import counted

_SUFFIXES = (".csv", ".jsonl", ".parquet", ".mcap")
_SHOWN_EVERY = 10_000
_MANY = 20
_MOST_CAUSES = 64
_EPILOG = """\
A summary holds counts of one camera on one day: frames by state, p-values and expected quality in fixed bins, causes, unknown
objects, alarms with their begin and end, gaps. Counts add up exactly, so that parts of a day, days and vehicles can be merged
in any order: `python -m export fleet` merges the files of a fleet, and finds the vehicles and days that differ from the rest.
The day of a frame is that of its stamp, in UTC. Stamps of images and videos count from 0 and tell no day: state it by --day.

Rows are read one by one, of Parquet a row group at a time: memory does not grow with the rows, but by some bytes for each
alarm, whose begin and end are kept. A summary has at most 64 causes. A file that is named twice counts once. A row that
`lsood score` and `watch` did not write with this bundle ends the command, and nothing is written. Rows hold no dropped
frames: a running process counts them
with lsood_runtime.SummaryRecorder, which writes the same files.

exit codes: 0 written, 2 bad usage, input or bundle, 3 unexpected error

examples:
  lsood watch monitor/ drive.mcap --out rows.parquet
  lsood summary monitor/ rows.parquet --vehicle car-17 --out car-17.parquet
  lsood summary monitor/ monday/*.jsonl --vehicle car-17 --day 2026-11-23 --out car-17.parquet
"""


def add_parser(commands: Commands) -> None:
    """Add the command to ``lsood``."""
    parser = add_command(commands, "summary", run, "count rows of verdicts in daily summaries, for a fleet", _EPILOG)
    add_bundle(parser)
    parser.add_argument(
        "rows",
        nargs="+",
        type=Path,
        metavar="ROWS",
        help="files that score or watch wrote by --out: .csv, .jsonl, .parquet or .mcap",
    )
    parser.add_argument("--vehicle", required=True, type=_name, metavar="NAME", help="that the rows are of")
    parser.add_argument(
        "--out", required=True, type=Path, metavar="FILE.parquet", help="write the summaries, whole or not at all"
    )
    parser.add_argument(
        "--day", type=_day, metavar="DATE", help="of all rows, as 2026-11-23 (default: that of each stamp, in UTC)"
    )
    add_trust(parser)


def run(options: argparse.Namespace) -> int:
    """Count the rows, write the summaries, and print a line for each."""
    import_pyarrow("writing daily summaries")
    bundle = open_bundle(options.bundle, expected_sha256=options.expected_sha256, public_key=options.public_key)
    check_destinations([options.out], [*map(str, options.rows), *paths_read(options)])
    counter = FrameCounter(shown=True)
    try:
        summaries = summarise(
            bundle.sealed, options.rows, options.vehicle, options.day, lambda count: counter.show(count, "counted")
        )
    finally:
        counter.clear()
    write_summaries(summaries, options.out)
    for summary in summaries[:_MANY]:
        tell(_line(summary))
    if len(summaries) > _MANY:
        tell(f"and {len(summaries) - _MANY} more")
    return 0


def summarise(
    sealed: SealedManifest,
    rows: Sequence[Path],
    vehicle: str,
    day: date | None = None,
    on_rows: Callable[[int], None] = lambda _count: None,
) -> list[DailySummary]:
    """Count rows of verdicts by camera, day and threshold, sorted.

    Args:
        sealed: manifest of the bundle that scored them.
        rows: files that ``lsood score`` and ``watch`` wrote; one that is named twice counts once.
        vehicle: that they are of.
        day: of all of them; None for that of each stamp, in UTC.
        on_rows: called now and then with how many rows were counted.

    Raises:
        MediaError: there is no row, or one of another bundle, or with a stamp that tells no day.
    """
    counting = _Counting(vehicle, sealed.sha256, sealed.manifest, day)
    for path in distinct_files(rows):
        counting.add(path, on_rows)
    if not counting.summaries:
        raise MediaError("expected rows of verdicts, got files without any: pass what lsood score or watch wrote")
    return sorted(counting.summaries.values(), key=lambda summary: summary.key)


class _Counting:
    """Counts rows by camera, day and threshold.

    Attributes:
        summaries: so far, by their key.
    """

    def __init__(self, vehicle: str, digest: str, manifest: Manifest, day: date | None) -> None:
        self._vehicle, self._digest, self._day = vehicle, digest, day
        self._thresholds = {point.value for point in manifest.operating_points.values()}
        self.summaries: dict[SummaryKey, DailySummary] = {}
        self._count = 0

    def add(self, path: Path, on_rows: Callable[[int], None]) -> None:
        """Count the rows of a file.

        Raises:
            MediaError: a file that cannot be read, or rows of another bundle, with stamps that tell no day, or with too many
                causes.
        """
        for number, facts in enumerate(_facts(path), 1):
            if facts.threshold not in self._thresholds:
                known = ", ".join(f"{threshold:.6g}" for threshold in sorted(self._thresholds))
                raise MediaError(
                    f"expected rows that this bundle scored, with a threshold of {known}, got {facts.threshold:.6g} in row "
                    f"{number} of {path}: name the bundle that scored them"
                )
            day = self._day or summary_day(facts.stamp_ns)
            if day is None:
                raise MediaError(
                    f"expected stamps since the year 2000 that tell the day, got {facts.stamp_ns} ns in row {number} of "
                    f"{path}: state the day by --day"
                )
            fresh = DailySummary(self._vehicle, facts.camera, day, self._digest, facts.threshold)
            counts = self.summaries.setdefault(fresh.key, fresh).counts
            counts.add(facts)
            if len(counts.causes) > _MOST_CAUSES:
                raise MediaError(
                    f"expected at most {_MOST_CAUSES} causes in a summary, got one more, {facts.cause!r}, in row {number} of "
                    f"{path}: pass rows that this bundle scored"
                )
            self._count += 1
            if self._count % _SHOWN_EVERY == 0:
                on_rows(self._count)


def _facts(path: Path) -> Iterator[FrameFacts]:
    """The facts of every row of a file, in its order."""
    number = 0
    for block in read_blocks(path, ROW_COLUMNS, _SUFFIXES):
        for row in block.rows():
            number += 1
            try:
                facts = FrameFacts.of_row(row)
            except ValueError as error:
                raise no_rows(path, error, number) from error
            yield facts


def _line(summary: DailySummary) -> str:
    counts = summary.counts
    words = [
        counted(counts.frames, "frame"),
        f"{counts.states['out_of_distribution']} out of distribution",
        f"{counts.states['invalid']} invalid",
        f"{counted(counts.alarms, 'alarm')} of {counts.alarm_seconds:.1f} s in all"
        if counts.followed
        else "no alarm rule",
    ]
    return f"{summary.vehicle} {summary.camera} {summary.day}: {', '.join(words)}"


def _name(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("expected the name of a vehicle, got an empty one")
    return text


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"expected a date such as 2026-11-23, got {text!r}") from error
