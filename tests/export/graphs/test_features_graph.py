# SPDX-License-Identifier: Apache-2.0
"""Graphs and torch modules of fitted detectors against their float64 form, and what they make of NaN and infinity."""

import numpy as np
import onnxruntime as ort
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import ModelProto
from scipy.special import digamma

from export.detectors.fitted import FittedDetector, OnePart, PartOptions, fit_part
from export.detectors.fused import fit_fused
from export.features.key import FeatureKey
from export.graphs.detector import detector_graph, entropy_graph, features_graph, inputs_of, score_graph
from export.graphs.torchscript import FeaturesScore
from tests.export.detectors.feature_rows import (
    CLASSES,
    ENERGY,
    ENTROPY,
    LAYER,
    LOGITS,
    PARTS,
    WIDE,
    Recording,
    recording,
)

Inputs = dict[str, NDArray[np.float32]]


def run(model: ModelProto, inputs: Inputs) -> dict[str, NDArray[np.float64]]:
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs), strict=True))


def same_ranks(got: NDArray[np.float64], expected: NDArray[np.float64]) -> bool:
    return bool((np.argsort(got, axis=0, kind="stable") == np.argsort(expected, axis=0, kind="stable")).all())


def far_and_near(seed: int, **sizes: int) -> Recording:
    """Frames of another draw, every third of them three times as far from the origin."""
    drive = recording(seed, **sizes)
    for key in drive.features:
        if key != ENTROPY:
            drive.features[key][::3] *= 3
    return drive


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 30), st.integers(6, 9), st.integers(2, 9))
def test_features_graph_of_every_part_equals_its_float64_form(
    seed: int, wide: int, samples: int, channels: int
) -> None:
    sizes = {"wide": wide, "samples": samples, "channels": max(channels, 3)}
    drive, new = recording(seed, **sizes), far_and_near(seed + 1, **sizes)
    detector = fit_fused(PARTS, drive.features, drive.drives, weights=np.linspace(0.5, 1.5, len(PARTS)).tolist())
    model = features_graph(detector, drive.shapes)
    assert {node.domain for node in model.graph.node} == {""}, "no operator that CUDA has no kernel for"
    outputs = run(model, new.inputs(detector.keys))
    expected = detector.part_scores(new.features)
    assert outputs["parts"].shape == expected.shape
    assert outputs["parts"].dtype == outputs["score"].dtype == np.float64
    np.testing.assert_allclose(outputs["parts"], expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(outputs["score"], detector.score(new.features), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(outputs["entropy"], new.features[ENTROPY], atol=2e-5)
    reads_entropies = [ENTROPY in part.keys for part in detector.parts]
    exact = ~np.array(reads_entropies)  # the graph computes the entropies themselves in float32
    assert same_ranks(outputs["parts"][:, exact], expected[:, exact])


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(-1e4, 1e4), st.integers(40, 90))
def test_features_graph_of_features_far_from_zero_equals_its_float64_form(
    seed: int, offset: float, frames: int
) -> None:
    """All moments, logits and energies lie around the offset: a product of rows that are not centred would lose digits."""
    drive, new = recording(seed, frames), recording(seed + 1, frames)
    for features in (drive.features, new.features):
        for key in set(features) - {ENTROPY, CLASSES}:
            features[key] += np.float32(offset)
    parts = [part for part in PARTS if part.kind != "mahalanobis-l2"]  # of which the offset is all that is left
    detector = fit_fused(parts, drive.features, drive.drives)
    outputs = run(features_graph(detector, drive.shapes), new.inputs(detector.keys))
    expected = detector.part_scores(new.features)
    np.testing.assert_allclose(outputs["parts"], expected, rtol=1e-4, atol=1e-4)
    exact = np.array([ENTROPY not in part.keys for part in detector.parts])
    assert same_ranks(outputs["parts"][:, exact], expected[:, exact])


@pytest.mark.parametrize("options", PARTS, ids=lambda options: options.name)
def test_features_graph_of_one_part_gives_its_raw_score(options: PartOptions) -> None:
    drive, new = recording(0), far_and_near(1)
    detector = OnePart(fit_part(options, drive.features, drive.drives))
    outputs = run(features_graph(detector, drive.shapes), new.inputs(detector.keys))
    assert set(outputs) == {"score", *(["entropy"] if ENTROPY in options.keys else [])}
    np.testing.assert_allclose(outputs["score"], detector.score(new.features), rtol=1e-4, atol=1e-4)


def test_features_graph_of_entropies_alone_equals_the_graph_of_latent_samples() -> None:
    drive = recording(2)
    part = fit_part(PartOptions("kde", (ENTROPY,)), drive.features, drive.drives)
    before = detector_graph(entropy_graph(8, 5, 5), score_graph(part.pipeline, 5))
    inputs = {"latent_samples": drive.latent_samples}
    old, new = run(before, inputs), run(features_graph(OnePart(part), drive.shapes), inputs)
    assert old.keys() == new.keys()
    for name, values in old.items():
        np.testing.assert_array_equal(values, new[name])


def test_features_graph_inputs_stand_in_the_order_of_the_parts() -> None:
    drive = recording(3)
    options = [PartOptions("mahalanobis", (LOGITS, LAYER)), PartOptions("kde", (ENTROPY, LAYER))]
    detector = fit_fused(options, drive.features, drive.drives)
    model = features_graph(detector, drive.shapes)
    assert [value.name for value in model.graph.input] == ["logit_moments", "moments/layer1", "latent_samples"]
    assert [value.name for value in model.graph.output] == ["entropy", "score", "parts"]
    assert inputs_of(detector.keys) == ("logit_moments", "moments/layer1", "latent_samples")
    with pytest.raises(ValueError, match="got none of latent_samples"):
        features_graph(detector, {"logit_moments": (8,), "moments/layer1": (12,)})


def test_features_graph_of_samples_that_coincide_takes_the_floor_of_the_distances() -> None:
    """Entropies of k = 3 neighbours with a floor of 0.25 in place of the usual one, by the formula of the estimator."""
    drive = recording(10)
    part = fit_part(PartOptions("kde", (ENTROPY,)), drive.features, drive.drives)
    model = features_graph(OnePart(part), drive.shapes, neighbors=3, min_dist=0.25)
    same = np.zeros((2, 8, 5), np.float32)
    expected = digamma(8) - digamma(3) + np.log(2 * 0.25)
    np.testing.assert_allclose(run(model, {"latent_samples": same})["entropy"], expected, rtol=1e-6)


def fitted_parts() -> tuple[Recording, FittedDetector]:
    drive = recording(4)
    return drive, fit_fused(PARTS, drive.features, drive.drives)


def damaged(inputs: Inputs, name: str, bad: float, everywhere: bool, rng: np.random.Generator) -> Inputs:
    """A copy with one bad number in each frame, or with nothing else, in one input."""
    copy = {key: rows.copy() for key, rows in inputs.items()}
    flat = copy[name].reshape(len(copy[name]), -1)
    flat[np.arange(len(flat)), rng.integers(0, flat.shape[1], len(flat))] = bad
    if everywhere:
        flat[:] = bad
    return copy


@pytest.mark.parametrize("everywhere", [False, True])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_features_graph_and_module_of_a_feature_that_is_not_finite_give_no_finite_part(
    bad: float, everywhere: bool
) -> None:
    """Whatever place the bad number has: TopK and ReduceMax of ONNX Runtime lose NaN in some of them."""
    drive, detector = fitted_parts()
    session = ort.InferenceSession(features_graph(detector, drive.shapes).SerializeToString())
    module = FeaturesScore(detector, samples=8, neighbors=5)
    inputs, rng = drive.inputs(detector.keys), np.random.default_rng(0)
    for name in inputs:
        reads = np.array([name in inputs_of(part.keys) for part in detector.parts])
        for _ in range(3):
            given = damaged(inputs, name, bad, everywhere, rng)
            score, parts = session.run(["score", "parts"], given)
            in_torch = [found.numpy() for found in module(*(torch.from_numpy(given[key]) for key in module.inputs))]
            for scores, shares in ((score, parts), in_torch):
                assert not np.isfinite(scores).any()
                assert not np.isfinite(shares[:, reads]).any()
                assert np.isfinite(shares[:, ~reads]).all(), "the message can name the part"


@pytest.mark.parametrize("samples", [8, 80])
def test_features_graph_of_bad_latent_samples_gives_bad_entropies(samples: int) -> None:
    drive = recording(5, samples=samples)
    part = fit_part(PartOptions("kde", (ENTROPY,)), drive.features, drive.drives)
    session = ort.InferenceSession(features_graph(OnePart(part), drive.shapes).SerializeToString())
    rng = np.random.default_rng(0)
    for bad in (np.nan, np.inf, -np.inf):
        given = damaged({"latent_samples": drive.latent_samples}, "latent_samples", bad, False, rng)
        entropy, score = session.run(["entropy", "score"], given)
        assert ((~np.isfinite(entropy)).sum(axis=1) == 1).all()
        assert not np.isfinite(score).any()


def test_features_graph_of_the_largest_numbers_is_finite() -> None:
    drive, detector = fitted_parts()
    session = ort.InferenceSession(features_graph(detector, drive.shapes).SerializeToString())
    largest = float(np.finfo(np.float32).max)
    inputs = drive.inputs(detector.keys)
    for name in set(inputs) - {"latent_samples"}:
        for value in (largest, -largest, 0.0, 1e-45):
            score, parts = session.run(["score", "parts"], inputs | {name: np.full_like(inputs[name], value)})
            assert np.isfinite(parts).all()
            assert np.isfinite(score).all()


def test_features_score_in_torch_equals_the_float64_form_traced_and_not() -> None:
    _, detector = fitted_parts()
    new = far_and_near(6)
    module = FeaturesScore(detector, samples=8, neighbors=5).eval()
    inputs = new.inputs(detector.keys)
    tensors = tuple(torch.from_numpy(inputs[name]) for name in module.inputs)
    traced = torch.jit.trace(module, tuple(tensor[:2] for tensor in tensors), check_trace=False)  # type: ignore[no-untyped-call]
    for form in (module, traced):
        score, parts = form(*tensors)
        np.testing.assert_allclose(parts.numpy(), detector.part_scores(new.features), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(score.numpy(), detector.score(new.features), rtol=1e-4, atol=1e-5)


def test_features_score_in_torch_of_one_part_is_its_own() -> None:
    drive = recording(7)
    keys: tuple[FeatureKey, ...] = (ENERGY,)
    detector = OnePart(fit_part(PartOptions("output-score", keys), drive.features, drive.drives))
    score, parts = FeaturesScore(detector, samples=0, neighbors=0)(torch.from_numpy(drive.features[ENERGY]))
    np.testing.assert_allclose(score.numpy(), drive.features[ENERGY][:, 0])
    np.testing.assert_array_equal(parts.numpy()[:, 0], score.numpy())


def test_features_score_in_torch_of_a_part_without_a_form_is_refused() -> None:
    ind, ood = recording(8), recording(9)
    part = fit_part(PartOptions("kde-classifier", (WIDE,)), ind.features, ind.drives, ood.features)
    with pytest.raises(ValueError, match="form in torch, got kde-classifier"):
        FeaturesScore(OnePart(part), samples=8, neighbors=5)
    model = features_graph(OnePart(part), ind.shapes)
    got = run(model, ood.inputs((WIDE,)))["score"]
    np.testing.assert_allclose(got, OnePart(part).score(ood.features), rtol=1e-4)
