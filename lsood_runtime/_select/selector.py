# SPDX-License-Identifier: Apache-2.0
"""Select frames from any number of rows in memory that does not grow, and join what several processes have selected."""

import math
import os
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from lsood_runtime._arguments import (
    check_callable,
    check_count,
    check_number,
    check_path,
    check_text,
    check_type,
    shown,
)
from lsood_runtime._exceptions import MediaError
from lsood_runtime._rows.row_block import FEATURES, RowBlock
from lsood_runtime._rows.row_files import read_blocks
from lsood_runtime._select.drives import drive_of
from lsood_runtime._select.picking import UNCAPPED, Quotas, Selection, pick
from lsood_runtime._select.scored_frame import TERMS, ScoredFrame
from lsood_runtime._select.top_frames import TopFrames

ROW_SUFFIXES = (".parquet", ".csv", ".jsonl")
"""Of files of rows that keep features."""

GROUPS = ("drive", "camera", "folder", "prefix")
"""What tells drives apart: a column of the rows, or a rule for names of frames."""

DEFAULT_CANDIDATES = 3
DEFAULT_MIN_DISTANCE = 0.2
_MOST_CAUSES = 64
_INVALID = "invalid"
_NEEDED = ("frame", "score", "state", FEATURES)
_WANTED = frozenset(
    [*_NEEDED, "drive", "camera", "stamp_ns", "expected_quality", "cause", "object_count", "largest_peak"]
)
_WHOLE_BUDGET = 10**6


@dataclass(frozen=True, slots=True)
class _Rule:
    """What two selections must have in common to be joined."""

    quotas: Quotas
    terms: tuple[str, ...] | None
    candidates: int
    group_by: str | None
    seed: int


