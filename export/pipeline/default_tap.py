# SPDX-License-Identifier: Apache-2.0
"""Choose the tap of an export that names none, with the masks that are drawn there."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace

from torch import Tensor, nn

from export.findings import Finding
from export.layers.dropblock import is_drop_block
from export.pipeline.blind_tap import blind_taps
from export.pipeline.options import ExportOptions
from export.pipeline.place_of_layer import LayerPlace, place_of_layer
from export.reporter import Reporter
from export.sampling.default_tap import DROP_PROB, default_block_size, tap_candidates
from export.sampling.taps import LayerInfo, ListedLayers, resolve_taps

LOOKED_AT = 4
"""Frames of which a tap has to tell the difference."""

ONE_DROP_BLOCK = "the network's one DropBlock layer"

_MOST_LOOKED_AT = 4
"""Candidates of which that is seen, and of which is seen that a way leads from them to the output."""


def choose_tap(
    network: nn.Module,
    images: Sequence[Tensor],
    options: ExportOptions,
    reporter: Reporter,
    listed: ListedLayers | None = None,
) -> ExportOptions:
    """Choose what an export samples where its options do not, and tell the reporter what was chosen and why.

    The options stay as they are where they name taps, and where the network has one DropBlock layer, which runs once. Else
    the rule of :func:`export.sampling.default_tap.tap_candidates` chooses a layer whose channel means vary over the frames,
    and which the output reads without being the layer's own map; of several DropBlock layers it chooses one that runs once,
    if there is any. Masks are drawn at this layer alone, so that it costs next to nothing whatever dropout lies upstream of
    it: those of its own DropBlock, or of one that is added with p = 0.5 and a block that suits the map.

    Args:
        network: in evaluation mode.
        images: inputs of it, ``(1, 3, H, W)`` each, at least one.
        options: of the export.
        reporter: told the choice.
        listed: the layers of the network for the first image; None to list them here.

    Raises:
        TapError: no tap is named and no layer gives a map.
    """
    if options.tap:
        return options
    named = [name for name, module in network.named_modules() if is_drop_block(module)]
    layers = (listed or ListedLayers(network, images[0])).all
    calls = Counter(layer.name for layer in layers)
    blocks = [name for name in named if calls[name] == 1]
    if len(named) == len(blocks) == 1:
        return options
    candidates = tap_candidates(layers, (images[0].shape[2], images[0].shape[3]), blocks)
    if not candidates:
        return replace(options, tap=resolve_taps(network, options.tap))
    tap, reason = _first_on_the_way(network, images, candidates, {*blocks})
    reporter.found(Finding("tap", f"{tap.name}, {_size(tap)}", "guessed", reason, ("--tap", tap.name, "--only-tap")))
    chosen = replace(options, tap=(tap.name,), only_tap=True)
    if tap.name in blocks or options.drop_prob is not None or options.block_size is not None:
        return chosen
    block = default_block_size(tap.grid or (1,))
    why = "the largest b up to 8 and to half of the map's smaller side of whose masks at most 2 % drop nothing"
    words = ("--drop-prob", f"{DROP_PROB:g}", "--block-size", str(block))
    reporter.found(Finding("DropBlock", f"p = {DROP_PROB:g}, b = {block}, added at the tap", "guessed", why, words))
    return replace(chosen, drop_prob=DROP_PROB, block_size=block)


def _first_on_the_way(
    network: nn.Module, images: Sequence[Tensor], candidates: Sequence[LayerInfo], blocks: Collection[str]
) -> tuple[LayerInfo, str]:
    """The first candidate that sees and from which a way leads to the output, behind more layers; with the reason."""
    left, passed_over = [*candidates], ""
    while left and len(candidates) - len(left) < _MOST_LOOKED_AT:
        tap, reason = _first_that_sees(network, images, left[:_MOST_LOOKED_AT])
        place = LayerPlace.INSIDE if tap.name in blocks else place_of_layer(network, images[0], tap)
        if place is LayerPlace.INSIDE:
            return tap, reason + passed_over
        left.remove(tap)
        passed_over += f"; not {tap.name}, {place.value}"
    return _first_that_sees(network, images, candidates[:_MOST_LOOKED_AT])


def _first_that_sees(
    network: nn.Module, images: Sequence[Tensor], candidates: Sequence[LayerInfo]
) -> tuple[LayerInfo, str]:
    """The first candidate whose channel means vary over the frames, or the first of all; with the reason."""
    reason = (
        "at the lowest resolution that holds much of the weights, the last layer with two thirds of the most channels"
    )
    channels_last = [layer.name for layer in candidates if layer.channel_dim == 3]
    blind = blind_taps(network, images, [layer.name for layer in candidates], channels_last)
    seeing = [layer for layer in candidates if layer.name not in blind]
    if not seeing or seeing[0] is candidates[0]:
        return candidates[0], reason
    return seeing[0], f"{reason}; not {candidates[0].name}, whose channels have the same means for every frame"


def _size(layer: LayerInfo) -> str:
    cells = " x ".join(map(str, layer.grid or ()))
    return f"{cells} {'cells' if len(layer.grid or ()) == 2 else 'tokens'} of {layer.channels} channels"
