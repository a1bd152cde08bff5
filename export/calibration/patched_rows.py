# SPDX-License-Identifier: Apache-2.0
"""Measure calibration frames clean, with a part replaced, and with local kinds of degradation, to fit abnormal tiles on."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from export.anomalies import SEVERITIES, TILE_KINDS, degrade_with_mask
from export.anomalies.patch_fillings import FILLINGS
from export.anomalies.patches import patched
from export.answers.rows import PatchedRows
from export.answers.tiles import grid_of, tile_keys
from export.calibration.degraded_rows import CLEAN
from export.calibration.measuring import Measure, Spread, one_process
from export.errors import CalibrationError
from export.features.key import FeatureKey
from export.frames.evenly_spaced import evenly_spaced
from export.frames.files import FrameFiles
from export.reporter import Reporter
from lsood_runtime.offline import InputContract, TileEdges

PATCHES, DEGRADED = 8, 4
"""Pictures of each clean frame with a patch, and with a local kind of degradation. Fillings, kinds and severities take turns
over all of them, so that each is drawn as often."""

EACH = 1 + PATCHES + DEGRADED
"""Pictures of a frame, the clean one first."""


def patched_passes(frames: int) -> int:
    """Passes of the network for so many calibration frames."""
    return min(frames, CLEAN) * EACH


def measure_patched(
    files: FrameFiles,
    fitted: NDArray[np.int64],
    drives: Callable[[NDArray[np.int64]], Sequence[str]],
    measure: Measure,
    contract: InputContract,
    seed: int,
    reporter: Reporter,
    spread: Spread = one_process,
) -> PatchedRows:
    """Measure evenly spaced frames, each clean, with patches, and with local kinds of degradation.

    Args:
        files: the calibration frames.
        fitted: indices of those that detectors are fitted on.
        drives: names of the drives of frames, by their indices.
        measure: gives the moments of a frame tile by tile, and whatever else.
        contract: of the input, which says where in the frame a tile lies.
        seed: of patches and degradations.
        reporter: told how far this has come.
        spread: measures in this process, or in several.

    Raises:
        CalibrationError: a feature that is not finite.
    """
    chosen = evenly_spaced(fitted, CLEAN)
    reporter.stage(
        f"{patched_passes(len(fitted)):,} passes of the network for abnormal tiles (clean frames: {len(chosen)})"
    )
    frames = [int(index) for index in chosen for _ in range(EACH)]
    todo = list(enumerate(frames))
    with spread(_Patching(files, chosen, contract, seed), measure) as run:
        measured = list(reporter.progress(run(todo, 1), "patching", len(todo)))
    places = np.array(frames, np.int64)
    return PatchedRows(
        values={key: np.stack([each.values[key] for each in measured]) for key in measured[0].values},
        cover=np.stack([each.cover for each in measured]),
        filling=np.array([each.filling for each in measured]),
        drive=np.array(drives(places)),
        frame=places,
    )


@dataclass(frozen=True, eq=False)
class _Patched:
    """A frame, clean, patched or degraded, and measured."""

    values: Mapping[FeatureKey, NDArray[np.float32]]
    cover: NDArray[np.float64]
    filling: str


@dataclass(frozen=True, eq=False)
class _Patching:
    """Makes a frame and measures its tiles."""

    files: FrameFiles
    sources: NDArray[np.int64]
    contract: InputContract
    seed: int

    def __call__(self, measure: Measure, each: tuple[int, int]) -> _Patched:
        """Measure a frame, by its turn and its index.

        Raises:
            CalibrationError: a feature that is not finite.
        """
        turn, index = each
        filling, severity = change_of(turn)
        frame, mask = self._changed(self.files[index], filling, severity, turn)
        given = measure(frame)[0]
        keys = tile_keys(tuple(given))
        for key in keys:
            if not np.isfinite(given[key]).all():
                raise CalibrationError(
                    f"expected finite features, {self.files.paths[index]}{f' with {filling}' * bool(filling)} gives NaN or "
                    f"infinity in {key}: look at it, or leave --answers tiles out"
                )
        cover = cover_of_tiles(mask, self.contract.tile_edges(*grid_of(keys)))
        return _Patched({key: np.asarray(given[key], np.float32) for key in keys}, cover, filling)

    def _changed(
        self, frame: NDArray[np.uint8], filling: str, severity: int, turn: int
    ) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """The frame, clean, patched or degraded, and ``(H, W)`` bool: where it is not as it was."""
        if not filling:
            return frame, np.zeros(frame.shape[:2], np.bool_)
        rng = np.random.default_rng((self.seed, turn))
        if not severity:
            return patched(frame, self.files[int(rng.choice(self.sources))], filling, rng)
        turned = slice(None, None, -1 if self.files.channels == "bgr" else 1)  # degradations are defined on RGB
        degraded, mask = degrade_with_mask(frame[..., turned], filling, severity, int(rng.integers(_SEEDS)))
        return np.ascontiguousarray(degraded[..., turned]), mask


_SEEDS = 2**31
"""Of degradations, so many are drawn from."""


def change_of(turn: int) -> tuple[str, int]:
    """What is done to a picture by its turn, counted over clean and changed ones, of which the clean ones come first.

    Returns:
        A filling and 0, or a kind of degradation and its severity; of the clean ones an empty name and 0.
    """
    frame, place = divmod(turn, EACH)
    if not place:
        return "", 0
    if place <= PATCHES:
        return FILLINGS[(PATCHES * frame + place - 1) % len(FILLINGS)], 0
    rounds, kind = divmod(DEGRADED * frame + place - 1 - PATCHES, len(TILE_KINDS))
    return TILE_KINDS[kind], SEVERITIES[(rounds + kind) % len(SEVERITIES)]


def cover_of_tiles(mask: NDArray[np.bool_], edges: TileEdges) -> NDArray[np.float64]:
    """Share ``(R, Q)`` of each tile that a mask ``(H, W)`` of the frame covers, where the tile shows the frame.

    Of a tile that shows nothing of it the share is 0. Pixels that a tile holds in part count in part.
    """
    sums = np.pad(mask.astype(np.float64).cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    below = _between(sums, edges.down)
    covered = np.diff(np.diff(_between(below.T, edges.across).T, axis=0), axis=1)
    sizes = np.outer(np.diff(edges.down), np.diff(edges.across))
    share: NDArray[np.float64] = np.clip(np.divide(covered, sizes, out=np.zeros_like(sizes), where=sizes > 0), 0, 1)
    return share


def _between(sums: NDArray[np.float64], places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rows ``(P, W)`` of cumulative sums ``(H + 1, W)`` at places between 0 and H, straight lines between two rows."""
    low = np.minimum(places.astype(np.int64), len(sums) - 2)
    part = (places - low)[:, None]
    rows: NDArray[np.float64] = sums[low] * (1 - part) + sums[low + 1] * part
    return rows
