# SPDX-License-Identifier: Apache-2.0
"""Fit the answers beside the score: expected quality, cause, severity, novelty, abnormal tiles, and a map of the unknown.

The picture itself, and the layers before the tap where they help, tell what is wrong with a frame: they see its texture and
light before the network makes classes of it. The network's output, and the tap where it helps, tell how good the classes are:
they react alike whatever is wrong, so that the quality holds for kinds of degradation that no fit has seen.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from export.answers.cells import FittedCells
from export.answers.columns import StandardisedColumns, Values, fit_columns
from export.answers.fit_causes import JudgedCells, fit_causes, judge_cells
from export.answers.fit_map import CalibratedMap
from export.answers.fit_quality import JudgedQuality, fit_quality, judge_columns, judge_novelty
from export.answers.fit_tiles import calibrate_tiles
from export.answers.left_out import FOLDS, FOLDS_WITH_KINDS, drive_folds
from export.answers.maps import FittedMap
from export.answers.quality import FittedQuality
from export.answers.rows import DegradedRows, PatchedRows
from export.answers.tiles import FittedTiles
from export.answers.typicality import FittedTypicality
from export.errors import CalibrationError
from export.features.key import PICTURE, PICTURE_SPREAD, Aggregate, FeatureKey, FeatureKind
from export.reporter import SILENT, Reporter
from lsood_runtime.offline import CAUSES, NO_CAUSE, NOVELTY, QUALITY, SEVERITY, TILES, AnswersRecord

QUALITY_ANSWER, CAUSE_ANSWER = "quality", "cause"
FEWEST_FRAMES, FEWEST_KINDS = 8, 2
MOVED = ("decalibration",)
"""Kinds that move the picture, so that neither a label nor the clean frame's class map lies where its pixels are: they tell
nothing of the quality."""

CELL_COLUMNS, QUALITY_COLUMNS = 256, 1024
"""Numbers of a feature that cause and quality read, at most: a fit takes the cube of their sum."""
_OUTPUT_KINDS = (FeatureKind.CLASS_SHARE, FeatureKind.LOGIT_MOMENTS, FeatureKind.EXPECTED_IOU)


@dataclass(frozen=True, eq=False, kw_only=True)
class FittedAnswers:
    """All answers of a bundle.

    Attributes:
        keys: features that are read.
        cell_columns: of which cause and severity are told; None where they are not.
        cells: tell them; None where they are not told.
        picture_columns: of which it is told whether a frame is typical of its cause; None where no cause is told.
        typicality: tells it; None where no cause is told.
        far_columns: of which the novelty is told as well; None where neither cause nor quality is.
        far_cells: tell it, with ``cells``; None where it is not told, and ``cells`` itself where these read the same columns.
        quality_columns: of which the quality is told; None where it is not.
        quality: tells it; None where it is not.
        tiles: how abnormal each tile is; None where it is not told.
        map: how unknown each cell is; None where it is not told.
        record: for the manifest.
    """

    keys: tuple[FeatureKey, ...]
    cell_columns: StandardisedColumns | None = None
    cells: FittedCells | None = None
    picture_columns: StandardisedColumns | None = None
    typicality: FittedTypicality | None = None
    far_columns: StandardisedColumns | None = None
    far_cells: FittedCells | None = None
    quality_columns: StandardisedColumns | None = None
    quality: FittedQuality | None = None
    tiles: FittedTiles | None = None
    map: FittedMap | None = None
    record: AnswersRecord

    def outputs(self, values: Values) -> dict[str, NDArray[np.float64]]:
        """Answers on N frames, under the names of the graph's outputs; NaN where a feature that is read is not finite.

        What is made of whole maps, of which there are rarely many, is left out: the anomaly map, which ``map`` gives, and
        the confidence of classes.

        Args:
            values: ``(N, D)`` of each of the keys that are no maps.
        """
        answers: dict[str, NDArray[np.float64]] = {}
        if self.tiles is not None:
            answers[TILES] = self.tiles.abnormality(values)
        if self.far_columns is None or self.far_cells is None:
            return answers
        novelty = self.far_cells.novelty(self.far_columns(values))
        if self.cells is not None:
            assert self.cell_columns is not None
            assert self.picture_columns is not None
            assert self.typicality is not None
            columns = self.cell_columns(values)
            if self.cells is not self.far_cells:
                novelty = np.maximum(novelty, self.cells.novelty(columns))
            answers[CAUSES] = self.typicality(self.cells.causes(columns), self.picture_columns(values))
            answers[SEVERITY] = self.cells.severities(columns)
        answers[NOVELTY] = novelty
        if self.quality is not None and self.quality_columns is not None:
            answers[QUALITY] = self.quality(self.quality_columns(values), novelty)
        return answers


def answer_keys(available: Sequence[FeatureKey], tap_layers: Sequence[str]) -> tuple[FeatureKey, ...]:
    """Choose the features that answers read, of those that a graph gives.

    Args:
        available: features of the graph, layers in the order of the network.
        tap_layers: names of the taps.
    """
    causes = _cause_keys(available, tap_layers)
    return tuple(dict.fromkeys((*(causes[-1] if causes else ()), *_quality_keys(available, tap_layers)[0])))


def _cause_keys(available: Sequence[FeatureKey], tap_layers: Sequence[str]) -> list[tuple[FeatureKey, ...]]:
    """Features that causes may be told of: the picture alone, then with the first layer, the first two, and so on."""
    moments = [key for key in available if key.kind is FeatureKind.MOMENTS]
    early = [key for key in moments if key.layer not in tap_layers] or moments
    picture = tuple(key for key in available if key in (PICTURE, PICTURE_SPREAD))
    choices = [(*early[:count], *picture) for count in range(len(early) + 1)]
    return [keys for keys in choices if keys]


_Judged = tuple[StandardisedColumns, JudgedCells]
"""Columns, and what cells of them tell of drives left out."""


def _choose_columns(
    rows: DegradedRows, names: tuple[str, ...], tap_layers: Sequence[str], fold: NDArray[np.int64], *, tells_cause: bool
) -> tuple[_Judged, _Judged]:
    """Choose the features that tell the causes best on drives left out: few frames fit a layer's many numbers badly.

    Beside them all features that causes may be told of, and these alone where no cause is told.
    """
    clean = rows.severity == 0
    choices = []
    for keys in _cause_keys(tuple(rows.values), tap_layers)[0 if tells_cause else -1 :]:
        columns = fit_columns(rows.values, keys, clean, CELL_COLUMNS)
        choices.append((columns, judge_cells(rows, columns(rows.values), names, fold)))
    return min(choices, key=lambda choice: choice[1].loss), choices[-1]


def _quality_keys(available: Sequence[FeatureKey], tap_layers: Sequence[str]) -> list[tuple[FeatureKey, ...]]:
    """Features that the quality may be told of: the network's output with the tap, and without it."""
    taps = [key for key in available if key.kind is FeatureKind.MOMENTS and key.layer in tap_layers]
    output = [key for key in available if key.kind in _OUTPUT_KINDS or key.aggregate is Aggregate.MEAN]
    choices = {tuple(key for key in available if key in chosen) for chosen in ([*taps, *output], output)}
    return sorted(choices, key=len, reverse=True)


