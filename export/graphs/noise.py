# SPDX-License-Identifier: Apache-2.0
"""Random numbers of a graph: drawn inside it from a seed, or passed in as inputs.

A graph with ``fresh`` masks draws uniform noise for every frame. To compare it with PyTorch, or to repeat one of its frames,
the very same graph is run with its random operators replaced by inputs.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper

from lsood_runtime.offline import noise_name

NoiseBatch = Sequence[NDArray[np.float32]]
"""One array for each site, ``(B, S, *noise_shape)`` in [0, 1); empty for a graph that takes no noise."""

_RANDOM = ("RandomUniform", "RandomUniformLike")


class NoiseSource:
    """Uniform noise for the sites of a network, drawn batch after batch from one seed.

    Args:
        shapes: ``noise_shape`` of each site; empty for a graph that takes no noise.
        samples: S.
        seed: of the sequence of draws.

    Attributes:
        batches: that were drawn or left out so far.
    """

    def __init__(
        self, shapes: Iterable[tuple[int, ...]] = (), samples: int = 1, seed: int | tuple[int, ...] = 0
    ) -> None:
        self.shapes, self.samples = tuple((samples, *shape) for shape in shapes), samples
        self._generator = np.random.default_rng(seed)
        self.batches = 0

    def draw(self, frames: int = 1) -> NoiseBatch:
        """Draw the noise of the next batch.

        Args:
            frames: B.

        Returns:
            For each site ``(B, S, *noise_shape)`` float32 in [0, 1).
        """
        self.batches += 1
        return [self._generator.random((frames, *shape), dtype=np.float32) for shape in self.shapes]

    def skip(self, frames: int) -> None:
        """Leave out the noise of so many batches of one frame: what is drawn then is what it would be after them."""
        if not self.shapes:
            self.batches += frames
            return
        for _ in range(frames):
            self.draw()


def seed_noise(model: ModelProto, seed: int) -> None:
    """Give each random operator a seed of its own, in place, so that every new session repeats the same draws."""
    for i, node in enumerate(_random_nodes(model)):
        kept = [attribute for attribute in node.attribute if attribute.name != "seed"]
        del node.attribute[:]
        node.attribute.extend([*kept, helper.make_attribute("seed", float(seed + i))])


def draws_noise(model: ModelProto) -> bool:
    """Whether a graph holds random operators; one that reads no masks does not, whatever their mode is."""
    return bool(_random_nodes(model))


def expose_noise(model: ModelProto, noise: NoiseSource) -> ModelProto:
    """Copy a graph with its random operators replaced by inputs ``noise_0``, ``noise_1``, ... in the order of the sites.

    Args:
        model: left as it is.
        noise: its shapes are those of the inputs; nothing is drawn.

    Raises:
        ValueError: the graph has another number of random operators than there are shapes.
    """
    exposed = ModelProto()
    exposed.CopyFrom(model)
    nodes = _random_nodes(exposed)
    if len(nodes) != len(noise.shapes):
        raise ValueError(
            f"expected one random operator for each of {len(noise.shapes)} sites, the graph has {len(nodes)}: "
            "pass the noise of its own sampler"
        )
    for i, (node, shape) in enumerate(zip(nodes, noise.shapes, strict=True)):
        size: list[str | int | None] = ["batch", *shape]
        exposed.graph.input.append(helper.make_tensor_value_info(noise_name(i), TensorProto.FLOAT, size))
        node.CopyFrom(helper.make_node("Identity", [noise_name(i)], list(node.output), name=node.name))
    return exposed


def _random_nodes(model: ModelProto) -> list[NodeProto]:
    return [node for node in model.graph.node if node.op_type in _RANDOM]
