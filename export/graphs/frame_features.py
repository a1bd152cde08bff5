# SPDX-License-Identifier: Apache-2.0
"""Features that are read from the picture and from the logits, whatever the network: two modules, and the joining of graphs.

Their graphs depend on nothing but shapes, so that :mod:`export.graphs.segmentation` converts each of them once in a process.
"""

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import onnx
import torch
from onnx import ModelProto, TensorProto, ValueInfoProto, helper, numpy_helper
from torch import Tensor, nn

from export.features.key import FeatureKey, FeatureKind
from export.graphs.evaluation_outputs import SEGMENTATION
from export.graphs.output_features import OutputFeatures
from export.graphs.picture_features import PictureFeatures
from export.graphs.picture_spread import PictureSpread
from export.graphs.picture_tiles import NO_PADDING, PictureTiles

MANY_FRAMES = 1_000_003
"""Frames that graphs of features are converted for: a prime, so that no size of a frame is a multiple of it."""


class FeaturesOfPicture(nn.Module):
    """Features of a batch of pictures, ``(B, 3, H, W)`` float32 in [0, 255], each ``(B, D)`` float32.

    Args:
        keys: of features of the picture, in the order of what is given.
        added: rows and columns that padding adds to the picture, as shares of it.
    """

    def __init__(self, keys: Sequence[FeatureKey], added: tuple[Fraction, Fraction] = NO_PADDING) -> None:
        super().__init__()
        self.keys, self.outputs, self.added = tuple(keys), [key.output for key in keys], added
        self.pictures = nn.ModuleList([_module(key, added) for key in keys])

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        """Compute each feature."""
        return tuple(module(pixels) for module in self.pictures)


def _module(key: FeatureKey, added: tuple[Fraction, Fraction]) -> nn.Module:
    if key.grid is not None:
        return PictureTiles(*key.grid, added)
    return PictureFeatures() if key.kind is FeatureKind.PICTURE else PictureSpread()


class FeaturesOfOutput(nn.Module):
    """Most likely classes and features of a batch of logits, ``(B, K, h, w)`` float32.

    Args:
        keys: of features of the output, in the order of what is given.
        classes: whether the most likely class of each pixel, ``(B, h, w)`` uint8, comes first.
    """

    def __init__(self, keys: Sequence[FeatureKey], *, classes: bool) -> None:
        super().__init__()
        self.keys, self.classes = tuple(keys), classes
        self.outputs = [*([SEGMENTATION] if classes else []), *(key.output for key in keys)]

    def forward(self, logits: Tensor) -> tuple[Tensor, ...]:
        """Compute classes and features."""
        of_output = OutputFeatures(logits)
        classes = [of_output.classes.to(torch.uint8)] if self.classes else []
        return *classes, *(of_output[key] for key in self.keys)


def with_free_batch(model: ModelProto) -> ModelProto:
    """Let a graph that was converted for ``MANY_FRAMES`` take any number of them.

    torch follows a module in half of the time where the batch is a number and no symbol.

    Args:
        model: whose every value has the batch first, or nowhere; it is changed.

    Raises:
        ValueError: something else than the first dimension of a value and of a shape depends on the batch.
    """
    graph = model.graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    shapes = {node.input[1] for node in graph.node if node.op_type == "Reshape"}
    read_otherwise = {
        name for node in graph.node for i, name in enumerate(node.input) if (node.op_type, i) != ("Reshape", 1)
    }
    for name in constants.keys() & (shapes - read_otherwise):
        shape = numpy_helper.to_array(constants[name])
        if shape[:1] == MANY_FRAMES:
            constants[name].CopyFrom(numpy_helper.from_array(np.array([-1, *shape[1:]], np.int64), name))
    values = [*graph.input, *graph.output, *graph.value_info]
    for dim in (value.type.tensor_type.shape.dim[0] for value in values if value.type.tensor_type.shape.dim):
        if dim.dim_value == MANY_FRAMES:
            dim.dim_param = "batch"
    sizes = [dim.dim_value for value in values for dim in value.type.tensor_type.shape.dim]
    written = [attribute for node in graph.node if node.op_type == "Constant" for attribute in node.attribute]
    sizes += [size for attribute in written for size in (attribute.i, *attribute.ints)]
    tensors = [*constants.values(), *(attribute.t for attribute in written)]
    whole = [tensor for tensor in tensors if tensor.data_type == TensorProto.INT64]
    sizes += [int(size) for tensor in whole for size in numpy_helper.to_array(tensor).flat]
    if bound := [size for size in sizes if size and size % MANY_FRAMES == 0]:
        raise ValueError(f"expected a batch that is first in every value, got a size of {bound[0]}: keep it first")
    return model


def joined(inner: ModelProto, parts: Sequence[ModelProto], outputs: Sequence[str]) -> ModelProto:
    """Let parts read what a graph gives, and keep some outputs of them all.

    Args:
        inner: graph whose outputs are the inputs of the parts, by name.
        parts: graphs of one input, of names of their own but for inputs and outputs, without functions.
        outputs: names of what is given, in this order.

    Raises:
        ValueError: a part calls functions of its own.
    """
    if own := [function.name for part in parts for function in part.functions]:
        raise ValueError(
            f"expected parts without functions, which joining would lose, got {own[0]}: write its nodes out"
        )
    graphs = [inner.graph, *(part.graph for part in parts)]
    found: dict[str, ValueInfoProto] = {value.name: value for graph in graphs for value in graph.output}
    graph = helper.make_graph(
        [node for graph in graphs for node in graph.node],
        inner.graph.name,
        list(inner.graph.input),
        [found[name] for name in outputs],
        [tensor for graph in graphs for tensor in graph.initializer],
        value_info=[
            *(value for graph in graphs for value in graph.value_info),
            *(value for name, value in found.items() if name not in outputs),
        ],
    )
    model = helper.make_model(graph, opset_imports=inner.opset_import, ir_version=inner.ir_version)
    model.functions.extend(inner.functions)
    onnx.checker.check_model(model)
    return model