def fit_answers(
    rows: DegradedRows,
    which: frozenset[str],
    seed: int,
    tap_layers: Sequence[str],
    patched: PatchedRows | None = None,
    calibrated_map: CalibratedMap | None = None,
    reporter: Reporter = SILENT,
) -> FittedAnswers:
    """Fit the answers on clean and degraded frames, and judge them on drives and kinds that were left out.

    Args:
        rows: features of :func:`answer_keys`, of each frame clean and degraded.
        which: of ``quality`` and ``cause``.
        seed: of the deal of drives to folds.
        tap_layers: names of the taps.
        patched: clean and patched frames, where abnormal tiles are to be told as well.
        calibrated_map: of what is unknown, where it is to be given as well.
        reporter: told how many of the fits that judge are done.

    Raises:
        CalibrationError: too few frames or kinds, or too few rows for an interval.
    """
    kinds = tuple(sorted(set(rows.kind.tolist()) - {NO_CAUSE}))
    clean = rows.severity == 0
    if clean.sum() < FEWEST_FRAMES or len(kinds) < FEWEST_KINDS:
        raise CalibrationError(
            f"expected {FEWEST_FRAMES} or more clean frames and {FEWEST_KINDS} kinds of degradation to fit answers, got "
            f"{clean.sum()} and {len(kinds)}: calibrate on more, or leave --answers out"
        )
    names, keys = (NO_CAUSE, *kinds), tuple(rows.values)
    tells_cause = CAUSE_ANSWER in which
    (cell_columns, told), (far_columns, far) = _choose_columns(
        rows, names, tap_layers, drive_folds(rows, FOLDS, seed), tells_cause=tells_cause
    )
    near, further = cell_columns(rows.values), far_columns(rows.values)
    picture_columns = fit_columns(rows.values, _cause_keys(keys, tap_layers)[0], clean, CELL_COLUMNS)
    causes = fit_causes(rows, near, names, told, further, far, picture_columns(rows.values))
    quality_columns = quality = quality_record = None
    if QUALITY_ANSWER in which:
        still = ~np.isin(rows.kind, MOVED) & ~rows.own & ~rows.changed
        rows_of_quality = rows.chosen(still)
        cells = [(further[still], causes.far_sizes)]
        if told is not far:
            cells.append((near[still], causes.sizes))
        fold = drive_folds(rows_of_quality, FOLDS_WITH_KINDS, seed)
        choices = [
            judge_columns(rows_of_quality, fit_columns(rows.values, chosen, clean, QUALITY_COLUMNS), fold, reporter)
            for chosen in _quality_keys(keys, tap_layers)
        ]
        outer = min(choices, key=lambda choice: choice.offset)
        quality_columns = outer.read
        judged = JudgedQuality(outer.expected, judge_novelty(rows_of_quality, cells, names, fold))
        layout = (outer.rows, outer.read.widths, outer.hidden)
        quality, quality_record = fit_quality(rows_of_quality, *layout, judged, causes.novelty_limit)
    tiles = None if patched is None else calibrate_tiles(patched, seed, reporter)
    record = AnswersRecord(
        causes.novelty_limit,
        kinds,
        int(clean.sum()),
        len(set(rows.drive[clean].tolist())),
        len(rows),
        quality_record,
        causes.record if tells_cause else None,
        None if tiles is None else tiles.record,
        None if calibrated_map is None else calibrated_map.record,
        None if calibrated_map is None else calibrated_map.confidence,
    )
    fitted_tiles = None if tiles is None else tiles.fitted
    fitted_map = None if calibrated_map is None else calibrated_map.fitted
    readers = (far_columns, quality_columns, fitted_tiles, fitted_map)
    read = tuple(dict.fromkeys(key for reader in readers if reader is not None for key in reader.keys))
    return FittedAnswers(
        keys=read,
        cell_columns=cell_columns if tells_cause else None,
        cells=causes.cells if tells_cause else None,
        picture_columns=picture_columns if tells_cause else None,
        typicality=causes.typicality if tells_cause else None,
        far_columns=far_columns,
        far_cells=causes.far_cells,
        quality_columns=quality_columns,
        quality=quality,
        tiles=fitted_tiles,
        map=fitted_map,
        record=record,
    )


