# SPDX-License-Identifier: Apache-2.0
"""One pass of a network that gives its output and S samples of its taps: only what is random runs S times.

See docs/tap.md for the idea, with a picture.
"""

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, fx, nn

from export.errors import ConversionError, TapError
from export.marking import MarkedGraph, mark_network
from export.masks import MaskBank, check_full_share, draw_mask_bank
from export.plan import Plan, Reading, check_taps, plan_sampling, tap_channels
from export.region import Region, Role, descendants
from export.sampling import (
    ApplyMasks,
    BankWeights,
    ConcatLatents,
    FreshNoise,
    MaskedMean,
    NoiseWeights,
    RepeatFrames,
    TapSamples,
)
from export.stochastic import Site
from export.tap import list_layers

Mode = Literal["fixed", "fresh", "input"]
MODES: tuple[Mode, ...] = ("fixed", "fresh", "input")


@dataclass(frozen=True, eq=False)
class Sampler:
    """A network whose taps are sampled.

    Attributes:
        module: ``forward(x, *noise)`` with ``x`` ``(B, 3, H, W)`` float gives ``(output, latent_samples)``, or
            ``latent_samples`` alone where the output was not asked for; ``latent_samples`` is ``(B, S, C)`` float32 and
            ``latent_samples[b, s]`` belongs to frame b. ``noise`` is empty but for mode ``input``: then one tensor for each
            site, ``(B, S, *noise_shape)`` float32 in [0, 1).
        taps: names of the sampled layers, in the order of the latent's parts.
        channels: C, over all taps.
        samples: S.
        mode: ``fixed``: the masks of ``bank``, the same for every frame; ``fresh``: drawn in the graph for each frame;
            ``input``: computed from ``noise``.
        sites: where masks enter, in the order of execution.
        bank: masks of mode ``fixed``; None for the others.
        region_nodes: how many of the network's operations run in batch S; 0 where the tap's own masks are the first.
    """

    module: fx.GraphModule
    taps: tuple[str, ...]
    channels: int
    samples: int
    mode: Mode
    sites: tuple[Site, ...]
    bank: MaskBank | None
    region_nodes: int

    @property
    def sha256(self) -> str | None:
        """Digest of the mask bank; None where masks are not fixed."""
        return None if self.bank is None else self.bank.sha256

    def describe(self) -> list[dict[str, Any]]:
        """The sites as JSON values for a manifest: layer, kind, drop_prob, block_size, shape, added."""
        return [
            {
                "layer": site.layer,
                "kind": site.randomness.kind,
                "drop_prob": site.randomness.drop_prob,
                "block_size": site.randomness.block_size,
                "shape": list(site.noise_shape),
                "added": site.added,
            }
            for site in self.sites
        ]


def build_sampler(
    network: nn.Module,
    example: Tensor,
    taps: Sequence[str],
    *,
    mc_samples: int,
    seed: int = 0,
    mode: Mode = "fixed",
    drop_prob: float | None = None,
    block_size: int | None = None,
    with_output: bool = True,
    force: bool = False,
) -> Sampler:
    """Split a network at its first random layer and sample its taps.

    Args:
        network: in evaluation mode, ``(B, 3, H, W)`` float to one tensor; left as it was, and shares its weights.
        example: an input of the network; H and W are fixed by it, B is free.
        taps: names of layers, as :func:`export.tap.resolve_taps` gives them.
        mc_samples: S.
        seed: of the mask bank.
        mode: see :class:`Sampler`.
        drop_prob: DropBlock's p, for every DropBlock layer upstream, or for the DropBlock added to a tap that has none.
        block_size: DropBlock's b; given together with ``drop_prob``.
        with_output: False leaves the decoder out.
        force: accept constants under which more than 5 % of masks drop nothing.

    Raises:
        TapError: a tap or a site cannot be sampled, or its masks drop nothing too often.
        ConversionError: torch.export cannot follow the network, or its output is not one tensor.
        ValueError: S below 1, an unknown mode, or a network in training mode.
    """
    if mc_samples < 1:
        raise ValueError(f"expected at least one Monte-Carlo sample, got {mc_samples}")
    if mode not in MODES:
        raise ValueError(f"expected a mask mode among {', '.join(MODES)}, got {mode!r}")
    if not taps:
        raise TapError("expected at least one tap, got none: name a layer")
    check_taps(list_layers(network, example), taps)
    marked = mark_network(network, example, taps)
    if with_output and marked.output is None:
        raise ConversionError(
            "expected a network that returns one tensor of logits, it returns several values or none: wrap it in a module "
            "that returns the logits, or leave the segmentation out"
        )
    plan = plan_sampling(network, marked, taps, drop_prob, block_size)
    check_full_share(plan.sites, force)
    bank = draw_mask_bank(plan.sites, mc_samples, seed, force) if mode == "fixed" else None
    writer = _Writer(marked, plan, mc_samples)
    module = writer.write(mode, bank, with_output)
    channels = sum(tap_channels(reading.value.meta["val"]) for reading in plan.readings)
    return Sampler(module, tuple(taps), channels, mc_samples, mode, plan.sites, bank, len(writer.region.nodes))


