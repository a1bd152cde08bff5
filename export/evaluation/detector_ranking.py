# SPDX-License-Identifier: Apache-2.0
"""Rank detectors by how well each tells shifted frames of drives that it was not fitted on.

Whole drives are dealt to folds at random, blocks where there is one drive. A detector that is fitted without a fold scores
the fold's frames, clean and shifted, and these are compared among themselves alone: scores of two fits are never mixed. What
ranks is the mean AUROC over the cells that hurt the segmentation; a cell is one kind of shift at one severity.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from export.detectors.auroc import auroc
from export.detectors.cross_fit import FOLDS, Fold, deal_folds
from export.detectors.fitted import FeatureRows, FittedDetector, OnePart, PartOptions, fit_part, keys_of
from export.detectors.fused import Fused, fit_fused
from export.detectors.registry import FUSED, detector_spec
from export.evaluation.hurting import AGREEMENT
from export.evaluation.ood_metrics import ind_flagged
from export.features.key import FeatureKey

Scores = NDArray[np.float64]
ScoreFunction = Callable[[FeatureRows], Scores]


@dataclass(frozen=True)
class Candidate:
    """A detector that may be fitted.

    Attributes:
        detector: value of ``--detector``.
        parts: of it; several only where they are fused.
    """

    detector: str
    parts: tuple[PartOptions, ...]

    @property
    def keys(self) -> tuple[FeatureKey, ...]:
        """All features that are read, each once."""
        return keys_of(self.parts)

    @property
    def needs_ood_frames(self) -> bool:
        """Whether it is fitted on out-of-distribution frames as well."""
        return self.detector != FUSED and detector_spec(self.detector).needs_ood_frames


@dataclass(frozen=True, eq=False)
class ShiftedFrames:
    """Features of the M frames of a cell.

    Attributes:
        name: of the cell.
        kind: of shift.
        values: ``(M, D)`` under each key.
        clean: ``(M,)`` indices of the in-distribution frames that they are made of; None for real ones.
        agreement: ``(M,)`` share of the pixels of the clean frame's class; None where that is not known.
    """

    name: str
    kind: str
    values: FeatureRows
    clean: Fold | None = None
    agreement: NDArray[np.float64] | None = None

    def __len__(self) -> int:
        return len(next(iter(self.values.values())))

    @property
    def hurts(self) -> bool:
        """Whether the cell hurts the segmentation; where that is not known it counts as if it did."""
        return self.agreement is None or bool(self.agreement.mean() < AGREEMENT)

    def rows_in(self, fold: Fold) -> Fold:
        """Rows whose clean frame is in the fold; all rows of real frames."""
        return np.arange(len(self)) if self.clean is None else np.flatnonzero(np.isin(self.clean, fold))


Shares = list[tuple[ShiftedFrames, Fold]]
"""Cells, each with the rows of it that count."""


@dataclass(frozen=True)
class CellFigures:
    """How well a cell is told from in-distribution frames.

    Attributes:
        name: of the cell.
        kind: of shift.
        hurts: whether it hurts the segmentation.
        auroc: mean over the folds, each by its number of pairs of frames.
        flagged: share of in-distribution frames flagged where 95 % of the cell's are caught, the same mean.
    """

    name: str
    kind: str
    hurts: bool
    auroc: float
    flagged: float


@dataclass(frozen=True)
class Figures:
    """Figures of a detector.

    Attributes:
        cells: one or more.
    """

    cells: tuple[CellFigures, ...]

    @property
    def judged(self) -> tuple[CellFigures, ...]:
        """The cells that rank: those that hurt, or all where none does."""
        return tuple(cell for cell in self.cells if cell.hurts) or self.cells

    @property
    def hurting(self) -> float:
        """Mean AUROC over the judged cells."""
        return float(np.mean([cell.auroc for cell in self.judged]))

    @property
    def all_cells(self) -> float:
        """Mean AUROC over all cells."""
        return float(np.mean([cell.auroc for cell in self.cells]))

    @property
    def kinds(self) -> dict[str, float]:
        """Mean AUROC over the judged cells of each kind."""
        of_kind: dict[str, list[float]] = {}
        for cell in self.judged:
            of_kind.setdefault(cell.kind, []).append(cell.auroc)
        return {kind: float(np.mean(values)) for kind, values in of_kind.items()}

    @property
    def worst(self) -> tuple[str, float]:
        """The kind with the lowest AUROC among the judged cells, and that AUROC."""
        return min(self.kinds.items(), key=lambda item: item[1])

    @property
    def flagged(self) -> float:
        """Mean share of in-distribution frames flagged over the judged cells."""
        return float(np.mean([cell.flagged for cell in self.judged]))

    def over(self, kinds: Iterable[str]) -> "Figures":
        """Restrict to some kinds."""
        wanted = set(kinds)
        return Figures(tuple(cell for cell in self.cells if cell.kind in wanted))


class CrossFit:
    """Detectors fitted without one fold after the other, and the figures that they reach on it.

    Parts of fused detectors are fitted once a fold, however many detectors share them.

    Args:
        ind: ``(N, D)`` under each key, of in-distribution frames in the order of recording.
        drives: ``(N,)``.
        shifts: cells, one or more.
        seed: of the deal of drives to folds, and of PCAs.
        folds: how many, at most.

    Attributes:
        folds: indices of the frames of each.
        seed: as given.
    """

    def __init__(
        self,
        ind: FeatureRows,
        drives: Sequence[str],
        shifts: Sequence[ShiftedFrames],
        *,
        seed: int = 0,
        folds: int = FOLDS,
    ) -> None:
        self._ind, self._drives, self._shifts, self.seed = ind, list(drives), list(shifts), seed
        self.folds = deal_folds(self._drives, folds, seed)
        self._parts: dict[tuple[int, PartOptions], Fused] = {}

    def figures(self, candidate: Candidate) -> Figures:
        """Cross-validate a detector; one that needs out-of-distribution frames is tested on kinds that it has not seen.

        Raises:
            CalibrationError: frames that it cannot be fitted on.
        """
        return self.figures_of(candidate.keys, lambda fold: self._scorers(candidate, fold))

    def figures_of(
        self, keys: Sequence[FeatureKey], scorers: Callable[[int], Iterable[tuple[ScoreFunction, Shares]]]
    ) -> Figures:
        """Cross-validate whatever scores frames.

        Args:
            keys: features that it reads.
            scorers: gives, for the number of a fold, scores that the fold's frames did not fit, each with cells to test on.
        """
        pairs: dict[str, list[tuple[int, float, float]]] = {cell.name: [] for cell in self._shifts}
        for i, fold in enumerate(self.folds):
            for score, tested in scorers(i):
                clean = score(rows_of(self._ind, fold, keys))
                for cell, rows in tested:
                    if len(rows):
                        shifted = score(rows_of(cell.values, rows, keys))
                        labels = np.repeat([0, 1], [len(clean), len(shifted)])
                        flagged = ind_flagged(labels, np.concatenate([clean, shifted]))
                        pairs[cell.name].append((len(clean) * len(shifted), auroc(clean, shifted), flagged))
        cells = [cell for cell in self._shifts if pairs[cell.name]]
        return Figures(tuple(_mean_over_folds(cell, pairs[cell.name]) for cell in cells))

    def fitted_without(self, candidate: Candidate, fold: int, ood: FeatureRows | None = None) -> FittedDetector:
        """The detector fitted on all frames but a fold's.

        Raises:
            CalibrationError: frames that it cannot be fitted on.
        """
        if candidate.detector != FUSED:
            (part,) = candidate.parts
            rows, names = self._without(fold, part.keys)
            return OnePart(fit_part(part, rows, names, ood, seed=self.seed))
        alone = [self._part(part, fold) for part in candidate.parts]
        return Fused(
            tuple(part for fused in alone for part in fused.parts),
            np.concatenate([fused.centres for fused in alone]),
            np.concatenate([fused.scales for fused in alone]),
            np.concatenate([fused.weights for fused in alone]),
        )

    def tested_in(self, fold: int) -> Shares:
        """All cells with the rows that are made of a fold's frames."""
        return [(cell, cell.rows_in(self.folds[fold])) for cell in self._shifts]

    def shares(self, candidate: Candidate) -> tuple[Scores, dict[str, Scores]]:
        """Shares of a fused detector's parts at their own weights, of all frames by detectors that they did not fit.

        Returns:
            ``(N, P)`` of the in-distribution frames, and ``(M, P)`` of the frames of the cells that hurt, by kind.
        """
        ind = np.empty((len(self._drives), len(candidate.parts)))
        shifts: dict[str, list[Scores]] = {}
        for i, fold in enumerate(self.folds):
            detector = self.fitted_without(candidate, i)
            ind[fold] = detector.part_scores(rows_of(self._ind, fold, candidate.keys))
            for cell, rows in self.tested_in(i):
                if cell.hurts and len(rows):
                    shifted = rows_of(cell.values, rows, candidate.keys)
                    shifts.setdefault(cell.kind, []).append(detector.part_scores(shifted))
        return ind, {kind: np.concatenate(parts) for kind, parts in shifts.items()}

    def _part(self, part: PartOptions, fold: int) -> Fused:
        if (fold, part) not in self._parts:
            rows, names = self._without(fold, part.keys)
            self._parts[fold, part] = fit_fused([part], rows, names, seed=self.seed)
        return self._parts[fold, part]

    def _without(self, fold: int, keys: Sequence[FeatureKey]) -> tuple[FeatureRows, list[str]]:
        others = self.others(fold)
        return rows_of(self._ind, others, keys), [self._drives[i] for i in others]

    def others(self, fold: int) -> Fold:
        """Indices of the frames outside a fold."""
        return np.setdiff1d(np.arange(len(self._drives)), self.folds[fold])

    def _scorers(self, candidate: Candidate, fold: int) -> Iterator[tuple[ScoreFunction, Shares]]:
        if not candidate.needs_ood_frames:
            yield self.fitted_without(candidate, fold).score, self.tested_in(fold)
            return
        for learnt, tested in split_kinds(self._shifts, self.others(fold), self.folds[fold]):
            ood = joined_rows(learnt, candidate.keys)
            yield self.fitted_without(candidate, fold, ood).score, tested


