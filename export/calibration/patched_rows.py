# SPDX-License-Identifier: Apache-2.0
"""Measure calibration frames clean and with a part replaced, to fit abnormal tiles on."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from export.anomalies.patches import FILLINGS, patched
from export.answers.rows import PatchedRows
from export.answers.tiles import grid_of, tile_keys
from export.calibration.degraded_rows import CLEAN, Measure
from export.errors import CalibrationError
from export.features.key import FeatureKey
from export.frames.evenly_spaced import evenly_spaced
from export.frames.files import FrameFiles
from export.reporter import Reporter

PATCHES = 4
"""Patched pictures of each clean frame."""


def patched_passes(frames: int) -> int:
    """Passes of the network for so many calibration frames."""
    return min(frames, CLEAN) * (1 + PATCHES)


def measure_patched(
    files: FrameFiles,
    fitted: NDArray[np.int64],
    drives: Callable[[NDArray[np.int64]], Sequence[str]],
    measure: Measure,
    seed: int,
    reporter: Reporter,
) -> PatchedRows:
    """Measure evenly spaced frames, clean and with patches, fillings by turns.

    Args:
        files: the calibration frames.
        fitted: indices of those that detectors are fitted on.
        drives: names of the drives of frames, by their indices.
        measure: gives the moments of a frame tile by tile, and whatever else.
        seed: of the patches.
        reporter: told how far this has come.

    Raises:
        CalibrationError: a feature that is not finite.
    """
    chosen = evenly_spaced(fitted, CLEAN)
    reporter.stage(
        f"{patched_passes(len(fitted)):,} passes of the network for abnormal tiles (clean frames: {len(chosen)})"
    )
    frames = [int(index) for index in chosen for _ in range(1 + PATCHES)]
    values: dict[FeatureKey, list[NDArray[np.float32]]] = {}
    cover: list[NDArray[np.float64]] = []
    fillings: list[str] = []
    for turn, index in enumerate(reporter.progress(frames, "patching", len(frames))):
        frame, mask, filling = files[index], np.zeros(files.shape[:2], np.bool_), ""
        if turn % (1 + PATCHES):
            rng = np.random.default_rng((seed, turn))
            other = files[int(rng.choice(chosen))]
            filling = FILLINGS[turn % len(FILLINGS)]
            frame, mask = patched(frame, other, filling, rng)
        given = measure(frame)[0]
        keys = tile_keys(tuple(given))
        for key in keys:
            if not np.isfinite(given[key]).all():
                raise CalibrationError(
                    f"expected finite features, {files.paths[index]} with a patch gives NaN or infinity in {key}: look at "
                    "it, or leave --answers tiles out"
                )
            values.setdefault(key, []).append(np.asarray(given[key], np.float32))
        fillings.append(filling)
        cover.append(cover_of_tiles(mask, *grid_of(keys)))
    places = np.array(frames, np.int64)
    return PatchedRows(
        values={key: np.stack(rows) for key, rows in values.items()},
        cover=np.stack(cover),
        filling=np.array(fillings),
        drive=np.array(drives(places)),
        frame=places,
    )


def cover_of_tiles(mask: NDArray[np.bool_], rows: int, columns: int) -> NDArray[np.float64]:
    """Share ``(R, Q)`` of each tile that a mask ``(H, W)`` covers; tiles of sizes that differ by a pixel at most."""
    height, width = mask.shape
    down, across = (np.arange(count) * size // count for count, size in ((rows, height), (columns, width)))
    sums = np.add.reduceat(np.add.reduceat(mask.astype(np.float64), down, axis=0), across, axis=1)
    sizes = np.outer(np.diff([*down, height]), np.diff([*across, width]))
    share: NDArray[np.float64] = sums / sizes
    return share
