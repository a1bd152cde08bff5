# SPDX-License-Identifier: Apache-2.0
"""Differences between forms of a monitor and the PyTorch network, with forms whose errors are known."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from export.bundle.feature_parity import FeatureReference
from export.bundle.parity import ReferenceMonitor, check_agreement, measure_parity
from export.errors import ParityError
from export.features.key import FeatureKey
from export.graphs.monitor_forms import MonitorOutputs
from export.graphs.noise import NoiseBatch, NoiseSource
from export.layers.preprocessing import Preprocessing

SAMPLES = 8
NOISE = NoiseSource([(2,)], SAMPLES)
FRAMES = [np.full((2, 4, 3), level, np.uint8) for level in (40, 90, 200)]


def reference(kind: str = "classes") -> ReferenceMonitor:
    """A network of one class a row, whose samples are the frame's mean plus the noise; the score is the mean entropy."""
    detector: Any = SimpleNamespace(score=lambda features: features[FeatureKey.entropy()].mean(axis=1))
    return ReferenceMonitor(
        preprocess=lambda frames: frames.float(),
        segment=lambda images: torch.stack([images[..., 0], 255 - images[..., 0]], dim=1),
        sample=lambda images, noise: images.mean(dim=(1, 2, 3))[:, None, None] + noise[0],
        features=FeatureReference(Preprocessing(2, 4, (0, 0, 0), (1, 1, 1)), torch.nn.Identity(), ()),
        detector=detector,
        neighbors=5,
        kind=kind,
    )


def form(
    kind: str = "classes", change: Callable[[MonitorOutputs], dict[str, NDArray[Any]]] = lambda _: {}
) -> Callable[[NDArray[np.uint8], NoiseBatch], MonitorOutputs]:
    """The reference itself, with some outputs changed."""

    def run(frames: NDArray[np.uint8], noise: NoiseBatch) -> MonitorOutputs:
        outputs = reference(kind)(frames, noise)
        return {**outputs, **change(outputs)}

    return run


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


@pytest.mark.parametrize(("apart", "agrees"), [(0.1, True), (0.3, False), (float("nan"), False)])
def test_check_agreement_of_two_forms_allows_the_tolerance(apart: float, agrees: bool) -> None:
    forms = [form(), form(change=lambda outputs: {"score": outputs["score"] + apart})]
    noise = NOISE.draw()
    if agrees:
        check_agreement(forms, FRAMES[0], noise, 0.2)
        return
    with pytest.raises(ParityError, match="same score of every form"):
        check_agreement(forms, FRAMES[0], noise, 0.2)
