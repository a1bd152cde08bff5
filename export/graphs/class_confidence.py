# SPDX-License-Identifier: Apache-2.0
"""The nodes that compute how confident the segmentation is of each class: ``class_confidence`` ``(B, 2, K)``, float64.

They read the map of the logits that the anomaly map reads, in float32 as it does; what is left of a frame is float64. Sums
over the cells are products of matrices, which go frame by frame: a frame gets the bits in a batch that it gets alone.
"""

import numpy as np
from onnx import TensorProto

from export.answers.confidence import cell_step
from export.graphs.anomaly_map import MapLogits
from export.graphs.node_list import NodeList
from lsood_runtime.offline import CLASS_CONFIDENCE


def add_class_confidence(graph: NodeList, logits: MapLogits, temperature: float) -> None:
    """Append the nodes of :func:`export.answers.confidence.class_confidence`.

    Args:
        graph: of the answers, with the nodes of the anomaly map.
        logits: of the map.
        temperature: that they are divided by.
    """
    name, count, step = "confidence", logits.classes, cell_step(logits.rows, logits.columns)
    cells = -(-logits.rows // step) * -(-logits.columns // step)
    maps, peaks = (_every(graph, each, step, name) for each in (logits.maps, logits.largest))
    softer = graph.constant(f"{name}/inverse", np.array(1 / temperature, np.float32))
    below = graph.add("Sub", [maps, peaks], f"{name}/below")
    powers = graph.add("Exp", [graph.add("Mul", [below, softer], f"{name}/softer")], f"{name}/powers")
    kernel = graph.constant(f"{name}/ones", np.ones((1, count, 1, 1), np.float32))
    total = graph.add("Conv", [powers, kernel], f"{name}/total", kernel_shape=[1, 1])
    largest = graph.add("Reciprocal", [total], f"{name}/largest")
    row = graph.constant(f"{name}/row", np.array([-1, 1, cells], np.int64))
    told = graph.add("Reshape", [largest, row], f"{name}/told")
    pads = graph.constant(f"{name}/pads", np.array([0, 1, 0, 0, 0, 0], np.int64))
    one = graph.constant(f"{name}/one", np.array(1, np.float32))
    both = graph.add("Pad", [told, pads, one], f"{name}/both")  # 1 and the confidence
    columns = graph.add("Transpose", [both], f"{name}/columns", perm=[0, 2, 1])  # (B, cells, 2)
    classes = graph.add("ArgMax", [maps], f"{name}/classes", axis=1, keepdims=1)
    numbers = graph.constant(f"{name}/numbers", np.arange(count)[:, None])
    own = graph.add("Equal", [graph.add("Reshape", [classes, row], f"{name}/flat"), numbers], f"{name}/own")
    hits = graph.add(
        "Cast", [own], f"{name}/hits", to=TensorProto.FLOAT
    )  # (B, K, cells), on the left as in NodeList.product
    sums = graph.add("MatMul", [hits, columns], f"{name}/sums")
    turned = graph.add("Transpose", [sums], f"{name}/turned", perm=[0, 2, 1])
    exact = graph.add("Cast", [turned], f"{name}/exact", to=TensorProto.DOUBLE)
    graph.add("Div", [exact, graph.constant(f"{name}/cells", np.array(float(cells)))], CLASS_CONFIDENCE)


def _every(graph: NodeList, maps: str, step: int, name: str) -> str:
    """Every n-th row and column of maps ``(B, C, h, w)``."""
    if step == 1:
        return maps
    limits = ([0, 0], [2**31 - 1] * 2, [2, 3], [step, step])
    words = ("starts", "ends", "axes", "steps")
    given = [
        graph.constant(f"{name}/{maps}/{word}", np.array(numbers, np.int64))
        for word, numbers in zip(words, limits, strict=True)
    ]
    return graph.add("Slice", [maps, *given], f"{name}/{maps}/every")
