# SPDX-License-Identifier: Apache-2.0
"""The graph of fitted answers: features of a frame to quality, causes, severity, tiles, confidence, novelty, and a map."""

from collections.abc import Mapping

import numpy as np
import onnx
from onnx import ModelProto, TensorProto, helper

from export.answers.cells import FittedCells
from export.answers.columns import Rows, StandardisedColumns
from export.answers.fit import FittedAnswers
from export.answers.perceptron import Perceptron
from export.answers.quality import FittedQuality
from export.answers.typicality import FittedTypicality
from export.features.key import FeatureKey
from export.graphs.anomaly_map import add_anomaly_map
from export.graphs.class_confidence import add_class_confidence
from export.graphs.detector import IR_VERSION, OPSET
from export.graphs.node_list import NodeList
from export.graphs.tile_abnormality import add_tile_abnormality
from lsood_runtime.offline import (
    ANOMALY_MAP,
    CAUSES,
    CLASS_CONFIDENCE,
    LARGEST_SEVERITY,
    NOVELTY,
    QUALITY,
    SEVERITY,
    TILES,
)

_AXIS, _NOUGHT, _ONE = "axis", "nought", "one"
"""Constants that several parts of the graph read."""

_LANES = 8
"""Every row begins at a multiple of so many numbers. ONNX Runtime sums and takes logarithms several numbers at a time, and
the rest of a tensor one by one, with other last bits: a frame in a batch would get other bits than alone."""

_FAR = 1e30
"""Squared distance to a cell that only fills a row up."""


def answers_graph(fitted: FittedAnswers, widths: Mapping[FeatureKey, int]) -> ModelProto:
    """Build the graph from features ``(B, D)`` float32, by name, to the answers of :meth:`FittedAnswers.outputs` and a map.

    NaN or infinity in a feature makes every answer that reads it NaN: Clip, Max and ReduceMax alone could lose it.

    Args:
        fitted: all answers.
        widths: numbers a frame of each feature that is read.
    """
    graph = NodeList()
    graph.constant(_AXIS, np.array([1], np.int64))
    graph.constant(_NOUGHT, np.array(0.0))
    graph.constant(_ONE, np.array(1.0))
    for key in fitted.keys:
        if key.is_map:
            continue  # thousands of cells stay float32
        graph.add("Cast", [str(key)], f"double/{key}", to=TensorProto.DOUBLE)
    outputs: dict[str, list[str | int]] = {}
    if fitted.far_cells is not None and fitted.far_columns is not None:
        columns, finite = _columns(graph, fitted.far_columns, widths, "inner")
        linear, least = _distances(graph, fitted.far_cells, columns, "cells")
        told = finite
        if fitted.cells is not None and fitted.cell_columns is not None and fitted.cells is not fitted.far_cells:
            columns, told = _columns(graph, fitted.cell_columns, widths, "told")
            linear, nearer = _distances(graph, fitted.cells, columns, "told_cells")
            least = graph.add("Max", [least, nearer], "novelty/least")
        novelty = graph.add("Add", [graph.add("Sqrt", [least], "novelty/root"), finite], "novelty/column")
        graph.add("Squeeze", [novelty, _AXIS], NOVELTY)
        outputs[NOVELTY] = ["batch"]
        if fitted.quality is not None and fitted.quality_columns is not None:
            _quality(graph, fitted.quality, *_columns(graph, fitted.quality_columns, widths, "outer"), novelty)
            outputs[QUALITY] = ["batch", 3]
        if fitted.cells is not None:
            assert fitted.picture_columns is not None
            assert fitted.typicality is not None
            shares = _causes(graph, fitted.cells, linear, told)
            columns, _ = _columns(graph, fitted.picture_columns, widths, "picture_columns")
            shares = _typical(graph, fitted.typicality, shares, columns)
            places = graph.constant("causes/places", np.arange(len(fitted.cells.names)))
            graph.add("Gather", [shares, places], CAUSES, axis=1)
            outputs |= {CAUSES: ["batch", len(fitted.cells.names)], SEVERITY: ["batch"]}
    if fitted.tiles is not None:
        add_tile_abnormality(graph, fitted.tiles, _NOUGHT, _ONE)
        outputs[TILES] = ["batch", *fitted.tiles.grid]
    if fitted.map is not None:
        logits = add_anomaly_map(graph, fitted.map, widths)
        outputs[ANOMALY_MAP] = ["batch", *fitted.map.grid]
        if fitted.record.confidence is not None:
            add_class_confidence(graph, logits, fitted.record.confidence.temperature)
            outputs[CLASS_CONFIDENCE] = ["batch", 2, logits.classes]
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "answers",
            [helper.make_tensor_value_info(str(key), TensorProto.FLOAT, ["batch", widths[key]]) for key in fitted.keys],
            [
                helper.make_tensor_value_info(
                    name, TensorProto.FLOAT if name == ANOMALY_MAP else TensorProto.DOUBLE, shape
                )
                for name, shape in outputs.items()
            ],
            graph.constants,
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def _filled(rows: Rows, value: float = 0.0) -> Rows:
    """Rows ``(N, D)`` that are filled up to a multiple of the lanes."""
    return np.pad(rows, ((0, 0), (0, -rows.shape[1] % _LANES)), constant_values=value)


