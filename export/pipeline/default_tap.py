# SPDX-License-Identifier: Apache-2.0
"""Choose the tap of an export that names none, with the masks that are drawn there."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from export.findings import Finding
from export.layers.dropblock import DropBlockRandomness, is_drop_block
from export.pipeline.blind_tap import blind_taps
from export.reporter import Reporter
from export.sampling.default_tap import DROP_PROB, default_block_size, tap_candidates
from export.sampling.taps import LayerInfo, list_layers, resolve_taps

_MOST_LOOKED_AT = 4


@dataclass(frozen=True)
class TapChoice:
    """What is sampled, and by which masks.

    Attributes:
        taps: names of layers.
        only_tap: whether masks are drawn where the taps are read alone.
        drop_prob: DropBlock's p; None where the network's own layers have theirs.
        block_size: DropBlock's b, given together with ``drop_prob``.
    """

    taps: tuple[str, ...]
    only_tap: bool
    drop_prob: float | None
    block_size: int | None


def choose_tap(network: nn.Module, images: Sequence[Tensor], given: TapChoice, reporter: Reporter) -> TapChoice:
    """Choose what an export samples, and tell the reporter what was chosen and why.

    Layers that a user names are taken, and so is the network's one DropBlock layer. Else the rule of
    :func:`export.sampling.default_tap.tap_candidates` chooses a layer whose channel means vary over the frames, of several
    DropBlock layers one of them. Masks are drawn at this layer alone, so that it costs next to nothing whatever dropout lies
    upstream of it: those of its own DropBlock, or of one that is added with p = 0.5 and a block that suits the map.

    Args:
        network: in evaluation mode.
        images: inputs of it, ``(1, 3, H, W)`` each, at least one.
        given: by the user; no taps where none are named.
        reporter: told the choice.

    Raises:
        TapError: a name that the network does not have, or no layer gives a map.
    """
    blocks = [name for name, module in network.named_modules() if is_drop_block(module)]
    layers = [] if given.taps or len(blocks) == 1 else list_layers(network, images[0][:1].repeat(2, 1, 1, 1))
    candidates = tap_candidates(layers, (images[0].shape[2], images[0].shape[3]))
    if blocks:
        candidates = [layer for layer in candidates if layer.name in blocks]
    if not candidates:
        return TapChoice(resolve_taps(network, given.taps), given.only_tap, given.drop_prob, given.block_size)
    tap, reason = _first_that_sees(network, images, candidates[:_MOST_LOOKED_AT])
    reporter.found(Finding("tap", f"{tap.name}, {_size(tap)}", "guessed", reason, ("--tap", tap.name, "--only-tap")))
    own = DropBlockRandomness.recognise(network.get_submodule(tap.name))
    if own is not None or given.drop_prob is not None:
        return TapChoice((tap.name,), True, given.drop_prob, given.block_size)
    block = default_block_size(tap.grid or (1,))
    why = "the largest block up to 8 and half of the map of whose masks at most 5 % drop nothing"
    words = ("--drop-prob", f"{DROP_PROB:g}", "--block-size", str(block))
    reporter.found(Finding("DropBlock", f"p = {DROP_PROB:g}, b = {block}, added at the tap", "guessed", why, words))
    return TapChoice((tap.name,), True, DROP_PROB, block)


def _first_that_sees(
    network: nn.Module, images: Sequence[Tensor], candidates: Sequence[LayerInfo]
) -> tuple[LayerInfo, str]:
    """The first candidate whose channel means vary over the frames, or the first of all; with the reason."""
    reason = "of the layers at the lowest resolution that holds weights, the last of those with the most channels"
    channels_last = [layer.name for layer in candidates if layer.channel_dim == 3]
    blind = blind_taps(network, images, [layer.name for layer in candidates], channels_last)
    seeing = [layer for layer in candidates if layer.name not in blind]
    if not seeing or seeing[0] is candidates[0]:
        return candidates[0], reason
    return seeing[0], f"{reason}; not {candidates[0].name}, whose channels have the same means for every frame"


def _size(layer: LayerInfo) -> str:
    cells = " x ".join(map(str, layer.grid or ()))
    return f"{cells} {'cells' if len(layer.grid or ()) == 2 else 'tokens'} of {layer.channels} channels"
