# SPDX-License-Identifier: Apache-2.0
"""The gate on networks that round more than most, and on graphs that are wrong: the first pass, the second are refused."""

import math
from collections.abc import Callable, Sequence
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import ModelProto, numpy_helper
from torch import Tensor, nn
from torch.nn import functional as F

from export.bundle.feature_parity import FEATURE_TOLERANCE, FeatureReference, check_feature_parity
from export.bundle.float64_network import in_float64
from export.bundle.parity import Comparison, compare_forms
from export.bundle.parity_causes import likely_causes
from export.bundle.parity_check import MOST, SEGMENTATION_TOLERANCE, Tolerances, check_parity
from export.bundle.reference_monitor import ReferenceMonitor
from export.bundle.rounding_floor import UnknownFloorError, measure_feature_floor, measure_floor
from export.errors import ParityError
from export.features.key import FeatureKey, FeatureKind
from export.graphs.monitor_forms import Form, cpu_session, one_graph, run_graph
from export.graphs.noise import NoiseBatch, NoiseSource
from export.graphs.segmentation import MonitoredNetwork, segmentation_graph
from export.layers.dropblock import DropBlock2D
from export.layers.preprocessing import Preprocessing
from export.sampling.reference_passes import sample_passes
from export.sampling.sampler import build_sampler
from lsood_runtime.offline import ParityRecord
from tests.networks import DropBlockAtTap, settled

SIZE = (64, 96)
PREPROCESSING = Preprocessing(*SIZE, (0.5, 0.4, 0.3), (0.2, 0.3, 0.25))
TOLERANCES = Tolerances(score=math.inf)


class Amplifying(DropBlockAtTap):
    """Doubles in each round what it has rounded before, as deep networks without training do layer by layer."""

    def forward(self, x: Tensor) -> Tensor:
        logits = super().forward(x).sigmoid()
        for _ in range(18):
            logits = 3.9 * logits * (1 - logits)
        return logits


class Unpooling(nn.Module):
    """As ENet: pools, remembers where each maximum was, and puts what it computes back there."""

    def __init__(self) -> None:
        super().__init__()
        first = nn.Conv2d(3, 8, 3, padding=1, bias=False)
        first.weight = nn.Parameter(
            first.weight + first.weight.flip(3)
        )  # the same from left and right, but for rounding
        self.first, self.pool, self.unpool = first, nn.MaxPool2d(2, return_indices=True), nn.MaxUnpool2d(2)
        self.drop_block1 = DropBlock2D(0.5, 3)
        self.middle, self.head = nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(8, 5, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        pooled, places = self.pool(self.first(x))
        logits: Tensor = self.head(self.unpool(self.middle(self.drop_block1(pooled)), places))
        return logits


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "usual": DropBlockAtTap,
    "amplifying": Amplifying,
    "unpooling": Unpooling,
}


@cache
def frames() -> list[NDArray[np.uint8]]:
    """Smooth noise; in a corner stripes of two columns, in which a pooling finds maxima that are equal but for rounding."""
    rng = np.random.default_rng(0)
    shown = []
    for _ in range(3):
        frame = np.kron(rng.integers(40, 216, (16, 24, 3)), np.ones((4, 4, 1))) + rng.normal(0, 12, (*SIZE, 3))
        stripes = np.repeat(np.tile(rng.integers(0, 256, (8, 2, 3)), (1, 5, 1)), 2, axis=1)
        frame[:8, :20] = stripes
        shown.append(frame.clip(0, 255).astype(np.uint8))
    return shown


@cache
def exported(name: str) -> tuple[ReferenceMonitor, ModelProto]:
    torch.manual_seed(1)
    network = settled(NETWORKS[name]())
    example = PREPROCESSING(torch.from_numpy(frames()[0])[None])
    sampler = build_sampler(network, example, ["drop_block1"], mc_samples=6)
    detector: Any = SimpleNamespace(score=lambda features: features[FeatureKey.entropy()].mean(axis=1))
    reference = ReferenceMonitor(
        features=FeatureReference(PREPROCESSING, network, ()),
        sample=lambda images, _: sample_passes(network, images, sampler),
        detector=detector,
        neighbors=5,
        kind="classes",
    )
    monitored = MonitoredNetwork(PREPROCESSING, sampler.observe([FeatureKey.entropy()]))
    return reference, segmentation_graph(monitored, *SIZE)