class _Writer:
    """Writes the sampled graph: the network as it is, then the region again in batch S * B, then the latent samples."""

    def __init__(self, marked: MarkedGraph, plan: Plan, samples: int) -> None:
        self.marked, self.plan, self.samples = marked, plan, samples
        self.site_at = {node: site for node, site in zip(plan.marks, plan.sites, strict=True) if node is not None}
        random = descendants(self.site_at, marked.module.graph)
        self.region = Region(
            marked, list(self.site_at), [reading.value for reading in plan.readings if reading.value in random]
        )
        self.graph = fx.Graph()
        self.clean: dict[fx.Node, fx.Node] = {}
        self.sampled: dict[fx.Node, fx.Node] = {}
        self.weights: dict[Site, fx.Node] = {}

    def write(self, mode: Mode, bank: MaskBank | None, with_output: bool) -> fx.GraphModule:
        for node in self.marked.module.graph.nodes:
            self._write_clean(node, mode)
        for i, site in enumerate(self.plan.sites):
            self.weights[site] = self._weights(i, site, mode, bank)
        for node in self.region.nodes:
            self.sampled[node] = self._sampled(node)
        latents = [self._read(reading) for reading in self.plan.readings]
        latent_samples = latents[0] if len(latents) == 1 else self._call(ConcatLatents(), *latents)
        output = None if self.marked.output is None else self.clean[self.marked.output]
        self.graph.output((output, latent_samples) if with_output else latent_samples)
        whole = fx.GraphModule(self.marked.module, self.graph)
        whole.graph.eliminate_dead_code()
        return fx.GraphModule(whole, whole.graph, "SampledNetwork")  # takes the weights that are still read

    def _write_clean(self, node: fx.Node, mode: Mode) -> None:
        """Once per frame, dropout off: a mark is what it marks. What nobody reads (assertions) stays behind."""
        if node.target is torch.ops.lsood.mark.default:
            self.clean[node] = self.clean[node.all_input_nodes[0]]
        elif node.op == "placeholder" or (node.op != "output" and node.users):
            self.clean[node] = self.graph.node_copy(node, self.clean.__getitem__)
        if node is self.marked.frames and mode == "input":
            self.noise = [self.graph.placeholder(f"noise_{i}") for i in range(len(self.plan.sites))]

    def _weights(self, i: int, site: Site, mode: Mode, bank: MaskBank | None) -> fx.Node:
        if bank is not None:
            return self._call(BankWeights(site.randomness, bank.keep[i]))
        if mode == "input":
            uniform = self.noise[i]
        else:
            uniform = self._call(FreshNoise(self.samples, site.noise_shape), self.clean[self.marked.frames])
        return self._call(NoiseWeights(site.randomness), uniform)

    def _sampled(self, node: fx.Node) -> fx.Node:
        """One node of the region, in batch S * B."""
        if node not in self.site_at:
            return self.graph.node_copy(node, self._entering)
        (features,) = node.all_input_nodes
        return self._masked(features, self.site_at[node])

    def _masked(self, features: fx.Node, site: Site) -> fx.Node:
        inside = features in self.sampled
        source = self.sampled[features] if inside else self.clean[features]
        copies = self.samples if inside else 1
        return self._call(ApplyMasks(site, self.samples, copies), source, self.weights[site])

    def _entering(self, node: fx.Node) -> fx.Node:
        """A value that a member of the region reads; each is repeated or scaled at most once."""
        if node not in self.sampled:
            role = self.region.role(node)
            if role is Role.SHARED:
                return self.clean[node]
            if role is Role.SCALED:
                self.sampled[node] = self.graph.call_function(operator.mul, (self.clean[node], self.samples))
            else:
                dim = self.region.batch_dim(node)
                assert role is Role.REPEATED and dim is not None  # what would have to be recomputed is in the region
                self.sampled[node] = self._call(RepeatFrames(dim, self.samples), self.clean[node])
        return self.sampled[node]

    def _read(self, reading: Reading) -> fx.Node:
        inside = reading.value in self.sampled
        if reading.last is None:
            return self._call(TapSamples(self.samples), self.sampled[reading.value])
        if not inside:
            return self._call(MaskedMean(reading.last, self.samples), self.clean[reading.value], self.weights[reading.last])
        return self._call(TapSamples(self.samples), self._masked(reading.value, reading.last))

    def _call(self, module: nn.Module, *arguments: fx.Node) -> fx.Node:
        name = f"lsood_sampling.{type(module).__name__}_{len(self.graph.nodes)}"
        self.marked.module.add_submodule(name, module)
        return self.graph.call_module(name, arguments)
