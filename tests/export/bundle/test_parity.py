# SPDX-License-Identifier: Apache-2.0
"""Differences between forms of a monitor and the PyTorch network, with forms whose errors are known."""

import math
import mmap
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from export.bundle.feature_parity import FeatureReference
from export.bundle.parity import check_agreement, compare_forms
from export.bundle.parity_check import Tolerances, check_parity
from export.bundle.reference_monitor import ReferenceMonitor
from export.bundle.rounding_floor import RoundingFloor
from export.errors import ParityError
from export.features.key import FeatureKey
from export.graphs.monitor_forms import Form, MonitorOutputs
from export.graphs.noise import NoiseBatch, NoiseSource
from export.layers.preprocessing import Preprocessing
from lsood_runtime.offline import ParityRecord

SAMPLES = 8
NOISE = NoiseSource([(2,)], SAMPLES)
FRAMES = [np.full((2, 4, 3), level, np.uint8) for level in (40, 90, 200)]


class RedRows(nn.Module):
    """Two classes, whose logits are the red channel and what it lacks of its largest value."""

    def forward(self, images: Tensor) -> Tensor:
        return torch.stack([images[:, 0], 1 - images[:, 0]], dim=1)


def reference(kind: str = "classes") -> ReferenceMonitor:
    """Samples are the mean of the network's input plus the noise; the score is the mean entropy."""
    detector: Any = SimpleNamespace(score=lambda features: features[FeatureKey.entropy()].mean(axis=1))
    return ReferenceMonitor(
        features=FeatureReference(Preprocessing(2, 4, (0, 0, 0), (1, 1, 1)), RedRows(), ()),
        sample=lambda images, noise: images.mean(dim=(1, 2, 3))[:, None, None] + noise[0],
        detector=detector,
        neighbors=5,
        kind=kind,
    )


def form(kind: str = "classes", change: Callable[[MonitorOutputs], dict[str, NDArray[Any]]] = lambda _: {}) -> Form:
    """The reference itself, frame by frame, with some outputs changed."""

    def run(frames: NDArray[np.uint8], noise: NoiseBatch) -> MonitorOutputs:
        alone = [
            reference(kind)(frames[i : i + 1], [values[i : i + 1] for values in noise]).as_outputs()
            for i in range(len(frames))
        ]
        outputs = {name: np.concatenate([one[name] for one in alone]) for name in alone[0]}
        return {**outputs, **change(outputs)}

    return run


def measure_parity(
    reference: ReferenceMonitor, forms: list[Form], frames: list[NDArray[np.uint8]], noise: NoiseSource
) -> ParityRecord:
    """The record of forms that pass whatever they differ by."""
    anything = Tolerances(score=math.inf, latent=math.inf, segmentation=math.inf)
    return check_parity(compare_forms(reference, forms, frames, noise), anything, lambda _: RoundingFloor(), list)


@pytest.mark.parametrize("kind", ["classes", "logits", "none"])
def test_measure_parity_of_the_reference_itself_is_zero(kind: str) -> None:
    parity = measure_parity(reference(kind), [form(kind)], FRAMES, NOISE)
    assert parity.frames == 3
    assert parity.segmentation_disagreement == parity.score_max_abs == 0
    assert parity.latent_max_abs < 1e-6  # the batch's own mean


def test_measure_parity_of_changed_outputs_is_the_change() -> None:
    def change(outputs: MonitorOutputs) -> dict[str, NDArray[Any]]:
        classes = outputs["segmentation"].copy()
        classes[:, 0, 0] = 1 - classes[:, 0, 0]
        return {
            "score": outputs["score"] + 0.25,
            "latent_samples": outputs["latent_samples"] * 1.5,
            "segmentation": classes,
        }

    parity = measure_parity(reference(), [form(), form(change=change)], FRAMES, NOISE)
    assert parity.score_max_abs == pytest.approx(0.25)
    assert parity.latent_max_abs == pytest.approx(0.5)
    assert parity.segmentation_disagreement == pytest.approx(1 / 8)


def test_measure_parity_of_changed_logits_is_their_share_of_the_largest() -> None:
    def change(outputs: MonitorOutputs) -> dict[str, NDArray[Any]]:
        return {"segmentation": outputs["segmentation"] * 1.125}

    parity = measure_parity(reference("logits"), [form("logits", change)], FRAMES, NOISE)
    assert parity.segmentation_disagreement == pytest.approx(0.125)


def test_measure_parity_of_a_form_that_mixes_a_batch_finds_it() -> None:
    def mixed(outputs: MonitorOutputs) -> dict[str, NDArray[Any]]:
        return {"score": outputs["score"][::-1] + np.arange(len(outputs["score"]))}

    assert measure_parity(reference(), [form(change=mixed)], FRAMES[:1], NOISE).score_max_abs == 0
    assert measure_parity(reference(), [form(change=mixed)], FRAMES, NOISE).score_max_abs > 0.5


def test_compare_forms_without_room_for_two_frames_says_so_and_leaves_the_pair_out() -> None:
    def mixed(outputs: MonitorOutputs) -> dict[str, NDArray[Any]]:
        with mmap.mmap(-1, 2**25) as held:  # pages that the process did not have: an array may lie in what was freed
            held.write(b"\1" * 2**25)
            time.sleep(0.3)  # to be seen on a busy machine too
        return {"score": outputs["score"][::-1] + np.arange(len(outputs["score"]))}

    ample = compare_forms(reference(), [form(change=mixed)], FRAMES, NOISE, lambda: 2**40)
    unknown = compare_forms(reference(), [form(change=mixed)], FRAMES, NOISE, lambda: None)
    assert ample.unpaired == unknown.unpaired == 0
    assert max(difference.score for difference in ample.differences) > 0.5
    tight = compare_forms(reference(), [form(change=mixed)], FRAMES, NOISE, lambda: 2**20)
    assert tight.unpaired > 2**20
    assert not any(difference.paired for difference in tight.differences)
    assert len(tight.differences) == len(FRAMES)


@pytest.mark.parametrize(("apart", "agrees"), [(0.1, True), (0.3, False), (float("nan"), False)])
def test_check_agreement_of_two_forms_allows_the_tolerance(apart: float, agrees: bool) -> None:
    forms = [form(), form(change=lambda outputs: {"score": outputs["score"] + apart})]
    noise = NOISE.draw()
    if agrees:
        check_agreement(forms, FRAMES[0], noise, 0.2)
        return
    with pytest.raises(ParityError, match="same score of every form"):
        check_agreement(forms, FRAMES[0], noise, 0.2)
