# SPDX-License-Identifier: Apache-2.0
"""Decide what is sampled: which taps are read, and at which sites masks enter upstream of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import sympy
import torch
from torch import Tensor, fx, nn

from export.errors import TapError
from export.marking import SITE, TAP, MarkedGraph
from export.region import ancestors, batch_dims
from export.stochastic import Randomness, Site, drop_block, recognise
from export.tap import LayerInfo


@dataclass(frozen=True)
class Reading:
    """How one tap is read.

    Attributes:
        layer: name of the tap.
        value: node of the tap's output, before the masks of ``last``.
        last: the site at the tap itself: the tap's own masks, or DropBlock added to it; None where every site is upstream.
    """

    layer: str
    value: fx.Node
    last: Site | None


@dataclass(frozen=True)
class Plan:
    """What is sampled.

    Attributes:
        readings: one for each tap, in the order of the latent's parts.
        sites: every place where masks enter, in the order of execution; ``sites[i]`` belongs to ``marks[i]``.
        marks: nodes of the sites; None for DropBlock added to a tap, which no other layer sees.
    """

    readings: tuple[Reading, ...]
    sites: tuple[Site, ...]
    marks: tuple[fx.Node | None, ...]


def check_taps(layers: Sequence[LayerInfo], taps: Sequence[str]) -> None:
    """Refuse taps that cannot be read.

    Raises:
        TapError: a tap does not run in a pass, runs more than once, or gives no tensor of two to four dimensions.
    """
    for tap in taps:
        calls = [layer for layer in layers if layer.name == tap]
        inner = [layer.name for layer in layers if layer.name.startswith(f"{tap}.") and layer.output_shape]
        if not calls:
            raise TapError(f"expected a layer that runs in a forward pass, {tap} does not: list the layers that do")
        if len(calls) > 1:
            raise TapError(f"expected a layer that runs once in a forward pass, {tap} runs {len(calls)} times: tap a layer behind it")
        shape = calls[0].output_shape
        if shape is None:
            remedy = f"tap a layer inside it, such as {inner[-1]}" if inner else "tap a layer that returns one tensor"
            raise TapError(f"expected a layer whose output is a tensor, {calls[0].class_name} {tap} returns something else: {remedy}")
        if len(shape) not in (2, 3, 4):
            raise TapError(
                f"expected a tap of shape (B, C, H, W), (B, N, C) or (B, C), {tap} gives {shape}: tap the layer before or behind it"
            )


def plan_sampling(
    network: nn.Module,
    marked: MarkedGraph,
    taps: Sequence[str],
    drop_prob: float | None = None,
    block_size: int | None = None,
) -> Plan:
    """Find the sites upstream of each tap, and add DropBlock where a tap needs it.

    With constants given, the samples come from DropBlock with these constants: every DropBlock layer upstream takes them, and
    where there is none, DropBlock is added to the tap. Without, the layers' own constants count.

    Args:
        network: the one that ``marked`` came from.
        marked: its graph.
        taps: names of layers.
        drop_prob: DropBlock's p, given together with ``block_size``, or not at all.
        block_size: DropBlock's b, in cells of the map.

    Raises:
        TapError: nothing upstream of a tap is stochastic and no constants are given, or a site or tap has a shape that cannot
            be sampled.
    """
    if (drop_prob is None) != (block_size is None):
        raise TapError(f"expected a drop probability and a block size, got {drop_prob} and {block_size}: give both or neither")
    given = None if drop_prob is None or block_size is None else drop_block(drop_prob, block_size)
    marks, tap_marks = marked.marks(SITE), marked.marks(TAP)
    sources = {tap: _source(tap_marks, tap) for tap in taps}
    upstream = {tap: ancestors([source]) for tap, source in sources.items()}
    found: list[tuple[Site, fx.Node | None]] = []
    for key, mark in marks.items():
        if any(mark in nodes for nodes in upstream.values()):
            randomness = recognise(network.get_submodule(key[0]))
            assert randomness is not None  # only recognised layers are marked
            own = given if given and randomness.kind == "dropblock" else randomness
            found.append((_site(key, mark, own, marked.batch), mark))
    site_at = {mark: site for site, mark in found}

    readings = []
    for tap, source in sources.items():
        _check_batch_first(tap, source, marked.batch)
        active = [site for site, mark in found if mark in upstream[tap]]
        if given and not any(site.randomness.kind == "dropblock" for site in active):
            added = replace(_site((tap, 0), source, given, marked.batch), added=True)
            found.append((added, None))
            readings.append(Reading(tap, source, added))
        elif not active:
            raise TapError(
                f"expected a stochastic layer at {tap} or upstream of it, found none: give a drop probability and a block "
                "size, and DropBlock with them is added to it"
            )
        elif source in site_at:
            before = source.args[0]
            assert isinstance(before, fx.Node)
            readings.append(Reading(tap, before, site_at[source]))
        else:
            readings.append(Reading(tap, source, None))
    return Plan(tuple(readings), tuple(site for site, _ in found), tuple(mark for _, mark in found))


def _source(tap_marks: dict[tuple[str, int], fx.Node], tap: str) -> fx.Node:
    mark = tap_marks.get((tap, 0))
    if mark is None:
        raise TapError(f"expected {tap} in the graph of the network, torch.export kept it apart: tap a layer outside its branch")
    source = mark.args[0]
    assert isinstance(source, fx.Node)
    return source


def _check_batch_first(tap: str, source: fx.Node, batch: sympy.Expr) -> None:
    if batch_dims(source.meta["val"], batch) != {0: batch}:
        raise TapError(
            f"expected a tap with the frames in its first dimension alone, {tap} gives {tuple(source.meta['val'].shape)} "
            f"for {batch} frames: tap a layer before or behind it"
        )


def _site(key: tuple[str, int], node: fx.Node, randomness: Randomness, batch: sympy.Expr) -> Site:
    """Read the shapes of a site's masks off the tensor that they multiply."""
    layer, call = key
    shape, dims = tuple(node.meta["val"].shape), batch_dims(node.meta["val"], batch)
    at, size = next(iter(dims.items()), (0, sympy.Integer(0)))
    rows = sympy.simplify(size / batch)
    if len(dims) != 1 or not rows.is_Integer:
        raise TapError(
            f"expected one dimension of {layer}'s output to carry the frames, got the shape {shape}: tap a layer upstream of it"
        )
    mask_shape = tuple(int(rows) if i == at else int(length) for i, length in enumerate(shape))
    if randomness.kind == "alpha-dropout":
        raise TapError(f"expected layers that set features to zero, {layer} is an alpha dropout: tap a layer upstream of it")
    if randomness.drop_prob >= 1:
        raise TapError(f"expected layers that keep something, {layer} has a drop probability of {randomness.drop_prob:g}: lower it")
    if randomness.kind == "dropout":
        noise_shape = mask_shape if rows > 1 else mask_shape[:at] + mask_shape[at + 1 :]
        return Site(layer, call, randomness, noise_shape, mask_shape, at, int(rows))
    if at != 0 or rows != 1 or len(shape) < 3 or (randomness.kind == "dropblock" and len(shape) != 4):
        wanted = "(B, C, H, W)" if randomness.kind == "dropblock" else "(B, C, ...)"
        raise TapError(
            f"expected a feature map {wanted} at {layer} for {randomness}, got the shape {shape}: choose a convolutional layer, "
            "or one behind nn.Dropout"
        )
    _, channels, *cells = mask_shape
    if randomness.kind == "dropblock":
        return Site(layer, call, randomness, (cells[0], cells[1]), (1, 1, cells[0], cells[1]))
    return Site(layer, call, randomness, (channels,), (1, channels, *[1] * len(cells)))


def tap_channels(value: Tensor | torch.Tensor) -> int:
    """C of a tap's output, which stands last in ``(B, N, C)`` and second else."""
    return int(value.shape[2] if value.dim() == 3 else value.shape[1])
