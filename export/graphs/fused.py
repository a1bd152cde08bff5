# SPDX-License-Identifier: Apache-2.0
"""The graph ``monitor.onnx``: frame to score in one graph, for ONNX Runtime in any language."""

import onnx
import onnx.compose
from onnx import ModelProto

FUSED_FILE = "monitor.onnx"


def fused_graph(segmentation: ModelProto, detector: ModelProto) -> ModelProto:
    """Join both graphs of a bundle.

    Args:
        segmentation: camera frame, and noise where it takes any, to segmentation and latent samples.
        detector: latent samples to entropy and score.

    Returns:
        The inputs of the first to ``score`` ``(B,)`` float64 and the segmentation, if there is any.
    """
    detector = onnx.compose.add_prefix(detector, "detector/", rename_inputs=False, rename_outputs=False)
    kept = ["score", *(output.name for output in segmentation.graph.output if output.name == "segmentation")]
    fused = onnx.compose.merge_models(
        segmentation, detector, io_map=[("latent_samples", "latent_samples")], outputs=kept, name="monitor"
    )
    order = {value.name: value for value in fused.graph.output}
    del fused.graph.output[:]
    fused.graph.output.extend(order[name] for name in kept)
    onnx.checker.check_model(fused)
    return fused
