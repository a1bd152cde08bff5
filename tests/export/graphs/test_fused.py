# SPDX-License-Identifier: Apache-2.0
"""One graph out of two: every feature that the detector reads is joined, and the parts of the score stay an output."""

import numpy as np
import onnx
import pytest

from export.graphs.fused import fused_graph
from export.graphs.monitor_forms import cpu_session, one_graph, two_graphs
from tests.lsood_runtime.conftest import detector_graph, noise_graph, random_frames, segmentation_graph
from tests.lsood_runtime.parts_bundle import features_graph, frame_breaking, parts_by_hand, parts_graph


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
