# SPDX-License-Identifier: Apache-2.0
"""The graph ``detector.onnx``: latent samples to entropies and a score."""

import onnx
import onnx.compose
import onnx.parser
from onnx import ModelProto, TensorProto, helper
from skl2onnx import to_onnx
from skl2onnx.common.data_types import DoubleTensorType
from sklearn.pipeline import Pipeline

from export.detectors.entropy import check_neighbors, entropy_offset
from export.detectors.entropy_constants import MIN_DIST
from export.graphs.sklearn_converters import register_detector

OPSET = 20
IR_VERSION = 10


def entropy_graph(samples: int, channels: int, neighbors: int, min_dist: float = MIN_DIST) -> ModelProto:
    """Build the graph of ``latent_entropy``: ``latent_samples`` ``(B, S, C)`` to ``entropy`` ``(B, C)``, float32.

    Sorted samples are padded with k infinities at either end, so that a neighbour out of range is infinitely far. They are
    sorted along the last axis, where ONNX Runtime's TopK takes less than half the time (benchmarks/NOTES.md).

    Raises:
        ValueError: S <= k.
    """
    check_neighbors(samples, neighbors)
    n, k = samples, neighbors
    lines, candidates = [], []
    for o in range(k + 1):
        lines += [
            f"below_{o}_start = Constant<value_ints=[{k - o}]>()",
            f"below_{o}_end = Constant<value_ints=[{k - o + n}]>()",
            f"below_{o} = Slice(padded, below_{o}_start, below_{o}_end, axis)",
            f"above_{o}_start = Constant<value_ints=[{2 * k - o}]>()",
            f"above_{o}_end = Constant<value_ints=[{2 * k - o + n}]>()",
            f"above_{o} = Slice(padded, above_{o}_start, above_{o}_end, axis)",
            f"down_{o} = Sub(ordered, below_{o})",
            f"up_{o} = Sub(above_{o}, ordered)",
            f"radius_{o} = Max(down_{o}, up_{o})",
        ]
        candidates.append(f"radius_{o}")
    body = "\n".join(lines)
    model = onnx.parser.parse_model(f"""
        <ir_version: {IR_VERSION}, opset_import: ["" : {OPSET}]>
        entropy (float[batch, {n}, {channels}] latent_samples) => (float[batch, {channels}] entropy)
        <int64[1] count = {{{n}}}, int64[1] axis = {{1}}, float infinity = {{inf}}, float minus_infinity = {{-inf}},
         int64[6] pads_before = {{0, {k}, 0, 0, 0, 0}}, int64[6] pads_after = {{0, 0, 0, 0, {k}, 0}},
         float floor = {{{min_dist!r}}}, float two = {{2.0}}, float offset = {{{entropy_offset(n, k)!r}}}>
        {{
            columns = Transpose<perm = [0, 2, 1]>(latent_samples)
            ordered_columns, order = TopK<axis = 2, largest = 0, sorted = 1>(columns, count)
            ordered = Transpose<perm = [0, 2, 1]>(ordered_columns)
            padded_before = Pad(ordered, pads_before, minus_infinity)
            padded = Pad(padded_before, pads_after, infinity)
            {body}
            radius = Min({", ".join(candidates)})
            floored = Max(radius, floor)
            diameter = Mul(floored, two)
            log_diameter = Log(diameter)
            mean = ReduceMean<keepdims = 0>(log_diameter, axis)
            entropy = Add(mean, offset)
        }}""")
    onnx.checker.check_model(model)
    return model


def score_graph(detector: Pipeline, channels: int) -> ModelProto:
    """Build the graph of ``-detector.score_samples``: ``entropy`` ``(B, C)`` float32 to ``score`` ``(B,)`` float64."""
    register_detector(type(detector[-1]))
    density = to_onnx(
        detector,
        name="density",
        initial_types=[("entropy", DoubleTensorType([None, channels]))],
        final_types=[("log_density", DoubleTensorType([None, 1]))],
        target_opset={"": OPSET, "ai.onnx.ml": 1},
    )
    density = onnx.compose.add_prefix(density, "density/")
    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["entropy"], ["density/entropy"], to=TensorProto.DOUBLE),
            *density.graph.node,
            helper.make_node("Neg", ["density/log_density"], ["score_column"]),
            helper.make_node("Squeeze", ["score_column", "score_axis"], ["score"]),
        ],
        "score",
        [helper.make_tensor_value_info("entropy", TensorProto.FLOAT, ["batch", channels])],
        [helper.make_tensor_value_info("score", TensorProto.DOUBLE, ["batch"])],
        [*density.graph.initializer, helper.make_tensor("score_axis", TensorProto.INT64, [1], [1])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
    onnx.checker.check_model(model, full_check=True)
    return model


def detector_graph(entropy: ModelProto, score: ModelProto) -> ModelProto:
    """Join the entropy's and the score's graph: ``latent_samples`` to ``entropy`` and ``score``."""
    model = onnx.compose.merge_models(
        entropy, score, io_map=[("entropy", "entropy")], outputs=["entropy", "score"], name="detector"
    )
    onnx.checker.check_model(model, full_check=True)
    return model