def _columns(
    graph: NodeList, columns: StandardisedColumns, widths: Mapping[FeatureKey, int], name: str
) -> tuple[str, str]:
    """Columns ``(B, D)``, and a column ``(B, 1)`` that is 0 where all of them are finite, else NaN."""
    doubles = [f"double/{key}" for key in columns.keys]
    rows = graph.add("Concat", doubles, f"{name}/rows", axis=1)
    if len(columns.places) < sum(widths[key] for key in columns.keys):
        places = graph.constant(f"{name}/places", columns.places)
        rows = graph.add("Gather", [rows, places], f"{name}/picked", axis=1)
    pads = graph.constant(f"{name}/pads", np.array([0, 0, 0, -len(columns.scale) % _LANES], np.int64))
    rows = graph.add("Pad", [rows, pads, _NOUGHT], f"{name}/padded")
    nothing = graph.add("Mul", [rows, _NOUGHT], f"{name}/noughts")
    finite = graph.add("ReduceSum", [nothing, _AXIS], f"{name}/finite", keepdims=1)
    centred = graph.add(
        "Sub", [rows, graph.constant(f"{name}/centre", _filled(columns.centre[None]))], f"{name}/centred"
    )
    scaled = graph.add(
        "Div", [centred, graph.constant(f"{name}/scale", _filled(columns.scale[None], 1.0))], f"{name}/scaled"
    )
    return graph.asinh(scaled, _ONE), finite


def _distances(graph: NodeList, cells: FittedCells, columns: str, name: str) -> tuple[str, str]:
    """Squared distance to each cell ``(B, C)``, without what is common to all, and the novelty's square ``(B, 1)``."""
    y = graph.add("Div", [columns, graph.constant(f"{name}/spread", _filled(cells.spread[None], 1.0))], f"{name}/y")
    length = graph.add("ReduceSumSquare", [y, _AXIS], f"{name}/length", keepdims=1)
    precision = graph.constant(f"{name}/precision", np.array(cells.precision))
    length = graph.add("Mul", [length, precision], f"{name}/precise")
    along = graph.product(y, _filled(_filled(cells.directions.T).T), f"{name}/along")
    along = graph.add("ReduceSumSquare", [along, _AXIS], f"{name}/along_length", keepdims=1)
    common = graph.add("Sub", [length, along], f"{name}/common")
    linear = graph.product(y, _filled(_filled(cells.slopes.T).T), f"{name}/linear")
    offsets = graph.constant(f"{name}/offsets", _filled(cells.offsets[None], _FAR))
    linear = graph.add("Add", [linear, offsets], f"{name}/rest")
    squared = graph.add("Max", [graph.add("Add", [linear, common], f"{name}/sum"), _NOUGHT], f"{name}/squared")
    units = graph.constant(f"{name}/units", _filled(len(cells.spread) * cells.sizes[None], 1.0))
    each = graph.add("Div", [squared, units], f"{name}/each")
    return linear, graph.add("ReduceMin", [each, _AXIS], f"{name}/least", keepdims=1)


