# SPDX-License-Identifier: Apache-2.0
"""The sampled graph: the network once per frame, the region behind its first masks in batch S * B, features of both."""

import operator
from collections.abc import Sequence

from torch import fx, nn

from export.features.key import FeatureKey, FeatureKind
from export.layers.mask_mode import Mode
from export.sampling.batch_region import Region, Role, descendants
from export.sampling.graph_modules import (
    ApplyMasks,
    BankWeights,
    ConcatLatents,
    FreshNoise,
    LayerMap,
    LayerMoments,
    LayerTiles,
    MaskedMean,
    NoiseWeights,
    RepeatFrames,
    TapSamples,
)
from export.sampling.marked_graph import MarkedGraph, is_mark
from export.sampling.mask_bank import MaskBank
from export.sampling.plan import Plan, Reading
from export.sampling.site import Site


class SampledGraph:
    """A marked graph, rewritten so that one pass gives the network's output and S samples of its taps.

    Args:
        marked: the network.
        plan: what is sampled.
        samples: S.
        mode: where masks come from: a bank, random numbers drawn in the graph, or noise that is an input.
        bank: the masks of mode ``fixed``; None for the others.
    """

    def __init__(self, marked: MarkedGraph, plan: Plan, samples: int, mode: Mode, bank: MaskBank | None) -> None:
        self._marked, self._plan, self._samples = marked, plan, samples
        self._inline = plan.inline
        random = descendants(plan.inline, marked.module.graph)
        targets = [reading.value for reading in plan.readings if reading.value in random]
        self.region = Region(marked, list(plan.inline), targets)

        self._graph = fx.Graph()
        self._clean: dict[fx.Node, fx.Node] = {}
        for node in marked.module.graph.nodes:
            self._write_clean(node)
        self._weights = {site: self._write_weights(i, site, mode, bank) for i, site in enumerate(plan.sites)}
        self._sampled: dict[fx.Node, fx.Node] = {}
        for node in self.region.nodes:
            self._sampled[node] = self._write_sampled(node)
        self._latent_samples = self._concat([self._read(reading) for reading in plan.readings])
        self._moments = {
            layer: self._call(LayerMoments(seen.channel_dim), self._clean[seen.value])
            for layer, seen in plan.observed.items()
        }
        self._on_grids: dict[FeatureKey, fx.Node] = {}

    def module(self, with_output: bool, features: Sequence[FeatureKey]) -> fx.GraphModule:
        """Make a module of the graph; it holds the weights that it reads and no others.

        Args:
            with_output: whether the network's output comes first.
            features: what comes behind it, in this order: latent samples for the entropies, moments of observed layers, over
                the whole map or tile by tile, or their maps.
        """
        wanted = [self._feature(key) for key in features]
        copies: dict[fx.Node, fx.Node] = {}
        graph = fx.Graph()
        graph.graph_copy(self._graph, copies)
        outputs = [copies[node] for node in wanted]
        if with_output:
            assert self._marked.output is not None  # build_sampler refuses to promise an output that is not there
            outputs.insert(0, copies[self._clean[self._marked.output]])
        graph.output(tuple(outputs) if len(outputs) > 1 else outputs[0])
        whole = fx.GraphModule(self._marked.module, graph)
        # By default torch keeps what draws random numbers, such as a dropout that is off, and all that leads to it.
        whole.graph.eliminate_dead_code(lambda node: node.op in ("placeholder", "output"))
        return fx.GraphModule(whole, whole.graph, "SampledNetwork")

    def _feature(self, key: FeatureKey) -> fx.Node:
        if key.kind is FeatureKind.ENTROPY:
            return self._latent_samples
        assert key.layer is not None  # of moments; others are computed from the output
        if key.grid is None:
            return self._moments[key.layer]
        if key not in self._on_grids:
            seen = self._plan.observed[key.layer]
            read = LayerMap if key.is_map else LayerTiles
            self._on_grids[key] = self._call(read(seen.channel_dim, *key.grid), self._clean[seen.value])
        return self._on_grids[key]

    def _concat(self, latents: list[fx.Node]) -> fx.Node:
        return latents[0] if len(latents) == 1 else self._call(ConcatLatents(), *latents)

    def _write_clean(self, node: fx.Node) -> None:
        """Copy a node that runs once per frame, dropout off: a mark is replaced by its input, assertions are left out."""
        if is_mark(node):
            self._clean[node] = self._clean[node.all_input_nodes[0]]
        elif node.op == "placeholder" or (node.op != "output" and node.users):
            self._clean[node] = self._graph.node_copy(node, self._clean.__getitem__)

    def _write_weights(self, i: int, site: Site, mode: Mode, bank: MaskBank | None) -> fx.Node:
        frames = self._clean[self._marked.frames]
        if bank is not None:
            return self._call(BankWeights(site.randomness, bank.keep[i]))
        if mode == "fresh":
            return self._call(
                NoiseWeights(site.randomness), self._call(FreshNoise(self._samples, site.noise_shape), frames)
            )
        last_input = [node for node in self._graph.nodes if node.op == "placeholder"][-1]
        with self._graph.inserting_after(last_input):
            noise = self._graph.placeholder(f"noise_{i}")
        return self._call(NoiseWeights(site.randomness), noise)

    def _write_sampled(self, node: fx.Node) -> fx.Node:
        """Copy a member of the region, in batch S * B."""
        if node in self._inline:
            return self._mask(node.all_input_nodes[0], self._inline[node])
        if is_mark(node):
            return self._enter(node.all_input_nodes[0])
        return self._graph.node_copy(node, self._enter)

    def _mask(self, features: fx.Node, site: Site) -> fx.Node:
        inside = features in self._sampled
        source, copies = (self._sampled[features], self._samples) if inside else (self._clean[features], 1)
        return self._call(ApplyMasks(site, self._samples, copies), source, self._weights[site])

    def _enter(self, node: fx.Node) -> fx.Node:
        """Give a value that members of the region read; it is repeated or scaled once for all of them."""
        if node in self._sampled:
            return self._sampled[node]
        role = self.region.role(node)
        if role is Role.SHARED:
            return self._clean[node]
        if role is Role.SCALED:
            self._sampled[node] = self._graph.call_function(operator.mul, (self._clean[node], self._samples))
        else:
            dim = self.region.batch_dim(node)
            assert dim is not None  # what has no batch dimension was taken into the region
            self._sampled[node] = self._call(RepeatFrames(dim, self._samples), self._clean[node])
        return self._sampled[node]

    def _read(self, reading: Reading) -> fx.Node:
        """``(B, S, C)`` of one tap."""
        site, value, channels = reading.last, reading.value, reading.channel_dim
        if site is None:
            return self._call(TapSamples(self._samples, channels), self._sampled[value])
        if value in self._sampled:
            return self._call(TapSamples(self._samples, channels), self._mask(value, site))
        return self._call(MaskedMean(site, self._samples, channels), self._clean[value], self._weights[site])

    def _call(self, module: nn.Module, *arguments: fx.Node) -> fx.Node:
        name = f"lsood_sampling.{type(module).__name__}_{len(self._graph.nodes)}"
        self._marked.module.add_submodule(name, module)
        return self._graph.call_module(name, arguments)