def form_of(graph: ModelProto) -> Form:
    return one_graph(cpu_session(graph))


def judged(reference: ReferenceMonitor, comparison: Comparison) -> ParityRecord:
    return check_parity(comparison, TOLERANCES, lambda shown: measure_floor(reference, comparison, shown), list)


def compared(reference: ReferenceMonitor, form: Form) -> Comparison:
    def scored(batch: NDArray[np.uint8], noise: NoiseBatch) -> dict[str, NDArray[Any]]:
        return {**form(batch, noise), "score": np.zeros(len(batch))}

    return compare_forms(reference, [scored], frames(), NoiseSource())


def test_check_parity_of_a_usual_network_needs_no_floor() -> None:
    reference, graph = exported("usual")
    record = judged(reference, compared(reference, form_of(graph)))
    assert record.floor.frames == 0


@pytest.mark.parametrize("name", ["amplifying", "unpooling"])
def test_check_parity_of_a_network_that_rounds_passes_by_its_measured_floor(name: str) -> None:
    reference, graph = exported(name)
    comparison = compared(reference, form_of(graph))
    assert max(map(TOLERANCES.excess, comparison.differences)) > 1, "refused by the usual tolerance"
    record = judged(reference, comparison)
    assert record.floor.frames == 2
    assert 0 < record.floor.firm_disagreement <= MOST * SEGMENTATION_TOLERANCE or record.floor.near_ties > 0
    assert record.floor.firm_disagreement <= record.segmentation_disagreement


def scaled_weights(graph: ModelProto, data: st.DataObject) -> ModelProto:
    weights = [tensor for tensor in graph.graph.initializer if len(tensor.dims) == 4 and tensor.data_type == 1]
    tensor = data.draw(st.sampled_from(weights), label="tensor")
    values = numpy_helper.to_array(tensor).copy()
    values[data.draw(st.integers(0, len(values) - 1))] *= 1 + data.draw(st.sampled_from([-1, 1])) * 10 ** data.draw(
        st.floats(-4, 0)
    )
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    return graph


def swapped_channels(graph: ModelProto, data: st.DataObject) -> ModelProto:
    weights = [tensor for tensor in graph.graph.initializer if len(tensor.dims) == 4 and tensor.dims[1] > 1]
    tensor = data.draw(st.sampled_from(weights), label="tensor")
    values = numpy_helper.to_array(tensor)
    order = data.draw(st.permutations(range(values.shape[1])))
    tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(values[:, list(order)]), tensor.name))
    return graph


def other_resize(graph: ModelProto, data: st.DataObject) -> ModelProto:
    resizing = [node for node in graph.graph.node if node.op_type == "Resize"]
    if not resizing:
        return graph
    node = data.draw(st.sampled_from(resizing), label="node")
    ways = {"mode": [b"nearest", b"linear", b"cubic"]}
    ways["coordinate_transformation_mode"] = [b"half_pixel", b"align_corners", b"asymmetric"]
    for attribute in node.attribute:
        if attribute.name in ways:
            attribute.s = data.draw(st.sampled_from(ways[attribute.name]))
    return graph


MUTATIONS = [scaled_weights, swapped_channels, other_resize]
OUTPUTS: list[Callable[[NDArray[Any]], NDArray[Any]]] = [
    lambda classes: np.roll(classes, 1, axis=2),
    lambda classes: np.roll(classes, -1, axis=1),
    lambda classes: (classes + 1) % 5,
    lambda classes: np.where(classes == 1, 2, classes),
    lambda classes: classes[:, :, ::-1],
]


