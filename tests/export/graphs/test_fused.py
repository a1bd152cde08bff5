# SPDX-License-Identifier: Apache-2.0
"""One graph out of two: every feature that the detector reads is joined, and the parts of the score stay an output."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from PIL import Image

from export.graphs.fused import fused_graph
from export.graphs.monitor_forms import cpu_session, one_graph, two_graphs
from tests.lsood_runtime.conftest import detector_graph, noise_graph, random_frames, segmentation_graph
from tests.lsood_runtime.parts_bundle import PARTS, features_graph, frame_breaking, parts_by_hand, parts_graph
from tests.paths import EXAMPLES


@pytest.mark.parametrize("latent", [False, True])
def test_fused_graph_of_several_features_keeps_score_segmentation_and_parts(latent: bool) -> None:
    segmentation, detector = features_graph(latent), parts_graph(latent)
    fused = fused_graph(segmentation, detector)
    assert [value.name for value in fused.graph.input] == ["frame"]
    assert [value.name for value in fused.graph.output] == ["score", "segmentation", "parts"]
    frames = np.concatenate([random_frames(3, seed=1), frame_breaking("root")[None]])
    joined = one_graph(cpu_session(fused))(frames, [])
    apart = two_graphs(cpu_session(segmentation), cpu_session(detector))(frames, [])
    for name in ("score", "segmentation", "parts"):
        np.testing.assert_array_equal(joined[name], apart[name])
    expected = [list(parts_by_hand(frame, latent).values()) for frame in frames[:3]]
    np.testing.assert_allclose(joined["parts"][:3], expected, atol=1e-5)
    assert np.isnan(joined["parts"][3, -1])
    assert np.isnan(joined["score"][3])


def test_fused_graph_of_features_that_nobody_reads_leaves_them_out() -> None:
    fused = fused_graph(features_graph(latent=True), parts_graph())
    assert [value.name for value in fused.graph.output] == ["score", "segmentation", "parts"]


@pytest.mark.parametrize(("kind", "outputs"), [("classes", ["score", "segmentation"]), ("none", ["score"])])
def test_fused_graph_of_one_part_has_the_outputs_that_it_had(kind: str, outputs: list[str]) -> None:
    segmentation, detector = map(onnx.load_from_string, (segmentation_graph(kind), detector_graph()))
    assert [value.name for value in fused_graph(segmentation, detector).graph.output] == outputs


def test_fused_graph_of_noise_inputs_keeps_them() -> None:
    segmentation, detector = map(onnx.load_from_string, (noise_graph(), detector_graph()))
    assert [value.name for value in fused_graph(segmentation, detector).graph.input] == ["frame", "noise_0"]


def test_example_of_the_fused_graph_calls_no_frame_in_distribution_that_has_no_finite_score(tmp_path: Path) -> None:
    fused = fused_graph(features_graph(), parts_graph())
    point = {"operating_point": "5%", "operating_points": {"5%": {"value": 100.0}}, "input": {"channels": "rgb"}}
    onnx.helper.set_model_props(fused, {"lsood_manifest": json.dumps(point)})
    onnx.save(fused, tmp_path / "monitor.onnx")
    frames = {"sound": random_frames(1, seed=1)[0]} | {part: frame_breaking(part) for part in PARTS}
    for name, frame in frames.items():
        Image.fromarray(frame).save(tmp_path / f"{name}.png")
    words = [sys.executable, str(EXAMPLES / "fused_graph.py"), str(tmp_path / "monitor.onnx")]
    words += [str(tmp_path / f"{name}.png") for name in frames]
    lines = subprocess.run(words, capture_output=True, text=True, check=True).stdout.splitlines()
    verdicts = [line.split("\t")[1:] for line in lines]
    assert [score for score, _ in verdicts[1:]] == ["-inf", "inf", "nan"]
    assert [verdict for _, verdict in verdicts] == ["ok", *["out of distribution"] * 3]
