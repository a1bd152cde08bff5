# SPDX-License-Identifier: Apache-2.0
"""``--detector auto`` takes what tells degraded frames of drives left out, and says why."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from export.anomalies import COMMON_KINDS, degrade
from export.calibration.detector_choice import DetectorChoice
from export.detectors.fitted import PartOptions
from export.detectors.part_choice import fused_parts
from export.errors import CalibrationError
from export.evaluation.automatic_choice import (
    CHOICE_SEVERITIES,
    choose_automatically,
    degraded_frames,
)
from export.evaluation.detector_ranking import ShiftedFrames
from export.features.key import FeatureKey, FeatureKind
from export.frames.files import FrameFiles
from export.reporter import SILENT, SilentReporter

ENTROPY, LAYER = FeatureKey.entropy(), FeatureKey.moments("layer1")
ENERGY = FeatureKey.output_score(FeatureKind.ENERGY)
WIDTHS = {ENTROPY: 4, LAYER: 6, ENERGY: 1}
DEFAULT = DetectorChoice(fused_parts([*WIDTHS], ["tap"]), fused=True)
DRIVES = [f"drive{i // 8}" for i in range(80)]
CLEAN = np.arange(0, 80, 2)


class Lines(SilentReporter):
    """A reporter that keeps the stages."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def stage(self, text: str) -> None:
        self.lines.append(text)


def features(seed: int = 0) -> dict[FeatureKey, NDArray[np.float64]]:
    rng = np.random.default_rng(seed)
    return {key: rng.normal(size=(80, width)) for key, width in WIDTHS.items()}


def moved(kind: str, ind: dict[FeatureKey, NDArray[np.float64]], agreement: float, **by: float) -> ShiftedFrames:
    names = {"entropy": ENTROPY, "layer": LAYER, "energy": ENERGY}
    rng = np.random.default_rng(len(kind))
    noisy = {key: rows[CLEAN] + rng.normal(size=rows[CLEAN].shape) for key, rows in ind.items()}
    values = noisy | {names[name]: noisy[names[name]] + shift for name, shift in by.items()}
    return ShiftedFrames(f"{kind} 3", kind, values, CLEAN, np.full(len(CLEAN), agreement))


def test_choose_automatically_takes_the_part_that_alone_tells_the_shifts_and_says_why() -> None:
    ind, lines = features(), Lines()
    shifts = [moved(kind, ind, 0.5, layer=2.0, energy=-4.0) for kind in ("fog", "mud")]  # the logits look more certain
    for shift in shifts:
        shift.values[ENTROPY][:] = 0  # and the entropies usual, so that their sum hides what the layer tells
    chosen = choose_automatically(DEFAULT, ind, DRIVES, shifts, 0, lines)
    assert not chosen.fused
    assert chosen.parts == (PartOptions("mahalanobis", (LAYER,)),)
    assert chosen.reason.startswith("first of 5 on drives left out")
    assert "the 2 of 2 degradations that hurt the segmentation" in chosen.reason
    assert len(lines.lines) >= 4
    assert lines.lines[0].endswith("moments/layer1, mahalanobis")


def test_choose_automatically_prefers_the_fused_detector_where_a_part_is_hardly_ahead() -> None:
    ind, lines = features(), Lines()
    chosen = choose_automatically(DEFAULT, ind, DRIVES, [moved("fog", ind, 0.5, layer=8.0, energy=1.5)], 0, lines)
    assert chosen.fused
    assert lines.lines[0].endswith("moments/layer1, mahalanobis")
    assert chosen.reason.startswith("several parts, at most 0.01 behind the first of ")
    assert "the first moments/layer1, mahalanobis, 1.000" in chosen.reason


def test_choose_automatically_fuses_where_every_part_tells_another_shift() -> None:
    ind = features()
    shifts = [
        moved("fog", ind, 0.5, entropy=4.0),
        moved("mud", ind, 0.5, layer=4.0),
        moved("rain", ind, 0.5, energy=8.0),
    ]
    chosen = choose_automatically(DEFAULT, ind, DRIVES, shifts, 0, SILENT)
    assert chosen.fused
    assert set(chosen.parts) <= set(DEFAULT.parts)
    assert (chosen.weights is not None) == ("; learnt weights: " in chosen.reason)


def test_choose_automatically_is_blind_to_shifts_that_do_not_hurt() -> None:
    ind = features()
    hurts, harmless = moved("fog", ind, 0.5, entropy=5.0), moved("mud", ind, 0.99, layer=50.0)
    chosen = choose_automatically(DEFAULT, ind, DRIVES, [hurts, harmless], 0, SILENT)
    assert ENTROPY in chosen.keys
    assert "the 1 of 2 degradations" in chosen.reason
    without = choose_automatically(DEFAULT, ind, DRIVES, [harmless], 0, SILENT)
    assert LAYER in without.keys
    assert "of which none hurts" in without.reason


def test_choose_automatically_of_entropies_alone_compares_two_densities() -> None:
    ind = {ENTROPY: features()[ENTROPY]}
    shift = ShiftedFrames("fog 3", "fog", {ENTROPY: ind[ENTROPY][CLEAN] + 3}, CLEAN)
    default = DetectorChoice(fused_parts([ENTROPY], ["tap"]), fused=True)
    chosen = choose_automatically(default, ind, DRIVES, [shift], 0, SILENT)
    assert not chosen.fused
    assert chosen.parts[0].kind in ("kde", "mahalanobis")
    assert chosen.reason.startswith("first of 2")


def test_choose_automatically_of_few_frames_is_refused() -> None:
    ind = {key: rows[:19] for key, rows in features().items()}
    with pytest.raises(CalibrationError, match="at least 20 frames to choose a detector by, got 19"):
        choose_automatically(DEFAULT, ind, DRIVES[:19], [moved("fog", features(), 0.5)], 0, SILENT)


@pytest.mark.parametrize("segmented", [True, False])
def test_degraded_frames_are_measured_in_every_way_and_compared_with_the_clean_class_map(
    frames: Path, segmented: bool
) -> None:
    files = FrameFiles([frames])

    def measure(frame: NDArray[np.uint8]) -> tuple[dict[FeatureKey, NDArray[np.float64]], NDArray[np.uint8] | None]:
        classes = (frame[..., 0] > 100).astype(np.uint8)
        return {ENERGY: frame.mean(keepdims=True).ravel()}, classes if segmented else None

    chosen = np.array([3, 17, 40])
    shifts = degraded_frames(files, chosen, measure, 5, SILENT)
    assert [(one.name, one.kind) for one in shifts] == [
        (f"{kind} {severity}", kind) for kind in COMMON_KINDS for severity in CHOICE_SEVERITIES
    ]
    fog = next(one for one in shifts if one.name == "fog 5")
    degraded = [degrade(files[int(i)], "fog", 5, int(5 + i)) for i in chosen]
    np.testing.assert_allclose(fog.values[ENERGY][:, 0], [frame.mean() for frame in degraded], rtol=1e-6)
    assert fog.clean is not None
    np.testing.assert_array_equal(fog.clean, [0, 1, 2])
    if not segmented:
        assert fog.agreement is None
        return
    same = [((a[..., 0] > 100) == (files[int(i)][..., 0] > 100)).mean() for a, i in zip(degraded, chosen, strict=True)]
    assert fog.agreement is not None
    np.testing.assert_allclose(fog.agreement, same)
