# SPDX-License-Identifier: Apache-2.0
"""The graph ``monitor.onnx``: frame to score in one graph, for ONNX Runtime in any language."""

import onnx
import onnx.compose
from onnx import ModelProto

from lsood_runtime.offline import ANSWER_OUTPUTS

FUSED_FILE = "monitor.onnx"


def fused_graph(segmentation: ModelProto, detector: ModelProto) -> ModelProto:
    """Join both graphs of a bundle.

    Args:
        segmentation: camera frame, and noise where it takes any, to segmentation and features.
        detector: features to the score, to its parts where it has any, and to what the bundle answers beside it.

    Returns:
        The inputs of the first to ``score`` ``(B,)`` float64, the segmentation, if there is any, and ``parts`` ``(B, P)``
        float64, and answers, if there are any.
    """
    detector = onnx.compose.add_prefix(detector, "detector/", rename_inputs=False, rename_outputs=False)
    given = {output.name for model in (segmentation, detector) for output in model.graph.output}
    kept = [name for name in ("score", "segmentation", "parts", *ANSWER_OUTPUTS) if name in given]
    features = [(value.name, value.name) for value in detector.graph.input]
    fused = onnx.compose.merge_models(segmentation, detector, io_map=features, outputs=kept, name="monitor")
    order = {value.name: value for value in fused.graph.output}
    del fused.graph.output[:]
    fused.graph.output.extend(order[name] for name in kept)
    onnx.checker.check_model(fused)
    return fused
