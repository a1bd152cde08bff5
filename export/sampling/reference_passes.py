# SPDX-License-Identifier: Apache-2.0
"""Latent samples by S forward passes of the unchanged network, with hooks: the reference that graphs are compared with.

It is the guide's procedure with given masks, and shares no code with the graphs. A pass ends where the last tap is read: what
lies behind it has no part in the samples. The first and the last sample of a frame are passes from the network's input on;
the others take what lies upstream of the first mask from the first pass (:mod:`export.sampling.repeated_calls`). It is still
computed by the network's own layers in eager mode, so that a fault of capture, split or conversion shows as before. That it
is the same in every pass is what the graphs rest on: the last sample, which does not rest on it, would differ from theirs.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress

import torch
from torch import Tensor, nn

from export.sampling.repeated_calls import RepeatedCalls
from export.sampling.sampler import Sampler
from export.sampling.site import Site
from export.sampling.taps import check_evaluation_mode

Masks = dict[Site, list[Tensor]]
"""For each site the keep masks of one sample, frame by frame."""


class _TapsRead(BaseException):
    """Ends a pass whose taps are all read; no handler of the network's own may take it for a fault."""


def sample_passes(network: nn.Module, x: Tensor, sampler: Sampler, noise: Sequence[Tensor] = ()) -> Tensor:
    """Sample the taps of a network by S forward passes, one for each set of masks.

    Args:
        network: in evaluation mode; the one that the sampler was built from.
        x: ``(B, 3, H, W)`` float.
        sampler: names the layers that are read and masked, and holds the masks of mode ``fixed``.
        noise: for the other modes one tensor for each site, ``(B, S, *noise_shape)`` in [0, 1).

    Returns:
        ``(B, S, C)`` latent samples.

    Raises:
        ValueError: the network is in training mode, or there is neither a bank nor noise for each site.
    """
    check_evaluation_mode(network)
    if sampler.bank is None and len(noise) != len(sampler.sites):
        raise ValueError(
            f"expected noise for {len(sampler.sites)} sites in mode {sampler.mode!r}, got {len(noise)}: "
            "give one tensor for each site"
        )
    upstream, last = RepeatedCalls(network), sampler.samples - 1
    samples: list[Tensor] = []
    with torch.inference_mode(False), torch.no_grad():
        x = x.clone() if x.is_inference() else x
        for s in range(sampler.samples):
            masks = _masks(sampler, s, x.shape[0], noise)
            with upstream.keep() if s == 0 else nullcontext() if s == last else upstream.give():
                samples.append(_one_pass(network, x, sampler, masks, upstream.stop))
        return torch.stack(samples, dim=1)


def _masks(sampler: Sampler, s: int, frames: int, noise: Sequence[Tensor]) -> Masks:
    if sampler.bank is not None:
        fixed = [torch.from_numpy(keep[s]).float() for keep in sampler.bank.keep]
        return {site: [keep] * frames for site, keep in zip(sampler.sites, fixed, strict=True)}
    return {
        site: [site.randomness.keep(uniform[b, s][None])[0] for b in range(frames)]
        for site, uniform in zip(sampler.sites, noise, strict=True)
    }


def _one_pass(
    network: nn.Module, x: Tensor, sampler: Sampler, masks: Masks, at_first_mask: Callable[[], None]
) -> Tensor:
    """``(B, C)``: the taps, concatenated, of one pass with one mask at each site."""
    inline = {(site.layer, site.call): site for site in masks if not site.added}
    added = {site.layer: site for site in masks if site.added}
    calls: Counter[str] = Counter()
    read: dict[str, Tensor] = {}

    def drop(layer: str, output: Tensor) -> Tensor:
        site = inline.get((layer, calls[layer]))
        calls[layer] += 1
        if site is None:
            return output
        at_first_mask()
        return _drop(output, site, masks[site])

    def record(layer: str, output: Tensor) -> None:
        if layer in added:
            output = _drop(output, added[layer], masks[added[layer]])
        # Averaged at once, and copied where there is nothing to average: a layer behind the tap may work in place.
        usual = {4: (2, 3), 3: (1,)}.get(output.dim())
        over = (1, 2) if layer in sampler.channels_last else usual
        read[layer] = output.clone() if over is None else output.mean(dim=over)
        if len(read) == len(sampler.taps):
            raise _TapsRead

    hooks: list[tuple[str, Callable[[str, Tensor], Tensor | None]]] = []
    hooks += [(layer, drop) for layer in dict.fromkeys(layer for layer, _ in inline)]
    hooks += [(tap, record) for tap in sampler.taps]
    handles = [
        network.get_submodule(layer).register_forward_hook(
            lambda _, __, output, hook=hook, layer=layer: hook(layer, output)
        )
        for layer, hook in hooks
    ]
    try:
        with suppress(_TapsRead):
            network(x)
    finally:
        for handle in handles:
            handle.remove()
    return torch.cat([read[tap] for tap in sampler.taps], dim=1)


def _drop(output: Tensor, site: Site, masks: Sequence[Tensor]) -> Tensor:
    """Apply what the layer does in training, with the given masks: one for each frame's share of the output."""
    shares = output.chunk(len(masks), dim=site.batch_dim)
    dropped = [
        site.randomness.drop(share, site.randomness.shaped(keep, site.mask_shape))
        for share, keep in zip(shares, masks, strict=True)
    ]
    return torch.cat(dropped, dim=site.batch_dim)