class FrameSelector:
    """Selects frames to label from rows that ``lsood score`` or ``lsood watch`` wrote, features kept.

    Candidates are, for each term and each cause, the ``candidates * budget`` most relevant frames, of a drive at most
    ``candidates * per_drive``. Among them the terms take turns: each picks the candidate that is furthest from every earlier
    pick (greedy k-centre), over the bundle's features, standardised over the candidates. All rows must be of one bundle.

    The selection depends on the rows, the names of their files and the seed alone: not on their order, nor on how the files
    are dealt to processes, whose selectors :meth:`merge` into that of all rows. A selector can be pickled.

    A row that names no ``drive`` is of the file that it stands in: the path as given, without its suffix, begins the name of
    its drive. So the frames of two vehicles are never taken for one, whatever the names of their images. Give the files of
    each vehicle or drive a name of their own, on all machines.

    What is held are at most ``terms * causes * candidates * budget`` frames, each ``4 * D + 1,000`` bytes for D features.

    Args:
        budget: frames to select, at most.
        by: terms: ``score``, the highest scores; ``quality``, the lowest expected quality, an unknown one first; ``objects``,
            the clearest unknown objects. None for those whose columns the rows have.
        per_drive: frames of one drive, at most; None for a tenth of the budget, at least one.
        per_cause: frames of one cause of degradation, at most; ``none`` is no such cause. None for half of the budget.
        candidates: frames among which each pick is chosen, as a multiple of the budget: 1 takes the most relevant ones, more
            take frames that differ more.
        min_distance: between two picks, root mean square over the standardised features: nearer frames are near-duplicates.
        group_by: what tells drives apart: ``drive`` or ``camera``, a column; ``folder`` of the image, or the recording;
            ``prefix``, the file name up to its first underscore. None for the column ``drive``, and ``folder`` without it.
        seed: of the order of equally relevant frames.

    Raises:
        TypeError: an argument of another type; ValueError: a number out of its range, or a name that is none.

    Example:
        >>> selector = FrameSelector(budget=200)
        >>> selector.read("rows.parquet")  # doctest: +SKIP
        >>> picks = selector.select().picks
    """

    def __init__(
        self,
        budget: int,
        *,
        by: Sequence[str] | None = None,
        per_drive: int | None = None,
        per_cause: int | None = None,
        candidates: int = DEFAULT_CANDIDATES,
        min_distance: float = DEFAULT_MIN_DISTANCE,
        group_by: str | None = None,
        seed: int = 0,
    ) -> None:
        most = f"at most {_WHOLE_BUDGET:,}"
        budget = check_count(budget, f"a budget from 1 to {_WHOLE_BUDGET:,} frames", most, most=_WHOLE_BUDGET)
        drive = -(-budget // 10) if per_drive is None else check_count(per_drive, "per_drive of 1 or more", "or None")
        cause = -(-budget // 2) if per_cause is None else check_count(per_cause, "per_cause of 1 or more", "or None")
        least = check_number(
            min_distance, "a min_distance of 0 or more", "0.2 is the default", lambda d: 0 <= d < math.inf
        )
        self._rule = _Rule(
            Quotas(budget, min(drive, budget), min(cause, budget), least),
            None if by is None else _checked_terms(by),
            check_count(candidates, "candidates from 1 to 1,000", f"{DEFAULT_CANDIDATES} is the default", most=1000),
            None if group_by is None else _checked_group(group_by),
            check_count(seed, "a seed of 0 or more", "0 is the default", least=0),
        )
        self._lists: dict[tuple[str, str], TopFrames] = {}
        self._width: int | None = None
        self._rows = self._invalid = self._without = self._not_finite = 0

    def read(self, path: str | os.PathLike[str], on_rows: Callable[[int], object] | None = None) -> None:
        """Take in the rows of a file.

        Args:
            path: a Parquet, CSV or JSON lines file with the columns ``frame``, ``score``, ``state`` and ``features``; without
                its suffix it stands for the drive of rows that name none.
            on_rows: called with the number of rows taken in so far, every two thousand or so; None for nothing.

        Raises:
            MediaError: the file cannot be read, is not of verdicts, or its features are those of another bundle.
        """
        file = Path(check_path(path, "the path of a file of rows", "pass what lsood score wrote"))
        check_callable(on_rows, "on_rows")
        for rows in self._taken(file):
            if on_rows is not None:
                on_rows(rows)

    def merge(self, other: "FrameSelector") -> None:
        """Take in what another selector has selected from, as if this one had read its files.

        Raises:
            TypeError: it is none.
            ValueError: it was made with other arguments, or has features of another bundle.
            MediaError: both have too many causes; this one is left as it was.
        """
        check_type(other, FrameSelector, "another FrameSelector", "pass one that was made with the same arguments")
        differing = [
            item.name for item in fields(_Rule) if getattr(self._rule, item.name) != getattr(other._rule, item.name)
        ]
        if differing:
            raise ValueError(
                f"expected a FrameSelector that was made with the same arguments, got other {', '.join(differing)}: "
                "make all with the same"
            )
        if None not in (self._width, other._width) and self._width != other._width:
            raise ValueError(
                f"expected frames of {self._width} features, got {other._width}: select among frames of one bundle"
            )
        self._check_causes({cause for _, cause in other._lists})
        for (term, cause), frames in other._lists.items():
            self._list(term, cause).merge(frames)
        self._width = other._width if self._width is None else self._width
        self._rows += other._rows
        self._invalid += other._invalid
        self._without += other._without
        self._not_finite += other._not_finite

    def select(self) -> Selection:
        """Pick frames from what was read; more may be read afterwards, and picked from anew."""
        counts = (self._rows, self._invalid, self._without, self._not_finite)
        return pick(self._lists, self._rule.quotas, counts)

    def _list(self, term: str, cause: str) -> TopFrames:
        kept = self._lists.get((term, cause))
        if kept is None:
            self._check_causes({cause})
            quotas, factor = self._rule.quotas, self._rule.candidates
            most = quotas.budget if cause in UNCAPPED else quotas.per_cause
            kept = self._lists[term, cause] = TopFrames(term, factor * most, factor * quotas.per_drive)
        return kept

    def _check_causes(self, causes: set[str]) -> None:
        known = {name for _, name in self._lists}
        if len(known | causes) > _MOST_CAUSES:
            raise MediaError(
                f"expected at most {_MOST_CAUSES} causes in all rows, got more, {min(causes - known)!r} too: select among "
                "frames of one bundle"
            )

    def _taken(self, file: Path) -> Iterator[int]:
        """Take in the rows of a file; yields how many there are so far, after each block."""
        for block in read_blocks(file, _WANTED, ROW_SUFFIXES, _column_check()):
            self._take(block, file)
            yield self._rows

    def _take(self, block: RowBlock, file: Path) -> None:
        scores, causes = block.numbers("score"), block.texts("cause")
        valid = (block.texts("state") != _INVALID) & np.isfinite(scores)
        self._rows += len(block)
        self._invalid += int(np.count_nonzero(~valid))
        there, finite = block.has_features(), block.has_finite_features()
        self._without += int(np.count_nonzero(valid & ~there))
        self._not_finite += int(np.count_nonzero(valid & ~finite))
        valid &= there & finite
        made: dict[int, ScoredFrame] = {}
        for name in self._terms(block, file):
            term = TERMS[name]
            values = term.values(*(block.numbers(column) for column in term.columns))
            for cause in sorted(set(causes[valid].tolist())):
                kept = self._list(name, cause)
                own = np.flatnonzero(valid & (causes == cause) & ~np.isnan(values))
                for row in own[np.argsort(-values[own], kind="stable")].tolist():
                    if kept.floor is not None and values[row] < kept.floor:
                        break  # all that follow are less relevant
                    if row not in made:
                        made[row] = self._frame(block, row, cause, file)
                    kept.add(made[row])

    def _terms(self, block: RowBlock, file: Path) -> tuple[str, ...]:
        """The terms whose columns the rows have; those that were asked for must be among them."""
        there = tuple(name for name, term in TERMS.items() if block.columns.issuperset(term.columns))
        for name in self._rule.terms or ():
            if name not in there:
                raise MediaError(
                    f"expected the columns {', '.join(TERMS[name].columns)} for the term {name}, {file} lacks them: score "
                    "with a bundle that tells them, or select by other terms"
                )
        return self._rule.terms or there

    def _frame(self, block: RowBlock, row: int, cause: str, file: Path) -> ScoredFrame:
        features = block.features(row)
        if self._width is None:
            self._width = len(features)
        if len(features) != self._width:
            raise MediaError(
                f"expected {self._width} features a frame, as in the rows before, got {len(features)} in {block.place(row)}: "
                "select among frames of one bundle"
            )
        name = block.texts("frame")[row]
        rule = self._rule.group_by or ("drive" if "drive" in block.columns else "folder")
        if rule in ("drive", "camera") and rule not in block.columns:
            raise MediaError(
                f"expected the column {rule}, by which drives are told apart, {file} has none: tell them apart by "
                "folder or prefix"
            )
        texts = {column: block.texts(column)[row] for column in ("drive", "camera")}
        source = texts["drive"] or file.with_suffix("").as_posix()
        drive = drive_of(name, rule, texts)
        if not texts["drive"]:
            drive = f"{source}: {drive}" if drive else source
        count, peak = block.whole("object_count", row), block.numbers("largest_peak")[row]
        return ScoredFrame(
            frame=name,
            drive=sys.intern(drive),  # one text for all frames of a drive
            source=sys.intern(source),
            camera=texts["camera"],
            stamp_ns=block.whole("stamp_ns", row),
            score=float(block.numbers("score")[row]),
            expected_quality=float(block.numbers("expected_quality")[row]),
            cause=cause,
            object_count=count or 0,
            largest_peak=float(peak),
            features=features,
            seed=self._rule.seed,
        )


def _column_check() -> Callable[[Path, Collection[str]], None]:
    """Refuses a file without the columns that are needed, and one whose rows have not all the same."""
    known: list[set[str]] = []

    def check(path: Path, columns: Collection[str]) -> None:
        known.append(set(columns))
        if known[0] != known[-1]:
            raise ValueError("expected rows of the same columns, got others")
        missing = [name for name in _NEEDED if name not in columns]
        if missing == [FEATURES]:
            raise MediaError(
                f"expected rows with the column features, {path} has none: score the frames again, and keep their features"
            )
        if missing:
            raise MediaError(
                f"expected rows of verdicts with the columns {', '.join(_NEEDED)}, {path} lacks {', '.join(missing)}: name a "
                "file of verdicts that keeps the features"
            )

    return check


def _checked_terms(by: Sequence[str]) -> tuple[str, ...]:
    known, remedy = f"terms among {', '.join(TERMS)}", "pass a list of them, or None for all that the rows have"
    if isinstance(by, str) or not isinstance(by, Sequence):
        raise TypeError(f"expected {known}, got {shown(by)}: {remedy}")
    names = [check_text(name, known, remedy) for name in by]
    if not names or not set(names) <= set(TERMS):
        raise ValueError(f"expected {known}, got {shown(list(by))}: {remedy}")
    return tuple(name for name in TERMS if name in names)


def _checked_group(group_by: str) -> str:
    known, remedy = f"group_by among {', '.join(GROUPS)}", "pass one of them, or None"
    if check_text(group_by, known, remedy) not in GROUPS:
        raise ValueError(f"expected {known}, got {shown(group_by)}: {remedy}")
    return group_by