def _causes(graph: NodeList, cells: FittedCells, linear: str, finite: str) -> str:
    """Probabilities of the causes, filled up, and the severity."""
    halves = graph.constant("causes/halves", np.array(-0.5 / cells.temperature))
    logits = graph.add("Mul", [linear, halves], "causes/halved")
    logits = graph.add(
        "Add", [logits, graph.constant("causes/log_prior", _filled(cells.log_prior[None]))], "causes/logits"
    )
    # by hand: the sums of ONNX Runtime's Softmax depend on the batch in their last bits
    largest = graph.add("ReduceMax", [logits, _AXIS], "causes/largest", keepdims=1)
    powers = graph.add("Exp", [graph.add("Sub", [logits, largest], "causes/below")], "causes/powers")
    total = graph.add("ReduceSum", [powers, _AXIS], "causes/total", keepdims=1)
    shares = graph.add("Div", [powers, total], "causes/cells")
    shares = graph.add("Add", [shares, finite], "causes/shares")
    severity = graph.product(shares, _filled(cells.severity[None]).T, "severity/mean")
    worst = graph.constant("severity/worst", np.array(LARGEST_SEVERITY))
    severity = graph.add("Clip", [severity, _NOUGHT, worst], "severity/clipped")
    graph.add("Squeeze", [graph.add("Add", [severity, finite], "severity/column"), _AXIS], SEVERITY)
    return graph.product(shares, _filled(_filled(cells.causes_of_cells).T).T, "causes/of_cells")


def _typical(graph: NodeList, fitted: FittedTypicality, shares: str, columns: str) -> str:
    """Probabilities of the causes ``(B, K)``, filled up, from those without regard to how typical of them the frame is."""
    width, kinds = len(fitted.spread), len(fitted.roots)
    wide, many = width + -width % _LANES, kinds + -kinds % _LANES
    cells = [np.flatnonzero(fitted.cause == place) for place in range(kinds)]
    slots = max(map(len, cells)) + -max(map(len, cells)) % _LANES
    roots, slopes = np.zeros((many, wide, wide)), np.zeros((many, slots, wide))
    offsets, limits = np.full((many, slots), _FAR), np.zeros((1, many))
    limits[0, :kinds] = fitted.limits
    for place, own in enumerate(cells):
        along = fitted.means[own] @ fitted.roots[place]
        roots[place, :width, :width] = fitted.roots[place]
        slopes[place, : len(own), :width] = -2 * along @ fitted.roots[place].T
        offsets[place, : len(own)] = (along**2).sum(axis=1)
    spread = graph.constant("typical/spread", _filled(fitted.spread[None], 1.0))
    y = graph.add("Div", [columns, spread], "typical/y")
    last = graph.constant("typical/last", np.array([2], np.int64))
    along = graph.product(y, roots.transpose(1, 0, 2).reshape(wide, -1), "typical/along")
    shape = graph.constant("typical/kinds", np.array([0, many, wide], np.int64))
    along = graph.add("Reshape", [along, shape], "typical/along_kinds")
    length = graph.add("ReduceSumSquare", [along, last], "typical/length", keepdims=0)
    linear = graph.product(y, slopes.reshape(-1, wide).T, "typical/linear")
    linear = graph.add("Add", [linear, graph.constant("typical/offsets", offsets.reshape(1, -1))], "typical/rest")
    shape = graph.constant("typical/slots", np.array([0, many, slots], np.int64))
    nearest = graph.add("Reshape", [linear, shape], "typical/rest_kinds")
    nearest = graph.add("ReduceMin", [nearest, last], "typical/nearest", keepdims=0)
    squared = graph.add("Max", [graph.add("Add", [length, nearest], "typical/sum"), _NOUGHT], "typical/squared")
    beyond = graph.add("Sub", [squared, graph.constant("typical/limits", limits)], "typical/beyond")
    halves = graph.constant("typical/halves", np.array(0.5 / fitted.temperature))
    odds = graph.add("Exp", [graph.add("Mul", [beyond, halves], "typical/halved")], "typical/odds")
    against = graph.add("Add", [odds, _ONE], "typical/against")
    kept = graph.add("Div", [shares, against], "typical/kept")
    left = graph.add("Sub", [_ONE, graph.add("ReduceSum", [kept, _AXIS], "typical/total", keepdims=1)], "typical/left")
    each = graph.add("Mul", [left, graph.constant("typical/each", np.array(1 / kinds))], "typical/share")
    return graph.add("Add", [kept, each], "typical/causes")


