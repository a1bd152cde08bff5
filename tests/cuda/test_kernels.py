# SPDX-License-Identifier: Apache-2.0
"""Every node of every exported graph has a CUDA kernel in the committed table of ONNX Runtime's; no GPU is needed."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnx.parser
import pytest
from onnx import ModelProto
from sklearn.pipeline import Pipeline

from export.calibration.options import CalibrationOptions
from export.detectors.fit import fit_detector
from export.detectors.fused import fit_fused
from export.detectors.kernel_density import KernelDensityDetector
from export.detectors.registry import DETECTORS
from export.graphs.detector import detector_graph, entropy_graph, features_graph, score_graph
from export.graphs.fused import fused_graph
from export.layers.mask_mode import Mode
from export.precision.float16 import to_float16
from tests.cuda.kernels import Kernel, KernelTable, off_cuda
from tests.cuda.traps import TRAPS, graph
from tests.export.detectors.feature_rows import PARTS, recording
from tests.exported_graphs import CASES_OF_FEATURES, NETWORK_CASES, network_graph

GRAPHS = ("segmentation.onnx", "detector.onnx")


@pytest.fixture(scope="module")
def table() -> KernelTable:
    return KernelTable.read()


def random_operators(model: ModelProto) -> set[str]:
    return {
        node.op_type for node in model.graph.node if node.op_type.startswith(("Random", "Bernoulli", "Multinomial"))
    }


@pytest.mark.parametrize("name", GRAPHS)
def test_off_cuda_of_a_bundle_is_empty(bundle: Path, name: str, table: KernelTable) -> None:
    model = onnx.load(bundle / name)
    assert off_cuda(model, table) == []
    assert not random_operators(model)  # CUDA graphs would replay one draw for ever


@pytest.mark.parametrize("kind", DETECTORS)
@pytest.mark.parametrize("standardise", [False, True])
@pytest.mark.parametrize("pca", [None, 3])
def test_off_cuda_of_every_detector_is_empty(kind: str, standardise: bool, pca: int | None, table: KernelTable) -> None:
    channels, samples = 12, 8
    rows = np.random.default_rng(0).normal(size=(40, channels))
    ood_rows = rows + 3 if kind == "kde-classifier" else None
    detector = fit_detector(kind, rows, ood_rows, pca_components=pca, standardise=standardise)
    model = detector_graph(entropy_graph(samples, channels, 5), score_graph(detector, channels))
    points = 2 if kind == "kde-classifier" else 1
    assert [node.op_type for node in model.graph.node].count("MatMul") == points + (pca is not None)
    assert off_cuda(model, table) == []


@pytest.mark.parametrize("case", CASES_OF_FEATURES)
def test_off_cuda_of_every_feature_is_empty(case: str, table: KernelTable) -> None:
    assert off_cuda(network_graph(case, "fixed", every_feature=True), table) == []


def test_off_cuda_of_a_compressed_density_is_its_products_of_bytes_alone(table: KernelTable) -> None:
    """On the CPU it reads a quarter of what a product of floats would; CUDA's kernel takes no unsigned bytes."""
    points = np.random.default_rng(0).normal(size=(40, 12))
    detector = Pipeline([("detector", KernelDensityDetector(1.0, exact_numbers=0).fit(points))])
    lines = off_cuda(score_graph(detector, 12), table)
    assert [line.partition(" ")[0].rstrip(":,") for line in lines] == ["MatMulInteger"] * 2


def test_off_cuda_of_a_fused_detector_is_empty(table: KernelTable) -> None:
    drive = recording(0)
    detector = fit_fused(PARTS, drive.features, drive.drives)
    assert off_cuda(features_graph(detector, drive.shapes), table) == []


def test_off_cuda_of_fresh_masks_is_empty(table: KernelTable) -> None:
    model = network_graph("DropBlock at the tap", "fresh")
    assert random_operators(model) == {"RandomUniformLike"}
    assert off_cuda(model, table) == []


def test_off_cuda_of_masks_from_noise_is_empty(table: KernelTable) -> None:
    model = network_graph("DropBlock at the tap", "input")
    assert [value.name for value in model.graph.input] == ["frame", "noise_0"]
    assert off_cuda(model, table) == []


@pytest.mark.parametrize("mode", ["fixed", "fresh", "input"])
def test_off_cuda_of_a_float16_network_is_empty(mode: Mode, table: KernelTable) -> None:
    model = to_float16(network_graph("DropBlock at the tap", mode))
    assert sum(tensor.data_type == onnx.TensorProto.FLOAT16 for tensor in model.graph.initializer) > 4
    assert off_cuda(model, table) == []


