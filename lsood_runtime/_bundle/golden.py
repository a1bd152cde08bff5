# SPDX-License-Identifier: Apache-2.0
"""Golden frames: a few frames with the scores that they had at export, to replay on the machine that runs the bundle."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lsood_runtime._bundle.answers_records import ANOMALY_MAP
from lsood_runtime._bundle.array_archive import read_arrays
from lsood_runtime._bundle.files import GOLDEN_FILE
from lsood_runtime._bundle.manifest import Manifest
from lsood_runtime._exceptions import BundleError, one_line

CLASSES = "classes"
"""Name of the class maps in the archive."""

MOST_FRAMES = 100
"""Golden frames of a bundle, at most."""


@dataclass(frozen=True, slots=True, eq=False)
class GoldenFrames:
    """G frames with their scores at export.

    Attributes:
        frames: ``(G, H, W, 3)`` uint8.
        scores: ``(G,)`` float64.
        noise: for masks of mode ``input``, ``(G, S, ...)`` float32 for each noise input; else empty.
        tolerance: largest allowed difference of a score, for the providers ``cpu`` and ``gpu``.
        classes: ``(G, h, w)`` uint8 or uint16 class of each pixel at export; None where the bundle does not keep them.
        pixel_changes: largest allowed share of pixels of another class, for the same providers; empty without class maps.
        answers: of the frames at export, by the names of the graph's outputs; empty where the bundle answers nothing.
        answer_ranges: what each answer ranges over.
        answer_tolerance: largest allowed difference of an answer, as a share of its range, for the same providers.
        smallest_object: cells of an anomaly map that an object has at least; 1 where there is none.
    """

    frames: NDArray[np.uint8]
    scores: NDArray[np.float64]
    noise: tuple[NDArray[np.float32], ...]
    tolerance: dict[str, float]
    classes: NDArray[np.uint8] | NDArray[np.uint16] | None = None
    pixel_changes: dict[str, float] = field(default_factory=dict)
    answers: Mapping[str, NDArray[np.float64] | NDArray[np.float32]] = field(default_factory=dict)
    answer_ranges: Mapping[str, float] = field(default_factory=dict)
    answer_tolerance: dict[str, float] = field(default_factory=dict)
    smallest_object: int = 1

    def __len__(self) -> int:
        return len(self.frames)


def parse_golden(contents: bytes, manifest: Manifest) -> GoldenFrames:
    """Read golden frames out of the bytes of their archive.

    Raises:
        BundleError: no archive of arrays, or arrays that do not fit the manifest.
    """
    answers = {} if manifest.answers is None else manifest.answers.shapes()
    told = None if manifest.answers is None else manifest.answers.map
    maps_kept = [CLASSES] if manifest.golden.pixel_changes else []
    try:
        arrays = read_arrays(contents, ["frames", "scores", *manifest.masks.noise_names, *maps_kept, *answers])
    except Exception as error:  # zipfile, zlib and numpy raise a dozen types for content that is no archive of arrays
        raise BundleError(
            f"expected {GOLDEN_FILE} to hold frames and scores, got {type(error).__name__}: {one_line(error)}"
        ) from error
    frames, scores = arrays["frames"], arrays["scores"]
    noise = tuple(arrays[name] for name in manifest.masks.noise_names)
    shape = (manifest.input.frame_height, manifest.input.frame_width, 3)
    if frames.dtype != np.uint8 or frames.shape[1:] != shape or len(frames) == 0:
        raise BundleError(
            f"expected golden frames (G, {str(shape)[1:]} uint8 in {GOLDEN_FILE}, got {frames.shape} {frames.dtype}: "
            "export the bundle again"
        )
    if len(frames) > MOST_FRAMES:
        raise BundleError(
            f"expected at most {MOST_FRAMES} golden frames in {GOLDEN_FILE}, got {len(frames)}: export the bundle again"
        )
    if scores.dtype != np.float64 or scores.shape != frames.shape[:1]:
        raise BundleError(
            f"expected {len(frames)} float64 scores in {GOLDEN_FILE}, got {scores.shape} {scores.dtype}: "
            "export the bundle again"
        )
    for name, values, noise_shape in zip(manifest.masks.noise_names, noise, manifest.masks.noise, strict=True):
        wanted = (len(frames), manifest.masks.count, *noise_shape)
        if values.dtype != np.float32 or values.shape != wanted:
            raise BundleError(
                f"expected {name} {wanted} float32 in {GOLDEN_FILE}, got {values.shape} {values.dtype}: "
                "export the bundle again"
            )
    classes, segmentation = arrays.get(CLASSES), manifest.segmentation
    if classes is not None:
        maps = (len(frames), segmentation.height, segmentation.width)
        if classes.dtype not in (np.uint8, np.uint16) or classes.shape != maps or segmentation.kind == "none":
            raise BundleError(
                f"expected class maps {maps} in {GOLDEN_FILE}, got {classes.shape} {classes.dtype}: "
                "export the bundle again"
            )
    for name, answer in answers.items():
        wanted = (len(frames), *answer)
        kind = "float32" if name == ANOMALY_MAP else "float64"
        if arrays[name].dtype != kind or arrays[name].shape != wanted or not np.isfinite(arrays[name]).all():
            raise BundleError(
                f"expected {name} {wanted} {kind}, finite, in {GOLDEN_FILE}, got {arrays[name].shape} "
                f"{arrays[name].dtype}: export the bundle again"
            )
    return GoldenFrames(
        frames=frames,
        scores=scores,
        noise=noise,
        tolerance=manifest.golden.tolerance,
        classes=classes,
        pixel_changes=manifest.golden.pixel_changes,
        answers={name: arrays[name] for name in answers},
        answer_ranges={} if manifest.answers is None else manifest.answers.ranges(),
        answer_tolerance=manifest.golden.answers,
        smallest_object=1 if told is None else told.smallest_object,
    )
