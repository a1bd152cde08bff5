# SPDX-License-Identifier: Apache-2.0
"""The sampling plan: how each tap is read, and at which sites masks enter upstream of it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from torch import fx, nn

from export.errors import TapError
from export.findings import PLACEHOLDER, Finding
from export.layers.dropblock import DropBlockRandomness
from export.layers.stochastic import recognise
from export.sampling.batch_region import ancestors, batch_dims
from export.sampling.marked_graph import MarkedGraph, MarkRole
from export.sampling.site import Site
from export.sampling.site_places import SitePlaces
from export.sampling.taps import LayerInfo


@dataclass(frozen=True)
class Reading:
    """Nodes and site by which one tap is read.

    Attributes:
        value: node of the tap's output, before the masks of ``last``.
        last: the site at the tap: its own masks, or DropBlock added to it; None where every site is upstream.
        channel_dim: dimension of the tap's output that holds the channels.
    """

    value: fx.Node
    last: Site | None
    channel_dim: int

    @property
    def channels(self) -> int:
        """C of the tap's output."""
        return int(self.value.meta["val"].shape[self.channel_dim])


@dataclass(frozen=True)
class Observation:
    """A layer that is observed in the clean pass: the node of its output and the dimension of its channels."""

    value: fx.Node
    channel_dim: int

    @property
    def cells(self) -> tuple[int, int] | None:
        """Rows and columns of a map; None for tokens and vectors."""
        shape = self.value.meta["val"].shape
        if len(shape) != 4:
            return None
        rows, columns = (int(size) for dim, size in enumerate(shape) if dim not in (0, self.channel_dim))
        return rows, columns


DROP_BLOCK_WORDS = ("--drop-prob", PLACEHOLDER, "--block-size", PLACEHOLDER)
"""Flags that add DropBlock to a tap."""


@dataclass(frozen=True)
class Plan:
    """The taps that are read and the sites where masks enter.

    Attributes:
        readings: one for each tap, in the order of the latent's parts.
        observed: what is observed in the clean pass, by layer.
        inline: the stochastic layers upstream of a tap, by their marks, in the order of execution.
        added: DropBlock added to taps, which no other layer sees.
        findings: about the layout of sites and taps.
    """

    readings: tuple[Reading, ...]
    observed: dict[str, Observation]
    inline: dict[fx.Node, Site]
    added: tuple[Site, ...]
    findings: tuple[Finding, ...]

    @property
    def sites(self) -> tuple[Site, ...]:
        """Every place where masks enter."""
        return *self.inline.values(), *self.added


def check_layers(layers: Sequence[LayerInfo], names: Sequence[str]) -> None:
    """Refuse taps and observed layers that cannot be read.

    Raises:
        TapError: one does not run in a pass, runs more than once, or gives no tensor of two to four dimensions.
    """
    for name in names:
        calls = [layer for layer in layers if layer.name == name]
        if len(calls) != 1:
            times = "does not" if not calls else f"runs {len(calls)} times"
            raise TapError(
                f"expected a layer that runs once in a forward pass, {name} {times}: list the layers that do"
            )
        shape = calls[0].output_shape
        if shape is None:
            inner = [layer.name for layer in layers if layer.name.startswith(f"{name}.") and layer.output_shape]
            remedy = (
                f"tap a layer inside it, such as {inner[-1]}"
                if inner
                else f"tap a layer near it{_before(layers, calls[0])}"
            )
            raise TapError(
                f"expected a layer whose output is a tensor, {calls[0].class_name} {name} gives something else: {remedy}"
            )
        if len(shape) not in (2, 3, 4):
            raise TapError(
                f"expected a tap of shape (B, C, H, W), (B, N, C) or (B, C), {name} gives {shape} for two frames: "
                f"tap a layer near it{_before(layers, calls[0])}"
            )


def _before(layers: Sequence[LayerInfo], call: LayerInfo) -> str:
    """The last layer before one that can be read, to stand behind words; empty where there is none."""
    runs = Counter(layer.name for layer in layers)
    read = [(layer.name, layer.output_shape) for layer in layers[: layers.index(call)] if layer.output_shape]
    able = [name for name, shape in read if runs[name] == 1 and len(shape) in (2, 3, 4) and shape[0] == read[0][1][0]]
    return f", such as {able[-1]}, which runs before it" if able else ""


