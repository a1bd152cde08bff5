# SPDX-License-Identifier: Apache-2.0
"""Both graphs of a bundle as one, for ONNX Runtime in any language with no code of ours."""

import onnx
import onnx.compose
from onnx import ModelProto

FUSED_FILE = "monitor.onnx"


def fused_graph(segmentation: ModelProto, detector: ModelProto) -> ModelProto:
    """Camera frame, and noise where the graph takes any, to ``score`` ``(B,)`` float64 and the segmentation, if any."""
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
