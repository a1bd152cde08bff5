# SPDX-License-Identifier: Apache-2.0
"""The evaluation graph and what is read off it, against torch's own operations on the hooked network."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from scipy.special import softmax
from scipy.stats import entropy as shannon
from torch import Tensor

from export.calibration import features
from export.calibration.features import EvaluationGraphs, Features, FrameFeatures, measure
from export.checkpoint.load import load_checkpoint
from export.data import FrameFiles
from export.errors import UsageError
from export.features.key import FeatureKind
from export.graphs.evaluation_outputs import OUTPUT_SCORES, with_outputs
from export.graphs.segmentation import output_scores
from export.layers.preprocessing import Preprocessing
from export.sampling.graph_modules import LatentMoments
from lsood_runtime import OoDMonitor
from lsood_runtime.offline import Bundle, open_bundle
from tests.conftest import INPUT_SIZE
from tests.paths import FROZEN_BUNDLE


def hooked(checkpoint: Path, bundle: Path, frame: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Logits and tapped features of one frame, from PyTorch."""
    loaded = load_checkpoint(checkpoint)
    seen: list[Tensor] = []
    with OoDMonitor(bundle) as monitor:
        (tap,) = monitor.manifest.tap.layers
        mean, std = monitor.manifest.input.mean, monitor.manifest.input.std
    loaded.network.get_submodule(tap).register_forward_hook(lambda _, __, output: seen.append(output))
    with torch.inference_mode():
        logits = loaded.network(Preprocessing(*INPUT_SIZE, mean, std)(torch.from_numpy(frame.copy())[None]))
    return logits[0].numpy(), seen[0][0].numpy()


def test_evaluation_graphs_of_a_frame_give_the_networks_features(checkpoint: Path, bundle: Path, frames: Path) -> None:
    frame = FrameFiles([frames])[7]
    logits, tapped = hooked(checkpoint, bundle, frame)
    got = EvaluationGraphs(bundle)(frame)
    probabilities = softmax(logits.astype(np.float64), axis=0)
    expected = [
        shannon(probabilities, axis=0).mean(),
        -probabilities.max(axis=0).mean(),
        -logits.max(axis=0).mean(),
        -torch.logsumexp(torch.from_numpy(logits), 0).mean().item(),
    ]
    np.testing.assert_allclose(got.output_scores, expected, rtol=1e-4, atol=1e-5)
    moments = np.r_[tapped.mean(axis=(1, 2)), np.log(np.maximum(tapped.std(axis=(1, 2)), 1e-5))]
    np.testing.assert_allclose(got.moments, moments, rtol=1e-3, atol=1e-4)
    assert got.segmentation is not None
    assert (got.segmentation == logits.argmax(axis=0)).mean() > 0.999
    with OoDMonitor(bundle) as monitor:
        assert got.score == pytest.approx(monitor.score(frame), rel=1e-5)


@pytest.mark.parametrize(
    "options", [{"masks": "fresh"}, {"masks": "input"}, {"segmentation": "none"}, {"segmentation": "logits"}]
)
def test_evaluation_graphs_of_other_bundles_give_their_features(
    export_small: Callable[..., Path], frames: Path, options: dict[str, str]
) -> None:
    graphs = EvaluationGraphs(export_small(**options))
    got = graphs(FrameFiles([frames])[0])
    assert np.isfinite(got.entropy).all()
    assert got.output_scores.shape == ((0,) if options.get("segmentation") == "none" else (4,))
    assert (got.segmentation is None) == (options.get("segmentation") == "none")
    assert got.segmentation is None or got.segmentation.ndim == 2


@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (2, 6, 3), (2, 3)])
def test_latent_moments_of_maps_tokens_and_vectors_equal_numpys(shape: tuple[int, ...]) -> None:
    features = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    values = features.numpy().astype(np.float64)
    channels_last = values if values.ndim == 3 else np.moveaxis(values, 1, -1)
    by_channel = np.moveaxis(channels_last.reshape(2, -1, 3), 1, -1)
    expected = np.stack([by_channel.mean(axis=-1), np.log(np.maximum(by_channel.std(axis=-1), 1e-5))], axis=1)
    np.testing.assert_allclose(LatentMoments()(features).numpy(), expected, rtol=1e-4, atol=1e-5)


