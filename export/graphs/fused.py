# SPDX-License-Identifier: Apache-2.0
"""Both graphs of a bundle as one, for ONNX Runtime in any language with no code of ours; weights shared between files."""

import hashlib
from collections.abc import Iterable
from typing import BinaryIO

import onnx
import onnx.compose
from onnx import ModelProto, TensorProto, numpy_helper

WEIGHTS = "weights.bin"

_SMALLEST_SHARED = 1024
_ALIGNMENT = 64


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


def share_weights(models: Iterable[ModelProto], file: BinaryIO) -> None:
    """Move the large constants of several graphs into one file, equal ones once; the graphs are changed in place.

    Args:
        models: graphs with their constants inside.
        file: receives the bytes; it must come to lie beside the graphs under the name ``WEIGHTS``.
    """
    offsets: dict[bytes, int] = {}
    for model in models:
        for tensor in model.graph.initializer:
            if tensor.ByteSize() >= _SMALLEST_SHARED:
                if not tensor.raw_data:  # numbers in a typed field, as scikit-learn's converter writes them
                    tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor), tensor.name))
                key = hashlib.sha256(tensor.raw_data).digest()
                if key not in offsets:
                    file.write(b"\0" * (-file.tell() % _ALIGNMENT))
                    offsets[key] = file.tell()
                    file.write(tensor.raw_data)
                _point(tensor, offsets[key])


def _point(tensor: TensorProto, offset: int) -> None:
    onnx.external_data_helper.set_external_data(tensor, WEIGHTS, offset=offset, length=len(tensor.raw_data))
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