@pytest.mark.parametrize("name", NETWORKS)
@given(data=st.data())
@settings(max_examples=25)
def test_check_parity_refuses_every_wrong_graph_whose_class_map_differs_by_more_than_rounding(
    name: str, data: st.DataObject
) -> None:
    reference, graph = exported(name)
    right = run_graph(cpu_session(graph), np.stack(frames()), [])["segmentation"]
    wrong = ModelProto()
    wrong.CopyFrom(graph)
    change: Callable[[NDArray[Any]], NDArray[Any]] = lambda classes: classes  # noqa: E731
    if data.draw(st.booleans()):
        wrong = data.draw(st.sampled_from(MUTATIONS))(wrong, data)
    else:
        change = data.draw(st.sampled_from(OUTPUTS))
    session = cpu_session(wrong)

    def form(batch: NDArray[np.uint8], noise: NoiseBatch) -> dict[str, NDArray[Any]]:
        outputs = run_graph(session, batch, noise)
        return {**outputs, "segmentation": change(outputs["segmentation"])}

    got = form(np.stack(frames()), [])["segmentation"]
    changed = float((got != right).mean(axis=(1, 2)).max())
    most = SEGMENTATION_TOLERANCE * (1 if name == "usual" else 2 * MOST)  # with what the right graph differs by on top
    try:
        judged(reference, compared(reference, form))
    except ParityError:
        assert (got != right).any() or wrong.SerializeToString() != graph.SerializeToString()
    else:
        assert changed <= most


def test_in_float64_gives_the_network_back_as_it_was() -> None:
    network = settled(DropBlockAtTap())
    before = {name: (tensor.data_ptr(), tensor.dtype) for name, tensor in network.state_dict().items()}

    def run() -> None:
        with in_float64(network):
            assert network(torch.zeros(1, 3, *SIZE, dtype=torch.float64)).dtype == torch.float64
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        run()
    assert {name: (tensor.data_ptr(), tensor.dtype) for name, tensor in network.state_dict().items()} == before


def test_measure_floor_of_a_network_that_holds_on_to_float32_says_so() -> None:
    class Stubborn(DropBlockAtTap):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x.float())

    reference, graph = exported("usual")
    stubborn = FeatureReference(PREPROCESSING, settled(Stubborn()), ())
    comparison = compared(reference, form_of(graph))
    with pytest.raises(UnknownFloorError, match="does not run in float64"):
        measure_feature_floor(stubborn, frames()[0][None])
    large = np.zeros((1, 2048, 2048, 3), np.uint8)
    with pytest.raises(UnknownFloorError, match="frames of 4,194,304 pixels"):
        measure_feature_floor(reference.features, large)
    assert measure_floor(reference, comparison, [0]).frames == 1


@pytest.mark.parametrize(("name", "causes"), [("usual", []), ("unpooling", ["index flips of max-unpool in unpool"])])
def test_likely_causes_of_a_network_are_its_own(name: str, causes: Sequence[str]) -> None:
    reference, graph = exported(name)
    found = likely_causes(reference.features.network, graph)
    assert [one[: len(right)] for one, right in zip(found, causes, strict=True)] == list(causes)


def test_likely_causes_name_the_ways_of_resizing() -> None:
    class Corners(DropBlockAtTap):
        def forward(self, x: Tensor) -> Tensor:
            return F.interpolate(super().forward(x), scale_factor=2.0, mode="bicubic", align_corners=True)

    network = settled(Corners())
    sampler = build_sampler(network, torch.zeros(1, 3, *SIZE), ["drop_block1"], mc_samples=6)
    monitored = MonitoredNetwork(PREPROCESSING, sampler.observe([FeatureKey.entropy()]))
    (cause,) = likely_causes(network, segmentation_graph(monitored, *SIZE))
    assert "resizing (align_corners, bicubic)" in cause


@pytest.mark.parametrize("name", ["usual", "amplifying"])
def test_measure_feature_floor_of_a_network_is_what_float64_changes_of_its_features(name: str) -> None:
    reference, _ = exported(name)
    keys = [FeatureKey.moments("drop_block1"), FeatureKey(FeatureKind.CLASS_SHARE)]
    features = FeatureReference(PREPROCESSING, reference.features.network, keys)
    frame = frames()[0][None]
    floor = measure_feature_floor(features, frame)
    assert floor[keys[0]] < 1e-5
    assert (floor[keys[1]] > 0) == (name == "amplifying")
    check_feature_parity({keys[1]: 2 * FEATURE_TOLERANCE}, {keys[1]: 3 * FEATURE_TOLERANCE})
    with pytest.raises(ParityError, match=r"differences of at most 0\.0003, .* in the feature class_share by 0\.0004"):
        check_feature_parity({keys[1]: 4 * FEATURE_TOLERANCE}, {keys[1]: 3 * FEATURE_TOLERANCE})
