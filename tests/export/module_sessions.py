# SPDX-License-Identifier: Apache-2.0
"""A module in ONNX Runtime, to compare it with the same module in torch."""

from collections.abc import Sequence

import onnxruntime as ort
import torch
from torch import nn


def module_session(
    module: nn.Module, shape: Sequence[int], name: str, outputs: Sequence[str] | None = None
) -> ort.InferenceSession:
    """The graph of a module of one float32 input, whose items are of ``shape``, with a free batch."""
    program = torch.onnx.export(
        module.eval(),
        (torch.zeros(2, *shape),),
        input_names=[name],
        output_names=outputs,
        dynamic_shapes=({0: torch.export.Dim("batch", min=1)},),
        opset_version=20,
        verbose=False,
    )
    assert program is not None
    return ort.InferenceSession(program.model_proto.SerializeToString(), providers=["CPUExecutionProvider"])
