# SPDX-License-Identifier: Apache-2.0
"""Set the limits above which a tile is abnormal, by clean frames whose drives were left out of the fit.

The score of a frame is the abnormality of its most abnormal tile. The limit is the smallest such score that at most a share
of the clean frames exceeds, every drive weighed alike: the rule of the threshold of the monitor
(:mod:`export.answers.frame_limit`); how many frames it keeps is told of limits that the other drives set. Which further
tiles count beside an abnormal one is set by a lower limit, which makes no frame abnormal.
"""

import math
from dataclasses import dataclass

import numpy as np

from export.answers.columns import Rows
from export.answers.frame_limit import frame_limit
from export.answers.left_out import FOLDS, frame_folds
from export.answers.rows import PatchedRows
from export.answers.tiles import FittedTiles, fit_tiles, tile_keys
from export.errors import CalibrationError
from export.reporter import SILENT, Reporter
from lsood_runtime.offline import TilesRecord

FALSE_ALARM_RATE = 0.05
"""Share of clean frames of new drives that may have an abnormal tile, where there are enough frames to promise it."""

NEIGHBOURS = 0.04
"""Share of the tiles of clean frames that are above the lower limit."""

FEWEST_FRAMES = 8
_LEAST_LIMIT = math.log(2)
"""Of both limits: a tile that is as likely clean as under a patch."""


@dataclass(frozen=True, eq=False)
class CalibratedTiles:
    """What tells abnormal tiles, with its limits.

    Attributes:
        fitted: to all frames.
        record: for the manifest.
    """

    fitted: FittedTiles
    record: TilesRecord


def calibrate_tiles(rows: PatchedRows, seed: int, reporter: Reporter = SILENT) -> CalibratedTiles:
    """Fit the tiles, and set their limits by clean frames whose drives were left out.

    Args:
        rows: clean and patched frames.
        seed: of the deal of drives to folds.
        reporter: told how many fits are done.

    Raises:
        CalibrationError: too few frames.
    """
    clean, keys = rows.chosen(rows.clean), tile_keys(tuple(rows.values))
    if len(clean) < FEWEST_FRAMES:
        raise CalibrationError(
            f"expected {FEWEST_FRAMES} or more clean frames to tell abnormal tiles, got {len(clean)}: calibrate on more, or "
            "leave --answers tiles out"
        )
    left_out = abnormality_left_out(rows, seed, reporter)
    largest = left_out.max(axis=(1, 2))
    set_by = frame_limit(largest, clean.drive.tolist(), (FALSE_ALARM_RATE,), _LEAST_LIMIT)
    fitted = fit_tiles(rows.values, keys, rows.cover, rows.clean)
    record = TilesRecord(
        rows=fitted.grid[0],
        columns=fitted.grid[1],
        layers=tuple(key.layer for key in keys if key.layer is not None),
        picture=any(key.is_of_picture for key in keys),
        limit=set_by.limit,
        neighbor_limit=max(min(float(np.quantile(left_out, 1 - NEIGHBOURS)), set_by.limit), _LEAST_LIMIT),
        false_alarm_rate=set_by.rule.rate,
        guarantee=set_by.rule.guarantee,
        clean_kept=set_by.kept,
        limit_frames=set_by.frames,
        limit_drives=set_by.drives,
    )
    return CalibratedTiles(fitted, record)


def abnormality_left_out(rows: PatchedRows, seed: int, reporter: Reporter = SILENT) -> Rows:
    """Abnormality ``(N, R, Q)`` of each tile of the clean frames, in their order, each by a fit without its drive."""
    keys, fold = tile_keys(tuple(rows.values)), frame_folds(rows.frame, rows.drive, FOLDS, seed)
    found = np.empty(rows.cover.shape)
    folds = np.unique(fold)
    for number in reporter.progress(folds, "judging tiles", len(folds)):
        others, own = rows.chosen(fold != number), fold == number
        fitted = fit_tiles(others.values, keys, others.cover, others.clean)
        found[own] = fitted.abnormality(rows.chosen(own).values)
    result: Rows = found[rows.clean]
    return result