def plan_sampling(
    network: nn.Module,
    marked: MarkedGraph,
    taps: Sequence[str],
    observed: Sequence[str] = (),
    drop_prob: float | None = None,
    block_size: int | None = None,
    *,
    only_tap: bool = False,
    token_grid: tuple[int, int] | None = None,
) -> Plan:
    """Find the sites upstream of each tap, and add DropBlock where a tap needs it.

    With constants given, samples come from DropBlock with these constants: every DropBlock layer upstream takes them,
    and where there is none, DropBlock is added to the tap. Without, the layers' own constants count.

    Args:
        network: the one that ``marked`` came from.
        marked: its graph.
        taps: names of layers to sample.
        observed: names of layers to read in the clean pass.
        drop_prob: DropBlock's p, given together with ``block_size``, or not at all.
        block_size: DropBlock's b, in cells of the map.
        only_tap: leave the stochastic layers upstream of a tap off, and draw masks where the taps are read alone.
        token_grid: rows and columns of tokens; None to find them.

    Raises:
        TapError: nothing upstream of a tap is stochastic and no constants are given, or a site or tap has a shape
            that cannot be sampled.
    """
    given = _given(drop_prob, block_size)
    places = SitePlaces(network, marked, token_grid)
    sources = {tap: _source(marked, "tap", tap) for tap in taps}
    read = {layer: _source(marked, "layer", layer) for layer in observed}
    observations = {layer: Observation(source, places.channel_dim(layer, source)) for layer, source in read.items()}
    dims = {tap: places.channel_dim(tap, source) for tap, source in sources.items()}
    if only_tap:
        at_taps = [
            Reading(source, _site_at_tap(marked, tap, source, given, places), dims[tap])
            for tap, source in sources.items()
        ]
        sites = tuple(reading.last for reading in at_taps if reading.last is not None)
        return Plan(tuple(at_taps), observations, {}, sites, places.findings)
    upstream = {tap: ancestors([source]) for tap, source in sources.items()}
    inline: dict[fx.Node, Site] = {}
    blocks: set[fx.Node] = set()
    for (layer, call), node in marked.marks("site").items():
        if any(node in nodes for nodes in upstream.values()):
            own = recognise(network.get_submodule(layer))
            assert own is not None  # only what is recognised is marked
            if isinstance(own, DropBlockRandomness):
                blocks.add(node)
                own = given or own
            inline[node] = places.site(layer, call, node, own)

    readings: list[Reading] = []
    added: list[Site] = []
    for tap, source in sources.items():
        active = inline.keys() & upstream[tap]
        if given and not active & blocks:
            added.append(replace(places.site(tap, 0, source, given), added=True))
            readings.append(Reading(source, added[-1], dims[tap]))
        elif not active:
            raise TapError(
                f"expected a stochastic layer at {tap} or upstream of it, found none: give --drop-prob and "
                "--block-size, and DropBlock with them is added to it",
                words=DROP_BLOCK_WORDS,
            )
        else:
            at_tap = inline.get(source)
            readings.append(Reading(source.all_input_nodes[0] if at_tap else source, at_tap, dims[tap]))
    return Plan(tuple(readings), observations, inline, tuple(added), places.findings)


def _site_at_tap(
    marked: MarkedGraph, tap: str, source: fx.Node, given: DropBlockRandomness | None, places: SitePlaces
) -> Site:
    """The site of masks at a tap that no other layer sees: its own or, by constants, DropBlock's."""
    calls = {node: layer for (layer, _), node in marked.marks("site").items()}
    own = recognise(places.network.get_submodule(calls[source])) if source in calls else None
    used = own if given is None else given
    if used is None:
        raise TapError(
            f"expected a stochastic layer at {tap} itself for --only-tap, found none: give --drop-prob and --block-size, and "
            "DropBlock with them is added to it",
            words=DROP_BLOCK_WORDS,
        )
    return replace(places.site(tap, 0, source, used), added=True)


def _given(drop_prob: float | None, block_size: int | None) -> DropBlockRandomness | None:
    if drop_prob is None and block_size is None:
        return None
    if drop_prob is None or block_size is None:
        raise TapError(
            f"expected a drop probability and a block size, got {drop_prob} and {block_size}: give both or neither"
        )
    return DropBlockRandomness.of_constants(drop_prob, block_size)


def _source(marked: MarkedGraph, role: MarkRole, layer: str) -> fx.Node:
    """The node that gives the output of a tap or of an observed layer."""
    node = marked.marks(role).get((layer, 0))
    remedy = "tap a layer" if role == "tap" else "name a layer by --feature-layers"
    if node is None:
        raise TapError(
            f"expected {layer} in the network's graph, torch.export kept it apart: {remedy} outside its branch"
        )
    source = node.all_input_nodes[0]
    if batch_dims(source.meta["val"], marked.batch) != {0: marked.batch}:
        raise TapError(
            f"expected a {role} with the frames in its first dimension, {layer} gives {tuple(source.meta['val'].shape)} for "
            f"{marked.batch} frames: {remedy} near it"
        )
    return source
