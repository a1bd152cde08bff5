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

from export.bundle.feature_parity import FeatureReference, measure_feature_parity
from export.calibration import evaluation_graphs
from export.calibration.evaluation_graphs import EvaluationGraphs, measure
from export.checkpoint.load import load_checkpoint
from export.data import FrameFiles
from export.errors import UsageError
from export.features.frames import FrameFeatures
from export.features.key import OUTPUT_FEATURES, OUTPUT_SCORES, PICTURE, PICTURE_SPREAD, FeatureKey, FeatureKind
from export.graphs.evaluation_outputs import EVALUATION, with_outputs
from export.graphs.monitor_forms import cpu_session, run_graph
from export.graphs.noise import NoiseSource
from export.graphs.shared_weights import load_graph
from export.layers.preprocessing import Preprocessing
from lsood_runtime import OoDMonitor
from lsood_runtime.offline import Bundle, open_bundle
from tests.conftest import INPUT_SIZE
from tests.lsood_runtime.conftest import random_frames, seal, write_manifest
from tests.lsood_runtime.parts_bundle import parts_by_hand, parts_manifest, write_parts_bundle
from tests.paths import FROZEN_BUNDLE


def test_evaluation_graphs_of_a_frame_give_the_networks_features(checkpoint: Path, bundle: Path, frames: Path) -> None:
    frame = FrameFiles([frames])[7]
    network = load_checkpoint(checkpoint).network
    with OoDMonitor(bundle) as monitor:
        (tap,) = monitor.manifest.tap.layers
        mean, std = monitor.manifest.input.mean, monitor.manifest.input.std
        score = monitor.score(frame)
    graphs = EvaluationGraphs(bundle)
    got = graphs(frame)
    layers = ["backbone.layer1", "backbone.layer2", "backbone.layer3"]
    moments = [FeatureKey.moments(tap), *(FeatureKey.moments(f"deeplab_v3plus_model.{layer}") for layer in layers)]
    assert list(got.values) == [FeatureKey.entropy(), *moments, PICTURE, PICTURE_SPREAD, *OUTPUT_FEATURES]
    assert graphs.tap_layers == (tap,)

    reference = FeatureReference(
        Preprocessing(*INPUT_SIZE, mean, std), network, [*moments, PICTURE, PICTURE_SPREAD, *OUTPUT_FEATURES]
    )
    assert got.segmentation is not None
    outputs = {str(key): values[None] for key, values in got.values.items()} | {"segmentation": got.segmentation[None]}
    differences = measure_feature_parity(reference, lambda *_: outputs, [frame], NoiseSource())
    assert max(differences.values()) < 1e-4
    assert got.score == pytest.approx(score, rel=1e-5)


@pytest.mark.parametrize(
    "options", [{"masks": "fresh"}, {"masks": "input"}, {"segmentation": "none"}, {"segmentation": "logits"}]
)
def test_evaluation_graphs_of_other_bundles_give_their_features(
    export_small: Callable[..., Path], frames: Path, options: dict[str, str]
) -> None:
    graphs = EvaluationGraphs(export_small(**options))
    got = graphs(FrameFiles([frames])[0])
    assert all(np.isfinite(values).all() for values in got.values.values())
    segmented = options.get("segmentation") != "none"
    assert set(OUTPUT_FEATURES).isdisjoint(got.values) != segmented
    assert (got.segmentation is not None) == segmented
    assert got.segmentation is None or got.segmentation.ndim == 2


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
    rows = list(measure(graphs, zip(map(str, files.paths[:3]), files, strict=False)))
    assert [name for name, _ in rows] == list(map(str, files.paths[:3]))
    for (_, features), frame in zip(rows, files, strict=False):
        expected = graphs(frame)
        for key in expected.values:
            np.testing.assert_array_equal(features.values[key], expected.values[key])


def test_measure_of_bad_frames_names_them(bundle: Path, frames: Path) -> None:
    graphs = EvaluationGraphs(bundle)
    with pytest.raises(UsageError, match=r"front/3\.png: expected frames of 80 x 160 \(height x width\)"):
        list(measure(graphs, [("front/3.png", np.zeros((10, 20, 3), np.uint8))]))


def test_measure_of_a_frame_with_a_feature_that_is_not_finite_names_both() -> None:
    energy = FeatureKey.output_score(FeatureKind.ENERGY)
    values = {FeatureKey.entropy(): np.zeros(3, np.float32), energy: np.array([np.nan], np.float32)}
    graphs: Any = lambda _: FrameFeatures(0.0, values, None)  # noqa: E731
    with pytest.raises(UsageError, match=r"front/3\.png gives NaN or infinity in energy/mean"):
        list(measure(graphs, [("front/3.png", np.zeros((10, 20, 3), np.uint8))]))


def test_evaluation_graphs_of_a_bundle_of_schema_2_give_its_features_under_todays_keys() -> None:
    frame = np.random.default_rng(0).integers(0, 256, (32, 64, 3), np.uint8)
    graphs = EvaluationGraphs(FROZEN_BUNDLE)
    got = graphs(frame)
    taps, channels = graphs.manifest.tap.layers, graphs.manifest.tap.channels
    assert graphs.tap_layers == taps
    shapes = {str(key): values.shape for key, values in got.values.items()}
    assert shapes == {
        "entropy": (channels,),
        f"moments/{taps[0]}": (2 * channels,),
        "predictive_entropy/mean": (1,),
        "maximum_softmax/mean": (1,),
        "maximum_logit/mean": (1,),
        "energy/mean": (1,),
    }
    session = cpu_session(load_graph(graphs.contents.files["evaluation.onnx"], graphs.contents.weights))
    outputs = run_graph(session, frame[None], [])
    np.testing.assert_array_equal(got.values[FeatureKey.moments(taps[0])], outputs["latent_moments"].ravel())
    for column, kind in enumerate(OUTPUT_SCORES):
        assert got.values[FeatureKey.output_score(kind)][0] == outputs["output_scores"][0, column]


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

    monkeypatch.setattr(evaluation_graphs, "open_bundle", verify_then_change)
    got = EvaluationGraphs(folder)(frame)
    assert got.score == expected.score
    for key in expected.values:
        np.testing.assert_array_equal(got.values[key], expected.values[key])


def test_evaluation_graphs_of_a_bundle_without_an_evaluation_graph_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "monitor"
    shutil.copytree(FROZEN_BUNDLE, folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["files"]["evaluation.onnx"]  # the file itself lies there, not verified
    write_manifest(folder, json.dumps(manifest).encode())
    with pytest.raises(UsageError, match=r"expected evaluation\.onnx"):
        EvaluationGraphs(folder)


def test_evaluation_graphs_of_a_detector_of_parts_give_their_shares(tmp_path: Path) -> None:
    folder = write_parts_bundle(tmp_path, latent=True)
    shutil.copy(folder / "segmentation.onnx", folder / EVALUATION)
    seal(folder, parts_manifest(latent=True))
    frame = random_frames(1, seed=4)[0]
    features = EvaluationGraphs(folder)(frame)
    assert features.parts == pytest.approx(parts_by_hand(frame, latent=True), abs=1e-5)
    assert features.score == pytest.approx(sum(features.parts.values()))
