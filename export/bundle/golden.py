# SPDX-License-Identifier: Apache-2.0
"""Golden frames: a few frames with their scores and tolerances, which the runtime's self-test replays."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.errors import CalibrationError
from export.graphs.monitor_forms import Form, class_maps
from export.graphs.noise import NoiseBatch
from lsood_runtime.offline import (
    ANOMALY_MAP,
    ANSWER_SHARES,
    CLASSES,
    FRESH_DEVIATIONS,
    GOLDEN_FILE,
    SMALLEST_SPREAD,
    TOLERANCE_SHARES,
    AnswersRecord,
    GoldenFrames,
    noise_name,
    score_range,
)

FRESH_DRAWS = 16
"""For fresh masks: how often a golden frame is scored."""


def score_golden_frames(
    form: Form,
    frames: NDArray[np.uint8],
    noise: NoiseBatch,
    *,
    mode: str,
    scores: NDArray[np.float64],
    pixel_changes: Mapping[str, float] | None = None,
    answers: AnswersRecord | None = None,
) -> GoldenFrames:
    """Score golden frames and set their tolerance; keep their class maps where the monitor gives a segmentation.

    Args:
        form: the monitor.
        frames: ``(G, H, W, 3)``.
        noise: for the G frames; empty where the graph takes none.
        mode: of the masks; a frame is scored several times where they are drawn in the graph.
        scores: of the calibration frames.
        pixel_changes: allowed share of pixels of another class, for the providers ``cpu`` and ``gpu``; None keeps no class
            maps.
        answers: of the monitor beside the score, which are kept as well; None where it gives none.

    Raises:
        CalibrationError: for fresh masks, chance moves the score of one frame further than the calibration scores lie apart.
    """
    draws = FRESH_DRAWS if mode == "fresh" else 1
    outputs = [
        [form(frames[i : i + 1], [values[i : i + 1] for values in noise]) for _ in range(draws)]
        for i in range(len(frames))
    ]
    drawn_scores = [[float(drawn["score"][0]) for drawn in of_frame] for of_frame in outputs]
    classes: NDArray[np.uint8] | NDArray[np.uint16] | None = None
    if pixel_changes is not None and "segmentation" in outputs[0][0]:
        maps = np.concatenate([class_maps(of_frame[0]["segmentation"]) for of_frame in outputs])
        classes = maps.astype(np.uint8) if maps.max() < 256 else maps.astype(np.uint16)
    by_chance = float(np.std(drawn_scores, axis=1).max())
    if by_chance > (apart := score_range(scores)):
        raise CalibrationError(
            f"expected the masks' chance to move the score of one frame by less than the {apart:.3g} that the calibration "
            f"scores lie apart, got a standard deviation of {by_chance:.3g}: the monitor would tell nothing, export with a "
            "larger --mc-samples, or with --masks fixed"
        )
    quarter, three_quarters = np.quantile(scores, [0.25, 0.75])
    spread = max(float(three_quarters - quarter), SMALLEST_SPREAD)
    tolerance = {
        provider: share * spread + FRESH_DEVIATIONS * by_chance for provider, share in TOLERANCE_SHARES.items()
    }
    ranges = {} if answers is None else answers.ranges()
    kept = {
        name: np.array([[drawn[name][0] for drawn in of_frame] for of_frame in outputs], np.float64) for name in ranges
    }
    answers_by_chance = max((float(kept[name].std(axis=1).max()) / size for name, size in ranges.items()), default=0.0)
    means = {name: values.mean(axis=1) for name, values in kept.items()}
    return GoldenFrames(
        frames=frames,
        scores=np.mean(drawn_scores, axis=1),
        noise=tuple(noise),
        tolerance=tolerance,
        classes=classes,
        pixel_changes={} if classes is None or pixel_changes is None else dict(pixel_changes),
        answers={name: mean.astype(np.float32) if name == ANOMALY_MAP else mean for name, mean in means.items()},
        answer_ranges=ranges,
        answer_tolerance={
            provider: min(share + FRESH_DEVIATIONS * answers_by_chance, 1.0)
            for provider, share in (ANSWER_SHARES if ranges else {}).items()
        },
        smallest_object=1 if answers is None or answers.map is None else answers.map.smallest_object,
    )


def save_golden_frames(folder: Path, golden: GoldenFrames) -> None:
    """Write golden frames into the folder of a bundle."""
    noise: dict[str, Any] = {noise_name(i): values for i, values in enumerate(golden.noise)}
    classes: dict[str, Any] = {} if golden.classes is None else {CLASSES: golden.classes}
    answers: dict[str, Any] = dict(golden.answers)
    np.savez_compressed(folder / GOLDEN_FILE, frames=golden.frames, scores=golden.scores, **noise, **classes, **answers)