def test_output_scores_of_a_sure_and_an_unsure_network_are_the_extremes() -> None:
    sure = torch.zeros(1, 4, 2, 2)
    sure[:, 1] = 200
    scores = output_scores(torch.cat([sure, torch.zeros(1, 4, 2, 2)])).numpy()
    np.testing.assert_allclose(scores[0], [0, -1, -200, -200], atol=1e-5)
    np.testing.assert_allclose(scores[1], [np.log(4), -0.25, 0, -np.log(4)], atol=1e-5)


def test_with_outputs_of_some_leaves_nothing_of_the_others(bundle: Path) -> None:
    model = onnx.load(bundle / "evaluation.onnx")
    lean = with_outputs(model, ["latent_samples"])
    assert [output.name for output in lean.graph.output] == ["latent_samples"]
    assert len(lean.graph.node) < len(model.graph.node)
    read = {name for node in lean.graph.node for name in node.input}
    assert {tensor.name for tensor in lean.graph.initializer} <= read
    with pytest.raises(KeyError):
        with_outputs(model, ["logits"])


def test_measure_of_a_folder_gives_features_in_order(bundle: Path, frames: Path) -> None:
    files = FrameFiles([frames])
    graphs = EvaluationGraphs(bundle)
    rows = list(measure(graphs, zip(map(str, files.paths[:6]), files, strict=False)))
    whole = Features.collect(rows)
    halves = Features.concatenate([Features.collect(rows[:2]), Features.collect(rows[2:])])
    assert len(whole) == 6
    for name in ("names", "entropy", "score", "moments", "output_scores"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(halves, name))
    assert [str(kind) for kind in whole.output_kinds] == list(OUTPUT_SCORES)
    for i, kind in enumerate(whole.output_kinds):
        np.testing.assert_array_equal(whole.rows(kind)[:, 0], whole.output_scores[:, i])
    np.testing.assert_array_equal(whole.rows(FeatureKind.ENTROPY), whole.entropy)
    np.testing.assert_array_equal(whole.rows(FeatureKind.MOMENTS), whole.moments)


def test_measure_of_bad_frames_names_them(bundle: Path, frames: Path) -> None:
    graphs = EvaluationGraphs(bundle)
    with pytest.raises(UsageError, match=r"front/3\.png: expected frames of 160x80"):
        list(measure(graphs, [("front/3.png", np.zeros((10, 20, 3), np.uint8))]))
    with pytest.raises(UsageError, match="at least one frame"):
        Features.collect([])


def test_measure_of_a_frame_whose_entropies_are_not_finite_names_it() -> None:
    features = FrameFeatures(
        entropy=np.array([1.0, np.nan], np.float32),
        score=0.0,
        moments=np.zeros(4, np.float32),
        output_scores=np.zeros(0, np.float32),
        segmentation=None,
    )
    graphs: Any = lambda _: features  # noqa: E731
    with pytest.raises(UsageError, match=r"front/3\.png gives NaN or infinity"):
        list(measure(graphs, [("front/3.png", np.zeros((10, 20, 3), np.uint8))]))


def test_concatenate_of_no_features_or_of_several_taps_is_refused() -> None:
    def of(channels: int) -> Features:
        rows = np.zeros((2, channels), np.float32)
        return Features(np.array(["a", "b"]), rows, np.zeros(2), np.zeros((2, 2 * channels), np.float32), rows[:, :0])

    for parts in ([], [of(3), of(4)]):
        with pytest.raises(UsageError, match="features of one tap"):
            Features.concatenate(parts)


def test_evaluation_graphs_whose_files_change_after_verification_run_what_was_verified(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "monitor"
    shutil.copytree(FROZEN_BUNDLE, folder)
    frame = np.random.default_rng(0).integers(0, 256, (32, 64, 3), np.uint8)
    expected = EvaluationGraphs(folder)(frame)

    def verify_then_change(*arguments: Any, **named: Any) -> Bundle:
        contents = open_bundle(*arguments, **named)
        for path in folder.iterdir():
            path.write_bytes(b"changed")
        return contents

    monkeypatch.setattr(features, "open_bundle", verify_then_change)
    got = EvaluationGraphs(folder)(frame)
    assert got.score == expected.score
    np.testing.assert_array_equal(got.entropy, expected.entropy)
    np.testing.assert_array_equal(got.output_scores, expected.output_scores)


def test_evaluation_graphs_of_a_bundle_without_an_evaluation_graph_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "monitor"
    shutil.copytree(FROZEN_BUNDLE, folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["files"]["evaluation.onnx"]  # the file itself lies there, not verified
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(UsageError, match=r"expected evaluation\.onnx"):
        EvaluationGraphs(folder)