def fit_places(
    patched: PatchedRows | None, calibrated_map: CalibratedMap | None, seed: int, reporter: Reporter = SILENT
) -> FittedAnswers:
    """Fit what tells where in the picture something is, abnormal tiles or a map of the unknown, and nothing else.

    Args:
        patched: clean and patched frames; None without tiles.
        calibrated_map: of what is unknown; None without a map, where there are tiles.
        seed: of the deal of drives to folds.
        reporter: told how many of the fits that judge are done.

    Raises:
        CalibrationError: too few frames.
    """
    tiles = None if patched is None else calibrate_tiles(patched, seed, reporter)
    counts = [] if calibrated_map is None else [(calibrated_map.frames, calibrated_map.drives, calibrated_map.pictures)]
    if patched is not None:
        drives = patched.drive[patched.clean]
        counts.append((len(drives), len(set(drives.tolist())), len(patched)))
    frames, of_drives = (max(column) for column in list(zip(*counts, strict=True))[:2])
    record = AnswersRecord(
        None,
        (),
        frames,
        of_drives,
        frames + sum(pictures - clean for clean, _, pictures in counts),
        None,
        None,
        None if tiles is None else tiles.record,
        None if calibrated_map is None else calibrated_map.record,
        None if calibrated_map is None else calibrated_map.confidence,
    )
    fitted_tiles = None if tiles is None else tiles.fitted
    fitted_map = None if calibrated_map is None else calibrated_map.fitted
    read = (key for reader in (fitted_tiles, fitted_map) if reader is not None for key in reader.keys)
    return FittedAnswers(keys=tuple(read), tiles=fitted_tiles, map=fitted_map, record=record)