def rows_of(values: FeatureRows, rows: Fold, keys: Iterable[FeatureKey]) -> FeatureRows:
    """Some rows of some features."""
    return {key: values[key][rows] for key in keys}


def joined_rows(shares: Shares, keys: Iterable[FeatureKey]) -> FeatureRows:
    """Rows of several cells, one below the other."""
    return {key: np.concatenate([cell.values[key][rows] for cell, rows in shares]) for key in keys}


def split_kinds(shifts: Sequence[ShiftedFrames], fit: Fold, test: Fold) -> Iterator[tuple[Shares, Shares]]:
    """Yield the cells that a detector which needs out-of-distribution frames is fitted on, and those it is tested on.

    Of several kinds it is fitted on every other one and tested on the rest. Of a single one the frames are split: those that
    are made of clean frames by these, real ones in halves.
    """
    kinds = list(dict.fromkeys(cell.kind for cell in shifts))
    if len(kinds) > 1:
        for learnt_kinds in (kinds[::2], kinds[1::2]):
            yield (
                [(cell, cell.rows_in(fit)) for cell in shifts if cell.kind in learnt_kinds],
                [(cell, cell.rows_in(test)) for cell in shifts if cell.kind not in learnt_kinds],
            )
        return
    if any(cell.clean is not None for cell in shifts):
        yield [(cell, cell.rows_in(fit)) for cell in shifts], [(cell, cell.rows_in(test)) for cell in shifts]
        return
    halves = [(cell, np.array_split(np.arange(len(cell)), 2)) for cell in shifts]
    for turn in (0, 1):
        yield [(cell, parts[turn]) for cell, parts in halves], [(cell, parts[1 - turn]) for cell, parts in halves]


def _mean_over_folds(cell: ShiftedFrames, pairs: Sequence[tuple[int, float, float]]) -> CellFigures:
    weights, aurocs, flagged = zip(*pairs, strict=True)
    return CellFigures(
        cell.name,
        cell.kind,
        cell.hurts,
        float(np.average(aurocs, weights=weights)),
        float(np.average(flagged, weights=weights)),
    )
