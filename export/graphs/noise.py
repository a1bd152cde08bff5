# SPDX-License-Identifier: Apache-2.0
"""The random numbers of a graph: drawn in it from a seed, or let in from outside.

A graph with ``fresh`` masks draws uniform noise for every frame. To compare it with PyTorch, or to repeat one of its frames,
the very same graph is run with its random operators replaced by inputs.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper

Noise = Sequence[NDArray[np.float32]]
"""One tensor for each site, ``(B, S, *noise_shape)`` in [0, 1)."""

_RANDOM = ("RandomUniform", "RandomUniformLike")


def noise_name(site: int) -> str:
    """Name of the graph input that holds a site's noise."""
    return f"noise_{site}"


def draw_noise(
    shapes: Sequence[tuple[int, ...]], frames: int, samples: int, generator: np.random.Generator
) -> list[NDArray[np.float32]]:
    """Uniform noise for a batch.

    Args:
        shapes: ``noise_shape`` of each site.
        frames: B.
        samples: S.
        generator: advanced by the draw.

    Returns:
        For each site ``(B, S, *noise_shape)`` float32 in [0, 1).
    """
    return [generator.random((frames, samples, *shape), dtype=np.float32) for shape in shapes]


def seed_noise(model: ModelProto, seed: int) -> None:
    """Give each random operator a seed of its own, in place: a session then repeats its sequence of draws."""
    for i, node in enumerate(_random_nodes(model)):
        kept = [attribute for attribute in node.attribute if attribute.name != "seed"]
        del node.attribute[:]
        node.attribute.extend([*kept, helper.make_attribute("seed", float(seed + i))])


def expose_noise(model: ModelProto, shapes: Sequence[tuple[int, ...]], samples: int) -> ModelProto:
    """A copy whose random operators are inputs ``noise_0``, ``noise_1``, ... in the order of the sites.

    Args:
        model: left as it is.
        shapes: ``noise_shape`` of each site.
        samples: S.

    Raises:
        ValueError: the graph has another number of random operators than there are shapes.
    """
    exposed = ModelProto()
    exposed.CopyFrom(model)
    nodes = _random_nodes(exposed)
    if len(nodes) != len(shapes):
        raise ValueError(f"expected one random operator for each of {len(shapes)} sites, the graph has {len(nodes)}")
    for i, (node, shape) in enumerate(zip(nodes, shapes, strict=True)):
        size: list[str | int | None] = ["batch", samples, *shape]
        exposed.graph.input.append(helper.make_tensor_value_info(noise_name(i), TensorProto.FLOAT, size))
        node.CopyFrom(helper.make_node("Identity", [noise_name(i)], list(node.output), name=node.name))
    return exposed


def _random_nodes(model: ModelProto) -> list[NodeProto]:
    return [node for node in model.graph.node if node.op_type in _RANDOM]