def test_off_cuda_of_a_fused_graph_is_empty(table: KernelTable) -> None:
    model = network_graph("DropBlock at the tap", "fixed")
    detector = fit_detector("kde", np.random.default_rng(0).normal(size=(40, 12)), pca_components=3)
    fused = fused_graph(model, detector_graph(entropy_graph(6, 12, 5), score_graph(detector, 12)))
    assert len(fused.graph.node) > len(model.graph.node) + 20
    assert off_cuda(fused, table) == []


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["logits", "none"])
def test_off_cuda_of_other_bundles_is_empty(export_small: Callable[..., Path], kind: str, table: KernelTable) -> None:
    folder = export_small(segmentation=kind, calibration=CalibrationOptions(detector="kde", rates={"10%": 0.1}, pca=3))
    assert [off_cuda(onnx.load(folder / name), table) for name in GRAPHS] == [[], []]


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["fixed", "fresh", "input"])
@pytest.mark.parametrize("case", NETWORK_CASES)
def test_off_cuda_of_other_networks_is_empty(case: str, mode: Mode, table: KernelTable) -> None:
    model = network_graph(case, mode)
    assert off_cuda(model, table) == []
    assert bool(random_operators(model)) == (mode == "fresh")


@pytest.mark.parametrize("name", TRAPS)
def test_off_cuda_of_a_node_without_kernel_names_it_and_not_its_neighbour(name: str, table: KernelTable) -> None:
    trap = TRAPS[name]
    assert off_cuda(graph(trap.good), table) == []
    (line,) = off_cuda(graph(trap.bad, trap.bad_opset), table)
    assert trap.reason in line


def test_off_cuda_of_a_changed_bundle_names_the_node(bundle: Path, table: KernelTable) -> None:
    model = onnx.load(bundle / "detector.onnx")
    node = next(node for node in model.graph.node if node.op_type == "Max")
    node.op_type, node.name = "Mean", "changed"
    assert off_cuda(model, table) == ["Mean changed: no CUDA kernel"]


def test_off_cuda_of_a_local_function_names_the_node_inside(table: KernelTable) -> None:
    model = onnx.parser.parse_model("""
        <ir_version: 10, opset_import: ["" : 20, "local" : 1]>
        caller (float[2] a, float[2] b) => (float[2] y) { y = local.middle(a, b) }
        <opset_import: ["" : 20], domain: "local">
        middle (a, b) => (y) { y = Mean(a, b) }""")
    (line,) = off_cuda(model, table)
    assert line.startswith("Mean")


def test_off_cuda_of_an_unknown_domain_names_it(table: KernelTable) -> None:
    model = onnx.parser.parse_model("""
        <ir_version: 10, opset_import: ["" : 20, "ai.onnx.ml" : 3]>
        scaler (float[2, 3] x) => (float[2, 3] y) { y = ai.onnx.ml.Scaler<offset = [0.0], scale = [2.0]>(x) }""")
    (line,) = off_cuda(model, table)
    assert "ai.onnx.ml" in line


@pytest.mark.parametrize(
    ("until", "versions"),
    [(None, {12}), (12, {12}), (21, set(range(12, 22)))],
)
def test_takes_version_of_a_kernel_without_end_is_its_own_alone(until: int | None, versions: set[int]) -> None:
    kernel = Kernel(12, until, {})
    assert {version for version in range(1, 30) if kernel.takes_version(version)} == versions


def test_takes_types_of_a_kernel_goes_by_constraint_and_parameter() -> None:
    kernel = Kernel(5, 12, {"T": frozenset({"float", "double"}), "shape": frozenset({"int64"})})
    assert kernel.takes_types({"T": {"float"}, "shape": {"int64"}})
    assert not kernel.takes_types({"T": {"int32"}, "shape": {"int64"}})
    assert not kernel.takes_types({"T": {"float"}, "shape": {"int32"}})
    assert not kernel.takes_types({"T": {"float"}})  # a constraint that the schema does not know


def test_off_cuda_of_a_value_without_type_is_an_error(table: KernelTable) -> None:
    model = onnx.parser.parse_model("""
        <ir_version: 10, opset_import: ["" : 20, "acme" : 1]>
        unknown (float[2] x) => (float[2] y) { hidden = acme.Operator(x) y = Neg(hidden) }""")
    with pytest.raises(ValueError, match="type for hidden"):
        off_cuda(model, table)
