# SPDX-License-Identifier: Apache-2.0
"""The nodes that compute how unknown each cell of a frame is: ``anomaly_map`` ``(B, h, w)``, float32.

The nodes of the other answers are float64, on a few numbers of a frame; a map has thousands of cells and its logits many
more. A frame gets the bits in a batch that it gets alone: ONNX Runtime takes a logarithm of several numbers at a time and of
the rest of a tensor one by one, with other last bits, and sums over the classes of one frame otherwise than over those of
several. A reduction takes its logarithms one by one, and a convolution sums frame by frame.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto

from export.answers.maps import FittedMap, MapHead, between, grid_of_map
from export.answers.pixel_scores import BOUNDARY_WIDTHS, ENERGY, ENTROPY, HEAD, LOGIT, SOFTMAX, STANDARDISED
from export.features.key import FeatureKey
from export.graphs.node_list import NodeList
from lsood_runtime.offline import ANOMALY_MAP

_FLOAT = TensorProto.FLOAT

_OF_EXPONENTIALS = frozenset({ENTROPY, SOFTMAX, ENERGY})
"""Scores that are computed from the exponentials of the logits."""


@dataclass(frozen=True)
class MapLogits:
    """Values of the graph about the logits of a map.

    Attributes:
        maps: name of the logits ``(B, K, h, w)``.
        largest: name of the largest of each cell ``(B, 1, h, w)``, which passes over NaN.
        classes: K.
        rows: h.
        columns: w.
    """

    maps: str
    largest: str
    classes: int
    rows: int
    columns: int


def add_anomaly_map(graph: NodeList, fitted: FittedMap, widths: Mapping[FeatureKey, int]) -> MapLogits:
    """Append the nodes of :meth:`FittedMap.anomaly_map`, which read ``(B, C * h * w)`` float32 by the names of their keys.

    Args:
        graph: of the answers.
        fitted: the map.
        widths: numbers a frame of each key.

    Returns:
        The logits, for other nodes that read them.
    """
    nodes = _Nodes(graph, fitted, widths)
    logits = nodes.logits
    nodes.add()
    return logits


class _Nodes:
    """Writes the nodes of one map."""

    def __init__(self, graph: NodeList, fitted: FittedMap, widths: Mapping[FeatureKey, int]) -> None:
        self._graph, self._fitted, self._widths = graph, fitted, widths
        rows, columns = fitted.grid
        self._count = widths[fitted.key] // (rows * columns)
        self._classes = graph.constant("map/classes", np.array([1], np.int64))
        self._logits = self._as_maps(fitted.key)
        self._largest = graph.add("ReduceMax", [self._logits, self._classes], "map/largest", keepdims=1)

    @property
    def logits(self) -> MapLogits:
        """The logits of the map."""
        return MapLogits(self._logits, self._largest, self._count, *self._fitted.grid)

    def add(self) -> None:
        """Append all nodes."""
        graph, fitted = self._graph, self._fitted
        scores = self._scores()
        total = graph.constant("map/offset", np.array(fitted.offset, np.float32))
        for name, slope in fitted.slopes.items():
            weight = graph.constant(f"map/{name}/slope", np.array(slope, np.float32))
            weighed = graph.add("Mul", [scores[name], weight], f"map/{name}/weighed")
            total = graph.add("Add", [total, weighed], f"map/{name}/total")
        if fitted.smoothing > 1:
            total = self._box(total, fitted.smoothing, "map/smoothed", beyond=False)
        grid = graph.constant("map/grid", np.array([-1, *fitted.grid], np.int64))
        graph.add("Reshape", [total, grid], ANOMALY_MAP)

    def _scores(self) -> dict[str, str]:
        """Names of the scores ``(B, 1, h, w)`` that the sum reads."""
        graph, read = self._graph, self._fitted.slopes
        found: dict[str, str] = {}
        if _OF_EXPONENTIALS & read.keys():
            below = graph.add("Sub", [self._logits, self._largest], "map/below")
            powers = graph.add("Exp", [below], "map/powers")
            total = self._weighed(powers, np.ones(self._count), "map/powers")
            logarithm = graph.add("ReduceLogSum", [total, self._classes], "map/logarithm", keepdims=1)  # of one number
            if ENERGY in read:
                peak = graph.add("Add", [self._largest, logarithm], "map/log_sum")
                found[ENERGY] = graph.add("Neg", [peak], "map/energy")
            if SOFTMAX in read:
                found[SOFTMAX] = graph.add("Neg", [graph.add("Reciprocal", [total], "map/probability")], "map/softmax")
            if ENTROPY in read:
                parts = graph.add("Mul", [powers, below], "map/parts")
                mean = graph.add("Div", [self._weighed(parts, np.ones(self._count), "map/parts"), total], "map/mean")
                found[ENTROPY] = graph.add("Sub", [logarithm, mean], "map/entropy")
        if LOGIT in read or STANDARDISED in read:
            # ONNX Runtime's maximum passes over NaN, a sum does not
            nothing = self._weighed(self._logits, np.zeros(self._count), "map/finite")
            self._largest = graph.add("Add", [self._largest, nothing], "map/finite_largest")
        if LOGIT in read:
            found[LOGIT] = graph.add("Neg", [self._largest], "map/logit")
        if STANDARDISED in read:
            found[STANDARDISED] = self._standardised()
        if self._fitted.head is not None:
            found[HEAD] = self._head(self._fitted.head)
        return found

    def _head(self, head: MapHead) -> str:
        """The head's map ``(B, 1, h, w)``."""
        graph, grid = self._graph, self._fitted.grid
        total = self._weighed(self._logits, head.logits, "map/head/logits")
        for i, (key, weights) in enumerate(head.layers.items()):
            layer = self._weighed(self._as_maps(key), weights, f"map/head/{i}")
            for axis, (size, new) in enumerate(zip(grid_of_map(key), grid, strict=True)):
                if size != new:
                    layer = self._enlarged(layer, between(size, new), axis, f"map/head/{i}/{('down', 'across')[axis]}")
            total = graph.add("Add", [total, layer], f"map/head/{i}/total")
        return graph.add(
            "Add", [total, graph.constant("map/head/offset", np.array(head.offset, np.float32))], "map/head"
        )

    def _weighed(self, maps: str, weights: NDArray[np.float64], name: str) -> str:
        """Weighted sum ``(B, 1, h, w)`` of channels ``(B, C, h, w)``: a convolution of 1 x 1."""
        kernel = self._graph.constant(f"{name}/weights", weights.astype(np.float32)[None, :, None, None])
        return self._graph.add("Conv", [maps, kernel], f"{name}/sum", kernel_shape=[1, 1])

    def _enlarged(self, maps: str, weights: NDArray[np.float64], axis: int, name: str) -> str:
        """Maps with another number of rows (axis 0) or columns (axis 1); of each sum but two terms are not 0."""
        matrix = weights.astype(np.float32)
        if axis == 0:
            return self._graph.add("MatMul", [self._graph.constant(f"{name}/weights", matrix), maps], name)
        return self._graph.add("MatMul", [maps, self._graph.constant(f"{name}/weights", matrix.T)], name)

    def _standardised(self) -> str:
        """The standardised maximum logit ``(B, 1, h, w)``, boundaries of classes replaced by what lies further inside."""
        graph, name = self._graph, "map/standardised"
        classes = graph.add("ArgMax", [self._logits], f"{name}/classes", axis=1, keepdims=1)
        by_class = [
            graph.add(
                "Gather", [graph.constant(f"{name}/{what}", values.astype(np.float32)), classes], f"{name}/of_{what}"
            )
            for what, values in (("centre", self._fitted.class_centre), ("scale", self._fitted.class_scale))
        ]
        apart = graph.add("Sub", [by_class[0], self._largest], f"{name}/apart")
        scores = graph.add("Div", [apart, by_class[1]], f"{name}/scores")
        numbers = graph.add("Cast", [classes], f"{name}/numbers", to=_FLOAT)
        negative = graph.add("Neg", [numbers], f"{name}/negative")
        one = graph.constant(f"{name}/one", np.array(1, np.float32))
        half = graph.constant(f"{name}/half_of_one", np.array(1 / 18, np.float32))
        least = graph.constant(f"{name}/least", np.array(0.5, np.float32))
        for width in BOUNDARY_WIDTHS:
            step = f"{name}/{width}"
            square = {"kernel_shape": [2 * width + 1] * 2, "pads": [width] * 4, "strides": [1, 1]}
            highest = graph.add("MaxPool", [numbers], f"{step}/highest", **square)
            lowest = graph.add("MaxPool", [negative], f"{step}/lowest", **square)
            differ = graph.add("Add", [highest, lowest], f"{step}/differ")  # 0 where all classes around are the same
            same = graph.add("Less", [differ, least], f"{step}/same")
            inside = graph.add("Cast", [same], f"{step}/inside", to=_FLOAT)
            share = self._box(inside, 3, f"{step}/share", beyond=True)
            sums = self._box(graph.add("Mul", [scores, inside], f"{step}/inner"), 3, f"{step}/around", beyond=True)
            some = graph.add("Greater", [share, half], f"{step}/some")
            outside = graph.add("Not", [same], f"{step}/outside")
            known = graph.add("And", [outside, some], f"{step}/known")
            divisor = graph.add("Where", [known, share, one], f"{step}/divisor")
            mean = graph.add("Div", [sums, divisor], f"{step}/mean")
            scores = graph.add("Where", [known, mean, scores], f"{step}/scores")
        return scores

    def _box(self, maps: str, side: int, name: str, *, beyond: bool) -> str:
        """Mean over a square of an odd side around each cell; ``beyond`` counts cells outside the map as 0."""
        pad = side // 2
        for way, kernel, pads in (("down", [side, 1], [pad, 0] * 2), ("across", [1, side], [0, pad] * 2)):
            maps = self._graph.add(
                "AveragePool",
                [maps],
                f"{name}/{way}",
                kernel_shape=kernel,
                pads=pads,
                strides=[1, 1],
                count_include_pad=int(beyond),
            )
        return maps

    def _as_maps(self, key: FeatureKey) -> str:
        """The feature as ``(B, C, h, w)``."""
        rows, columns = grid_of_map(key)
        shape = np.array([-1, self._widths[key] // (rows * columns), rows, columns], np.int64)
        return self._graph.add("Reshape", [str(key), self._graph.constant(f"map/{key}/shape", shape)], f"map/{key}")
