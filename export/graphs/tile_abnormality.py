# SPDX-License-Identifier: Apache-2.0
"""The nodes that compute how abnormal each tile of a frame is: ``tiles`` ``(B, R, Q)``, float64."""

import numpy as np
from numpy.typing import NDArray

from export.answers.tiles import FittedTiles
from export.graphs.node_list import NodeList
from lsood_runtime.offline import TILES

_LANES = 8
"""Numbers along the last axis are filled up to a multiple of so many, as the rows of :mod:`export.graphs.answers` are."""


def add_tile_abnormality(graph: NodeList, fitted: FittedTiles, nought: str, one: str) -> None:
    """Append the nodes of :meth:`FittedTiles.abnormality`, which read ``double/<key>`` ``(B, T * D)`` of each key.

    Args:
        graph: of the answers.
        fitted: the tiles.
        nought: name of the constant 0.
        one: name of the constant 1.
    """
    tiles, width = fitted.centre.shape
    parts = [
        graph.add(
            "Reshape",
            [f"double/{key}", graph.constant(f"tiles/{key}/shape", np.array([-1, tiles, count], np.int64))],
            f"tiles/{key}",
        )
        for key, count in zip(fitted.keys, fitted.widths, strict=True)
    ]
    numbers = graph.add("Concat", parts, "tiles/numbers", axis=2) if len(parts) > 1 else parts[0]
    pads = graph.constant("tiles/pads", np.array([0, 0, 0, 0, 0, -width % _LANES], np.int64))
    numbers = graph.add("Pad", [numbers, pads, nought], "tiles/padded")
    nothing = graph.add("Mul", [numbers, nought], "tiles/noughts")
    finite = graph.add("ReduceSum", [nothing, graph.constant("tiles/all", np.array([1, 2], np.int64))], "tiles/finite")
    centred = graph.add("Sub", [numbers, graph.constant("tiles/centre", _filled(fitted.centre[None]))], "tiles/centred")
    scale = graph.constant("tiles/scale", _filled(fitted.scale[None], 1.0))
    columns = graph.asinh(graph.add("Div", [centred, scale], "tiles/scaled"), one)
    places = graph.constant("tiles/places", np.array([1], np.int64))
    means = graph.add("ReduceMean", [columns, places], "tiles/means", keepdims=1)
    net = fitted.perceptron
    own = graph.product(columns, _filled_both(net.directions[:width]), "tiles/own")
    common = graph.product(means, _filled_both(net.directions[width:]), "tiles/common")
    thresholds = graph.constant("tiles/thresholds", _filled(net.thresholds[None, None]))
    raised = graph.add("Add", [graph.add("Add", [own, common], "tiles/both"), thresholds], "tiles/raised")
    units = graph.add("Max", [raised, nought], "tiles/units")
    odds = graph.product(units, _filled(net.weights[None]).T, "tiles/weighed")
    odds = graph.add("Add", [odds, graph.constant("tiles/offset", np.array(net.offset))], "tiles/plain_odds")
    odds = graph.add("Add", [odds, finite], "tiles/odds")  # NaN again, where Max lost it
    # log(1 + exp(odds)), with the larger one of the odds and 0 taken out of the sum
    largest = graph.add("Max", [odds, nought], "tiles/largest")
    power = graph.add("Exp", [graph.add("Sub", [odds, largest], "tiles/below")], "tiles/power")
    clean = graph.add("Exp", [graph.add("Sub", [nought, largest], "tiles/clean_below")], "tiles/clean")
    logarithm = graph.add("Log", [graph.add("Add", [power, clean], "tiles/total")], "tiles/logarithm")
    abnormality = graph.add("Add", [graph.add("Add", [logarithm, largest], "tiles/softplus"), finite], "tiles/column")
    graph.add("Reshape", [abnormality, graph.constant("tiles/grid", np.array([-1, *fitted.grid], np.int64))], TILES)


def _filled(rows: NDArray[np.float64], value: float = 0.0) -> NDArray[np.float64]:
    """Rows whose last axis is filled up to a multiple of the lanes."""
    pads = [*[(0, 0)] * (rows.ndim - 1), (0, -rows.shape[-1] % _LANES)]
    return np.pad(rows, pads, constant_values=value)


def _filled_both(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """``(D, H)`` with both axes filled up."""
    return _filled(_filled(rows).T).T
