# SPDX-License-Identifier: Apache-2.0
"""Find taps whose channel means are the same for every frame, as behind a normalisation of each frame's own channels."""

from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress

import torch
from torch import Tensor, nn

from export.layers.channel_means import channel_means

_STILL = 1e-3
"""Spread of a channel's mean over frames, as a share of its deviation within them, below which it does not vary."""

_MOST = 0.5
"""Share of the channels that must vary for a tap to see."""


class _AllSeen(BaseException):
    """Ends a pass in which every layer has run; no handler of the network's own may take it for a fault."""


def blind_tap_warnings(
    network: nn.Module,
    images: Iterable[Tensor],
    taps: Sequence[str],
    others: Sequence[str],
    channels_last: Collection[str] = (),
) -> list[str]:
    """Warn of taps that cannot see a difference between frames.

    An instance normalisation brings every channel of every frame to the same mean and deviation. Masks behind it draw samples
    whose spread is the same for every frame, and so is the entropy. Channels that are the same everywhere in a frame, as
    those that a ReLU has switched off, do not count.

    Args:
        network: in evaluation mode.
        images: two or more inputs of it, ``(1, 3, H, W)`` each; nothing is said where they are all the same.
        taps: names of the sampled layers.
        others: names of layers among which to suggest one.
        channels_last: those of them that give maps with their channels last.
    """
    blind = blind_taps(network, images, [*taps, *others], channels_last)
    sighted = next((layer for layer in reversed(others) if layer not in blind), None)
    remedy = "tap a layer in front of the normalisation" + (f", such as {sighted}" if sighted else "")
    return [
        f"the means of {tap}'s channels are the same for every frame, so that its entropies hardly differ: {remedy}"
        for tap in taps
        if tap in blind
    ]


def blind_taps(
    network: nn.Module, images: Iterable[Tensor], layers: Sequence[str], channels_last: Collection[str] = ()
) -> frozenset[str]:
    """Names of those layers whose channels have the same means for every frame; none where the frames are all the same.

    A pass ends where the last of the layers has run: a decoder behind them is not computed.

    Args:
        network: in evaluation mode.
        images: inputs of it, ``(1, 3, H, W)`` each.
        layers: their names.
        channels_last: those of them that give maps with their channels last.
    """
    seen: dict[str, list[tuple[Tensor, Tensor]]] = {layer: [] for layer in layers}
    shown: list[Tensor] = []
    left: set[str] = set()

    def note(layer: str, output: object) -> None:
        if isinstance(output, Tensor) and output.dim() in (3, 4):
            values = output.double()
            values = values.movedim(3 if layer in channels_last else 1, 1) if values.dim() == 4 else values.mT
            seen[layer].append((channel_means(values, 1)[0], values.flatten(2).std(dim=2, correction=0)[0]))
        left.discard(layer)
        if not left:
            raise _AllSeen

    handles = [
        network.get_submodule(layer).register_forward_hook(lambda _, __, output, at=layer: note(at, output))
        for layer in layers
    ]
    try:
        with torch.inference_mode():
            for image in images:
                shown.append(image.mean(dim=(0, 2, 3)))
                left.update(layers)
                with suppress(_AllSeen):
                    network(image)
    finally:
        for handle in handles:
            handle.remove()
    if len(shown) < 2 or float(torch.stack(shown).std(dim=0).max()) < _STILL:
        return frozenset()
    return frozenset(layer for layer in layers if _is_blind(seen[layer]))


def _is_blind(frames: Sequence[tuple[Tensor, Tensor]]) -> bool:
    if len(frames) < 2:
        return False
    means, deviations = (torch.stack(values) for values in zip(*frames, strict=True))
    deviation = deviations.mean(dim=0)
    counted = deviation > 1e-6
    varies = means.std(dim=0)[counted] > _STILL * deviation[counted]
    return bool(counted.any()) and float(varies.double().mean()) < _MOST
