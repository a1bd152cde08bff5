# SPDX-License-Identifier: Apache-2.0
"""What is timed computes what the runtime computes, wherever its values lie and in however many bits."""

import numpy as np
import pytest

from benchmarks.answered_networks import ALL_ANSWERS, CONFIDENCE, answered_graphs, fused_graphs, unscored
from benchmarks.networks import Placement, alone, assessed, bare_graph, monitor_graphs, monitored, resident, subject
from export.calibration.answer_options import CAUSE, MAP, QUALITY, TILES
from export.precision.options import FLOAT16, FLOAT32, INT8
from lsood_runtime._inference.frame_pass import SORTED_FIRST, Outcome

SAMPLES, SMALL, PLACEMENT = 8, (256, 512), Placement("cpu", None)


@pytest.mark.parametrize("samples", [8, SORTED_FIRST])
def test_device_pass_of_a_frame_equals_the_host_pass(samples: int) -> None:
    """On the CPU's memory, by the code that times CUDA; it never sorts, so that a host that does must give the same bits."""
    who = subject("resnet18", *SMALL)
    outcome = monitored(who, samples, PLACEMENT)()
    assert isinstance(outcome, Outcome)
    values = resident(monitor_graphs(who, samples, PLACEMENT), who.frame, "cpu")()
    np.testing.assert_array_equal(values["score"].numpy(), outcome.scores)
    np.testing.assert_array_equal(values["segmentation"].numpy(), outcome.segmentation)
    bare = resident([bare_graph(who, PLACEMENT)], who.frame, "cpu")()
    np.testing.assert_array_equal(bare["segmentation"].numpy(), outcome.segmentation)
    assert bare.keys() == {"frame", "segmentation"}


def test_fused_graphs_of_a_network_give_a_share_of_every_default_part() -> None:
    who = subject("resnet18", *SMALL)
    network, detector = fused_graphs(who, SAMPLES, PLACEMENT)
    backbone = "deeplab_v3plus_model.backbone."
    moments = [name for name in detector.inputs if name.startswith("moments/")]
    assert moments == [f"moments/{backbone}layer{i}" for i in (1, 2, 3)]
    assert list(network.outputs) == ["segmentation", *detector.inputs]
    assert set(detector.inputs) == {"latent_samples", *moments, "picture", "energy/mean"}
    outcome = assessed(who, PLACEMENT, (network, detector))()
    assert outcome.parts is not None
    assert outcome.parts.shape == (1, 6)
    np.testing.assert_allclose(outcome.parts.sum(axis=1), outcome.scores)
    np.testing.assert_array_equal(outcome.segmentation, monitored(who, SAMPLES, PLACEMENT)().segmentation)


OUTPUTS: dict[str, dict[str, tuple[int, ...]]] = {
    QUALITY: {"quality": (1, 3)},
    CAUSE: {"causes": (1, 15), "severity": (1,)},
    TILES: {"tiles": (1, 4, 8)},
    MAP: {"anomaly_map": (1, SMALL[0] // 4, SMALL[1] // 4)},
    CONFIDENCE: {"class_confidence": (1, 2, 19)},
}


@pytest.mark.parametrize(
    "answers",
    [*({name} for name in OUTPUTS if name != CONFIDENCE), {QUALITY, CAUSE, TILES}, ALL_ANSWERS],
    ids=lambda answers: "+".join(sorted(answers)),  # a set's own order differs from process to process
)
def test_answered_graphs_of_a_network_give_these_answers_beside_the_same_score(answers: frozenset[str]) -> None:
    who = subject("resnet18", *SMALL)
    network, detector = answered_graphs(who, SAMPLES, PLACEMENT, frozenset(answers))
    assert list(network.outputs) == ["segmentation", *detector.inputs]
    outcome = assessed(who, PLACEMENT, (network, detector))()
    novelty: dict[str, tuple[int, ...]] = {"novelty": (1,)} if answers & {QUALITY, CAUSE} else {}
    expected = {name: shape for answer in answers for name, shape in OUTPUTS[answer].items()} | novelty
    assert {name: rows.shape for name, rows in outcome.answers.items()} == expected
    assert all(np.isfinite(rows).all() for rows in outcome.answers.values())
    fused = assessed(who, PLACEMENT, fused_graphs(who, SAMPLES, PLACEMENT))()
    np.testing.assert_array_equal(outcome.segmentation, fused.segmentation)
    np.testing.assert_allclose(outcome.scores, fused.scores, rtol=1e-6)


def test_answers_without_a_score_are_those_beside_it() -> None:
    who = subject("resnet18", *SMALL)
    outputs = unscored(who, SAMPLES, PLACEMENT, frozenset((MAP,)))()
    assert set(outputs) == {"segmentation", "anomaly_map"}
    beside = assessed(who, PLACEMENT, answered_graphs(who, SAMPLES, PLACEMENT, frozenset((MAP,))))()
    np.testing.assert_array_equal(outputs["segmentation"], beside.segmentation)
    np.testing.assert_allclose(outputs["anomaly_map"], beside.answers["anomaly_map"], rtol=1e-5, atol=1e-5)


def test_causes_of_random_answers_read_every_early_layer() -> None:
    """The fit chooses the layers; one that helped less would leave some out, and cost less than a real one may."""
    detector = answered_graphs(subject("resnet18", *SMALL), SAMPLES, PLACEMENT, frozenset((CAUSE,)))[1]
    fused = fused_graphs(subject("resnet18", *SMALL), SAMPLES, PLACEMENT)[1]
    assert {name for name in fused.inputs if name.startswith("moments/")} <= set(detector.inputs)
    assert {"picture", "picture_spread"} <= set(detector.inputs)


@pytest.mark.parametrize(("kind", "within"), [(INT8, 0.2), (FLOAT16, 0.02)])
def test_reduced_precision_of_a_network_changes_scores_a_little(kind: str, within: float) -> None:
    who = subject("resnet18", *SMALL)
    float32, reduced = (np.asarray(alone(who, PLACEMENT, precision)()) for precision in (FLOAT32, kind))
    assert 0 < np.mean(float32 != reduced) < within
    assert monitor_graphs(who, SAMPLES, PLACEMENT, precision=kind)[0].placement.keys() == {"CPUExecutionProvider"}
