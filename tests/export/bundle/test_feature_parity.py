# SPDX-License-Identifier: Apache-2.0
"""The parity gate covers every feature, and each kind of error in one is found."""

from dataclasses import replace
from functools import cache

import numpy as np
import onnxruntime as ort
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from export.bundle.feature_parity import (
    FEATURE_TOLERANCE,
    FeatureReference,
    check_feature_parity,
    measure_feature_parity,
    reference_feature,
)
from export.errors import ParityError
from export.features.key import OUTPUT_FEATURES, PICTURE, PICTURE_SPREAD, FeatureKey, FeatureKind
from export.graphs.monitor_forms import Form, MonitorOutputs, cpu_session, run_graph
from export.graphs.noise import NoiseBatch, NoiseSource
from export.layers.preprocessing import Preprocessing
from tests.export.sampling.test_sampler import CASES
from tests.exported_graphs import CASES_OF_FEATURES, PICTURE_TILES, network_graph
from tests.networks import HEIGHT, WIDTH, settled

PREPROCESSING = Preprocessing(HEIGHT, WIDTH, (0.5, 0.4, 0.3), (0.2, 0.3, 0.25))
CASE = "DropBlock at the tap"


@cache
def session(case: str) -> ort.InferenceSession:
    return cpu_session(network_graph(case, "fixed", every_feature=True))


def keys(case: str) -> list[FeatureKey]:
    names = [value.name for value in session(case).get_outputs()]
    return [FeatureKey.parse(name) for name in names if name not in ("segmentation", "latent_samples")]


def reference(case: str, features: list[FeatureKey]) -> FeatureReference:
    torch.manual_seed(0)
    return FeatureReference(PREPROCESSING, settled(CASES[case][0]()), features)


def frames(count: int = 2) -> list[NDArray[np.uint8]]:
    rng = np.random.default_rng(1)
    return [rng.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8) for _ in range(count)]


def form(case: str, change: FeatureKey | None = None, by: float = 0.0) -> Form:
    """The graph, with the first number of one feature changed."""

    def run(batch: NDArray[np.uint8], noise: NoiseBatch) -> MonitorOutputs:
        outputs = run_graph(session(case), batch, noise)
        if change is not None:
            outputs[str(change)][0, 0] += by
        return outputs

    return run


def test_values_of_a_feature_reference_are_those_of_torchs_own_operations() -> None:
    """Of a layer that works in place behind another: the first one's output must be kept before it is overwritten."""
    torch.manual_seed(3)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True), nn.Conv2d(4, 5, 1)).eval()
    energy, shares = FeatureKey.output_score(FeatureKind.ENERGY), FeatureKey(FeatureKind.CLASS_SHARE)
    overlaps = FeatureKey(FeatureKind.EXPECTED_IOU)
    wanted = [FeatureKey.moments("0"), FeatureKey.moments("1"), energy, shares, overlaps]
    (frame,) = frames(1)
    got = FeatureReference(PREPROCESSING, network, wanted).values(frame[None])
    assert list(got) == wanted
    with torch.inference_mode():
        first = network[0](PREPROCESSING(torch.from_numpy(frame)[None])).double()
        logits = network[2](first.float().relu())[0].double()
    for key, output in zip(wanted, (first[0], first[0].relu()), strict=False):
        cells = output.flatten(1)
        expected = torch.cat([cells.mean(1), cells.std(1, correction=0).clamp(min=1e-5).log()])
        np.testing.assert_allclose(got[key], expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(got[energy], -logits.logsumexp(0).mean(), rtol=1e-5)
    shown = nn.functional.one_hot(logits.argmax(0), 5).permute(2, 0, 1)
    probable = logits.softmax(0)
    of_fuzzy_sets = [torch.minimum(shown, probable), torch.maximum(shown, probable)]
    both, either = (each.sum(dim=(1, 2)) for each in of_fuzzy_sets)
    np.testing.assert_allclose(got[overlaps], both / either, rtol=1e-5)
    counts = torch.bincount(logits.argmax(0).flatten(), minlength=5)
    np.testing.assert_allclose(got[shares], counts / counts.sum(), rtol=1e-6)
    assert not network[0]._forward_hooks, "the network is left as it was"


@pytest.mark.parametrize("case", CASES_OF_FEATURES)
def test_every_feature_of_a_network_is_within_the_tolerance(case: str) -> None:
    differences = measure_feature_parity(reference(case, keys(case)), form(case), frames(), NoiseSource())
    assert list(differences) == keys(case)
    assert len([key for key in differences if key.layer is not None]) >= 1
    assert max(differences.values()) < FEATURE_TOLERANCE / 10
    check_feature_parity(differences)


@pytest.mark.parametrize(
    "key",
    [
        FeatureKey.moments("deep.2"),
        FeatureKey.moments("drop_block1"),
        PICTURE,
        PICTURE_SPREAD,
        PICTURE_TILES,
        *OUTPUT_FEATURES,
    ],
    ids=str,
)
@pytest.mark.parametrize("by", [0.01, np.nan, np.inf])
def test_an_error_in_any_feature_is_refused_by_its_name(key: FeatureKey, by: float) -> None:
    differences = measure_feature_parity(reference(CASE, keys(CASE)), form(CASE, key, by), frames(), NoiseSource())
    assert max(differences, key=lambda one: differences[one]) == key
    with pytest.raises(ParityError, match=f"in the feature {key} by"):
        check_feature_parity(differences)


@pytest.mark.parametrize("bias", [-1e2, -1e4, -1e6])
def test_every_feature_of_a_network_whose_class_never_occurs_is_within_the_tolerance(bias: float) -> None:
    """What float32 leaves of the deviation of a logit so far from 0 differs between PyTorch and ONNX Runtime."""
    torch.manual_seed(0)
    network = settled(CASES[CASE][0]())
    with torch.no_grad():
        network.get_parameter("head.2.bias")[1] += bias
    features = [key for key in keys(CASE) if key.kind in (FeatureKind.LOGIT_MOMENTS, FeatureKind.CLASS_SHARE)]

    def rounded_otherwise(batch: NDArray[np.uint8], _: NoiseBatch) -> MonitorOutputs:
        """The same network with its last bias added in the other order of rounding."""
        readings, logits = FeatureReference(PREPROCESSING, network, features).read(batch)
        assert logits is not None
        assert readings.stride == 1
        grid = np.nextafter(logits.astype(np.float32), np.float32(np.inf)).astype(np.float64)
        grid[:, ::2] = readings.grid[:, ::2]
        classes = logits.argmax(axis=0)
        changed = replace(readings, grid=grid)
        outputs = {str(key): reference_feature(key, changed, classes)[None] for key in features}
        return {**outputs, "segmentation": classes[None].astype(np.uint8)}

    differences = measure_feature_parity(
        FeatureReference(PREPROCESSING, network, features), rounded_otherwise, frames(), NoiseSource()
    )
    check_feature_parity(differences)


def test_moments_behind_other_weights_are_refused() -> None:
    features = [FeatureKey.moments("deep.2")]
    plain = reference(CASE, features)
    with torch.no_grad():
        next(plain.network.get_submodule("shallow").parameters()).mul_(1.001)
    differences = measure_feature_parity(plain, form(CASE), frames(), NoiseSource())
    with pytest.raises(ParityError, match=r"in the feature moments/deep\.2"):
        check_feature_parity(differences)


def test_no_features_pass_the_gate() -> None:
    check_feature_parity({})