def _quality(graph: NodeList, fitted: FittedQuality, columns: str, finite: str, novelty: str) -> None:
    """Expected quality and both ends of its interval."""
    model = fitted.model
    both = graph.product(columns, _filled(_filled(model.linear.T).T), "quality/linear")
    if len(model.places):
        both = graph.add("Add", [both, _hidden(graph, model, columns)], "quality/layers")
    intercept = graph.constant("quality/intercept", _filled(model.intercept[None]))
    both = graph.add("Add", [both, intercept], "quality/both")
    line = graph.add("Clip", [both, _NOUGHT, _ONE], "quality/line")
    against = graph.add("Exp", [graph.add("Sub", [_NOUGHT, both], "quality/minus")], "quality/against")
    share = graph.add("Div", [_ONE, graph.add("Add", [against, _ONE], "quality/parts")], "quality/share")
    first, second = 0.5 * np.eye(2, _LANES)[:, :, None]
    first, second = graph.product(line, first, "quality/half"), graph.product(share, second, "quality/other_half")
    expected = graph.add("Add", [first, second], "quality/expected")
    constant, lost, far = np.stack([-fitted.below, fitted.above], axis=1)[:, None]
    worse = graph.add("Sub", [_ONE, expected], "quality/lost")
    worse = graph.add("Mul", [worse, graph.constant("quality/lost_reach", lost)], "quality/worse")
    further = graph.add("Mul", [novelty, graph.constant("quality/far_reach", far)], "quality/further")
    reach = graph.add("Add", [worse, graph.constant("quality/least_reach", constant)], "quality/near_reach")
    reach = graph.add("Add", [reach, further], "quality/reach")
    ends = [expected, graph.add("Add", [expected, reach], "quality/low_high")]
    clipped = graph.add("Clip", [graph.add("Concat", ends, "quality/ends", axis=1), _NOUGHT, _ONE], "quality/clipped")
    finite = graph.add("Add", [finite, graph.add("Mul", [novelty, _NOUGHT], "quality/noughts")], "quality/finite")
    graph.add("Add", [clipped, finite], QUALITY)


def _hidden(graph: NodeList, model: Perceptron, columns: str) -> str:
    """What the hidden layer adds to the quality and its log odds, filled up."""
    places = graph.constant("quality/places", _filled(model.places[None].astype(float)).ravel().astype(np.int64))
    read = graph.add("Gather", [columns, places], "quality/read", axis=1)
    directions = _filled(_filled(model.directions).T).T
    thresholds = graph.constant("quality/thresholds", _filled(model.thresholds[None]))
    raised = graph.add("Add", [graph.product(read, directions, "quality/directed"), thresholds], "quality/raised")
    units = graph.add("Max", [raised, _NOUGHT], "quality/units")
    return graph.product(units, _filled(_filled(model.weights.T).T), "quality/hidden")
