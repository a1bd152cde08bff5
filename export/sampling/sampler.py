# SPDX-License-Identifier: Apache-2.0
"""A sampler: one pass of a network that gives its output and S samples of its taps; only its random part runs S times.

The idea, with a picture: docs/concepts/tap.md.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

from torch import Tensor, fx, nn

from export.errors import ConversionError, TapError
from export.features.key import FeatureKey
from export.findings import Finding
from export.layers.mask_mode import Mode
from export.sampling.marked_graph import mark_network
from export.sampling.mask_bank import MaskBank, check_no_drop_probability, draw_mask_bank
from export.sampling.plan import check_layers, plan_sampling
from export.sampling.sampled_graph import SampledGraph
from export.sampling.site import Site
from export.sampling.taps import ListedLayers


@dataclass(frozen=True, eq=False)
class Sampler:
    """A network whose taps are sampled.

    Attributes:
        module: ``forward(x, *noise)`` with ``x`` ``(B, 3, H, W)`` float gives ``(output, latent_samples)``, or
            ``latent_samples`` alone where the output was not asked for. ``latent_samples`` is ``(B, S, C)`` float32;
            ``latent_samples[b, s]`` belongs to frame b. ``noise`` is empty but for mode ``input``: then one tensor
            for each site, ``(B, S, *noise_shape)`` float32 in [0, 1).
        graph: what further modules are made of by :meth:`observe`.
        with_output: whether the modules give the network's output.
        layers: names of the layers whose moments can be observed: the taps, then others.
        taps: names of the sampled layers, in the order of the latent's parts.
        channels: C, over all taps.
        channels_last: those of ``layers`` that give maps with their channels last, ``(B, H, W, C)``.
        maps: rows and columns of the maps that those of ``layers`` give which are no taps.
        tap_maps: the same of the taps.
        findings: about the layout of taps and sites.
        samples: S.
        mode: ``fixed``: the masks of ``bank``, the same for every frame; ``fresh``: drawn in the graph for each
            frame; ``input``: computed from ``noise``.
        sites: where masks enter: the network's own in the order of execution, then those added to taps.
        bank: masks of mode ``fixed``, in the order of ``sites``; None for the other modes.
        region_nodes: how many of the network's operations run in batch B * S; 0 where the tap's own masks come first.
    """

    module: fx.GraphModule
    graph: SampledGraph
    with_output: bool
    layers: tuple[str, ...]
    taps: tuple[str, ...]
    channels: int
    channels_last: frozenset[str]
    maps: Mapping[str, tuple[int, int]]
    tap_maps: Mapping[str, tuple[int, int]]
    findings: tuple[Finding, ...]
    samples: int
    mode: Mode
    sites: tuple[Site, ...]
    bank: MaskBank | None
    region_nodes: int

    @property
    def sha256(self) -> str | None:
        """Digest of the mask bank; None where masks are not fixed."""
        return None if self.bank is None else self.bank.sha256

    def observe(self, features: Sequence[FeatureKey]) -> fx.GraphModule:
        """Make a module that gives the network's output, where it was asked for, and features of its layers.

        Args:
            features: entropies stand for the latent samples ``(B, S, C)``; moments of any of ``layers`` are ``(B, 2 C)``,
                see :func:`export.layers.channel_moments.channel_moments`; tiles of any of ``maps`` are ``(B, R * Q * 2 K)``,
                see :func:`export.layers.tile_moments.tile_moments`; maps of any of ``maps`` and ``tap_maps`` are
                ``(B, C * h * w)``.

        Returns:
            ``forward(x, *noise)`` with one output for each feature, in their order, behind the network's; a tensor alone
            where there is but one.
        """
        return self.graph.module(self.with_output, features)


def build_sampler(
    network: nn.Module,
    example: Tensor,
    taps: Sequence[str],
    *,
    mc_samples: int,
    observed: Sequence[str] = (),
    seed: int = 0,
    mode: Mode = "fixed",
    drop_prob: float | None = None,
    block_size: int | None = None,
    with_output: bool = True,
    force: bool = False,
    only_tap: bool = False,
    token_grid: tuple[int, int] | None = None,
    listed: ListedLayers | None = None,
) -> Sampler:
    """Split a network at its first random layer and sample its taps.

    Args:
        network: in evaluation mode, ``(B, 3, H, W)`` float to one tensor; left as it was, its weights are shared.
        example: an input of the network; H and W are fixed by it, B is free.
        taps: names of layers, as :func:`export.sampling.taps.resolve_taps` gives them.
        mc_samples: S.
        observed: names of further layers whose moments can be read.
        seed: of the mask bank.
        mode: see :class:`Sampler`.
        drop_prob: DropBlock's p, for every DropBlock layer upstream, or for one added to a tap that has none.
        block_size: DropBlock's b; given together with ``drop_prob``.
        with_output: False leaves the decoder out.
        force: accept constants under which more than 5 % of masks drop nothing.
        only_tap: leave the stochastic layers upstream of a tap off, see :func:`export.sampling.plan.plan_sampling`.
        token_grid: rows and columns of the tokens on which DropBlock works; None to find them.
        listed: the layers of the network for this example; None to list them here.

    Raises:
        TapError: a tap or a site cannot be sampled, a layer cannot be observed, or its masks drop nothing too often.
        ConversionError: torch.export cannot follow the network, or its output is not one tensor.
        ValueError: S below 1, an unknown mode, or a network in training mode.
    """
    if mc_samples < 1:
        raise ValueError(f"expected at least one Monte-Carlo sample, got {mc_samples}: 16 is a usual choice")
    if mode not in get_args(Mode):
        raise ValueError(f"expected a mask mode among {', '.join(get_args(Mode))}, got {mode!r}: choose one")
    if not taps:
        raise TapError("expected at least one tap, got none: name a layer")
    layers = tuple(dict.fromkeys([*taps, *observed]))
    check_layers((listed or ListedLayers(network, example)).all, layers)
    marked = mark_network(network, example, taps, layers)
    if with_output and marked.output is None:
        raise ConversionError(
            "expected a network that returns one tensor of logits, it returns something else: wrap it in a module that "
            "returns the logits alone, or leave the segmentation out"
        )
    plan = plan_sampling(network, marked, taps, layers, drop_prob, block_size, only_tap=only_tap, token_grid=token_grid)
    check_no_drop_probability(plan.sites, force)
    bank = draw_mask_bank(plan.sites, mc_samples, seed, force) if mode == "fixed" else None
    graph = SampledGraph(marked, plan, mc_samples, mode, bank)
    return Sampler(
        module=graph.module(with_output, [FeatureKey.entropy()]),
        graph=graph,
        with_output=with_output,
        layers=layers,
        taps=tuple(taps),
        channels=sum(reading.channels for reading in plan.readings),
        channels_last=frozenset(layer for layer, seen in plan.observed.items() if seen.channel_dim == 3),
        maps={layer: seen.cells for layer, seen in plan.observed.items() if seen.cells and layer not in taps},
        tap_maps={layer: seen.cells for layer, seen in plan.observed.items() if seen.cells and layer in taps},
        findings=plan.findings,
        samples=mc_samples,
        mode=mode,
        sites=plan.sites,
        bank=bank,
        region_nodes=len(graph.region.nodes),
    )
