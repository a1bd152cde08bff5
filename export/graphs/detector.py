# SPDX-License-Identifier: Apache-2.0
"""The graph ``detector.onnx``: features of a frame to a score, and to the shares of its parts."""

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
import onnx.compose
import onnx.parser
from onnx import ModelProto, TensorProto, helper
from skl2onnx import to_onnx
from skl2onnx.common.data_types import DoubleTensorType
from sklearn.pipeline import Pipeline

from export.detectors.entropy import check_neighbors, entropy_offset
from export.detectors.entropy_constants import DEFAULT_NEIGHBORS, MIN_DIST
from export.detectors.fitted import FittedDetector, Part
from export.detectors.fused import Fused
from export.features.key import LATENT_SAMPLES, FeatureKey
from export.graphs.node_list import NodeList
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
    density = _log_density(detector, channels, "density/", "entropy")
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


def _log_density(pipeline: Pipeline, columns: int, prefix: str, rows: str) -> ModelProto:
    """``score_samples`` of ``rows`` ``(B, D)`` float64 as ``log_density`` ``(B, 1)``; all names with the prefix."""
    register_detector(type(pipeline[-1]))
    model = to_onnx(
        pipeline,
        name="density",
        initial_types=[(rows, DoubleTensorType([None, columns]))],
        final_types=[("log_density", DoubleTensorType([None, 1]))],
        target_opset={"": OPSET, "ai.onnx.ml": 1},
    )
    _move_constants(model)
    return onnx.compose.add_prefix(model, prefix)


def _move_constants(model: ModelProto) -> None:
    """Turn nodes that are constants into stored constants, in place: only these can lie in a file beside the graph."""
    nodes = [node for node in model.graph.node if node.op_type == "Constant" and node.attribute[0].name == "value"]
    for node in nodes:
        tensor = model.graph.initializer.add()
        tensor.CopyFrom(node.attribute[0].t)
        (tensor.name,) = node.output
        model.graph.node.remove(node)


def inputs_of(keys: Sequence[FeatureKey]) -> tuple[str, ...]:
    """Names of the network's outputs that features are, or are computed from; each once, in order."""
    return tuple(dict.fromkeys(key.output for key in keys))


def features_graph(
    detector: FittedDetector,
    shapes: Mapping[str, Sequence[int]],
    neighbors: int = DEFAULT_NEIGHBORS,
    min_dist: float = MIN_DIST,
) -> ModelProto:
    """Build the graph of a fitted detector: its features ``(B, ...)`` float32, by name, to ``score`` ``(B,)`` float64.

    Further outputs: ``entropy`` ``(B, C)`` float32 where ``latent_samples`` are read, ``parts`` ``(B, P)`` float64 of a fused
    detector. NaN or infinity in a feature makes every part that reads it, and the score, NaN or infinite: ONNX Runtime's
    TopK and ReduceMax alone would lose it.

    Args:
        detector: fitted.
        shapes: shape of each input behind the batch, by its name; ``latent_samples`` (S, C) in place of entropies.
        neighbors: k of the entropies.
        min_dist: floor of the distances between samples.

    Raises:
        ValueError: the shape of an input is missing, or S <= k.
    """
    names = inputs_of(detector.keys)
    missing = [name for name in names if name not in shapes]
    if missing:
        raise ValueError(f"expected the shapes of {', '.join(names)}, got none of {', '.join(missing)}: add them")
    widths = {key: shapes[key.output][-1] for key in detector.keys}
    scores = scores_graph(detector, widths)
    if LATENT_SAMPLES not in names:
        return scores
    samples, channels = shapes[LATENT_SAMPLES]
    entropy = entropy_graph(samples, channels, neighbors, min_dist)
    entropy = onnx.compose.add_prefix(entropy, "entropy/", rename_inputs=False, rename_outputs=False)
    outputs = ["entropy", *(value.name for value in scores.graph.output)]
    model = onnx.compose.merge_models(
        entropy, scores, io_map=[("entropy", "entropy")], outputs=outputs, name="detector"
    )
    given = {value.name: value for value in model.graph.input}
    del model.graph.input[:]
    model.graph.input.extend(given[name] for name in names)
    onnx.checker.check_model(model, full_check=True)
    return model


def scores_graph(detector: FittedDetector, widths: Mapping[FeatureKey, int]) -> ModelProto:
    """Build the graph from features, entropies among them, to ``score`` and, of a fused detector, ``parts``.

    Args:
        detector: fitted.
        widths: numbers a frame of each feature that it reads.
    """
    graph = NodeList()
    for key in detector.keys:
        graph.add("Cast", [str(key)], f"double/{key}", to=TensorProto.DOUBLE)
    raw = [_part(graph, part, f"part_{i}", widths) for i, part in enumerate(detector.parts)]
    axis = graph.constant("column_axis", np.array([1], np.int64))
    outputs = [helper.make_tensor_value_info("score", TensorProto.DOUBLE, ["batch"])]
    if isinstance(detector, Fused):
        outputs.append(helper.make_tensor_value_info("parts", TensorProto.DOUBLE, ["batch", len(raw)]))
        shares = _shares(graph, detector, graph.add("Concat", raw, "raw", axis=1))
        graph.add("ReduceSum", [shares, axis], "score", keepdims=0)
    else:
        graph.add("Squeeze", [*raw, axis], "score")
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "detector",
            [
                helper.make_tensor_value_info(str(key), TensorProto.FLOAT, ["batch", widths[key]])
                for key in detector.keys
            ],
            outputs,
            graph.constants,
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def _part(graph: NodeList, part: Part, name: str, widths: Mapping[FeatureKey, int]) -> str:
    """The part's score ``(B, 1)``, NaN wherever one of its features is not finite."""
    doubles = [f"double/{key}" for key in part.keys]
    if len(doubles) > 1:
        rows = graph.add("Concat", doubles, f"{name}/rows", axis=1)
    else:
        rows = graph.add("Identity", doubles, f"{name}/rows")
    columns = sum(widths[key] for key in part.keys)
    graph.take(_log_density(part.pipeline, columns, f"{name}/", "rows"))
    zero = graph.constant(f"{name}/zero", np.array(0.0))
    axis = graph.constant(f"{name}/axis", np.array([1], np.int64))
    nothing = graph.add("Mul", [rows, zero], f"{name}/nothing")
    nothing = graph.add("ReduceSum", [nothing, axis], f"{name}/nothing_or_nan", keepdims=1)
    return graph.add("Sub", [nothing, f"{name}/log_density"], f"{name}/raw")


def _shares(graph: NodeList, detector: Fused, raw: str) -> str:
    """Shares ``(B, P)`` of the parts' scores ``(B, P)``: ``export.detectors.fused.compress`` and the weights."""
    centred = graph.add("Sub", [raw, graph.constant("centres", detector.centres[None])], "centred")
    standardised = graph.add("Div", [centred, graph.constant("scales", detector.scales[None])], "standardised")
    compressed = graph.asinh(standardised, graph.constant("one", np.array(1.0)))
    return graph.add("Mul", [compressed, graph.constant("weights", detector.weights[None])], "parts")
