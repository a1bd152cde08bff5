# SPDX-License-Identifier: Apache-2.0
"""What in a network is known to come out otherwise in ONNX Runtime than in PyTorch, to name it where a monitor is refused."""

from onnx import AttributeProto, ModelProto
from torch import nn

_UNPOOLING = (nn.MaxUnpool1d, nn.MaxUnpool2d, nn.MaxUnpool3d)


def likely_causes(network: nn.Module, graph: ModelProto) -> list[str]:
    """Name layers and operators whose results depend on the library, a sentence each.

    Args:
        network: that was exported.
        graph: of it.
    """
    unpooling = [name for name, layer in network.named_modules() if isinstance(layer, _UNPOOLING)]
    causes = []
    if unpooling:
        causes.append(
            f"index flips of max-unpool in {_some(unpooling)}: where two cells of a pooling are equal but for rounding, a "
            "value goes to another pixel"
        )
    ways = sorted({way for node in graph.graph.node if node.op_type == "Resize" for way in _ways(list(node.attribute))})
    if ways:
        causes.append(f"resizing ({', '.join(ways)}), of which PyTorch and ONNX Runtime have definitions of their own")
    return causes


def _ways(attributes: list[AttributeProto]) -> list[str]:
    given = {attribute.name: attribute for attribute in attributes}
    ways = []
    if "antialias" in given and given["antialias"].i:
        ways.append("antialias")
    if "mode" in given and given["mode"].s == b"cubic":
        ways.append("bicubic")
    if "coordinate_transformation_mode" in given and given["coordinate_transformation_mode"].s == b"align_corners":
        ways.append("align_corners")
    return ways


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
