# SPDX-License-Identifier: Apache-2.0
"""Find the channels that a network was trained on and their order: by the option, hyper-parameters, its layers, or RGB."""

from dataclasses import dataclass

from torch import nn

from export.checkpoint.load import Checkpoint
from export.errors import UsageError
from export.findings import PLACEHOLDER
from export.layers.preprocessing import GREY
from export.pipeline.hyper_parameters import stated_channels, stated_order
from export.pipeline.network_options import NETWORK_CHANNELS, NetworkOptions
from export.pipeline.preprocessor_config import PreprocessorConfig

ORDER_NAMES = (
    "network_channels",
    "channel_order",
    "channels_order",
    "color_order",
    "colour_order",
    "color_space",
    "colour_space",
    "color_format",
    "input_space",
    "input_format",
    "image_format",
)
"""Hyper-parameters whose value names an order; any other value, such as a file format, says nothing."""

BGR_SWITCHES = ("bgr", "use_bgr", "to_bgr", "rgb_to_bgr")
"""Hyper-parameters that are true for a network that was trained on BGR."""

_GREYS = ("grey", "gray", "greyscale", "grayscale")


@dataclass(frozen=True)
class ChannelOrder:
    """Order in which a network takes the channels.

    Attributes:
        order: ``rgb``, ``bgr`` or ``grey``.
        hyper_parameter: the one of the checkpoint that says so; None where anything else does.
        source: what says so, as words behind "by"; None where the option or the default does.
    """

    order: str
    hyper_parameter: str | None = None
    source: str | None = None

    @property
    def count(self) -> int:
        """How many channels the network takes."""
        return 1 if self.order == GREY else 3


def resolve_network_channels(
    options: NetworkOptions, checkpoint: Checkpoint, config: PreprocessorConfig | None = None
) -> ChannelOrder:
    """Choose the network's order of channels.

    Args:
        options: flags.
        checkpoint: its hyper-parameters come next.
        config: an image processor's settings beside the checkpoint, which come last.

    Raises:
        UsageError: hyper-parameters of the checkpoint contradict each other, and no option decides.
    """
    if options.network_channels is not None:
        return ChannelOrder(options.network_channels)
    known = checkpoint.hyper_parameters
    named = {name: value.lower() for name in ORDER_NAMES if isinstance(value := known.get(name), str)}
    named = {name: GREY if value in _GREYS else value for name, value in named.items()}
    stated = {name: order for name, order in named.items() if order in NETWORK_CHANNELS}
    stated |= {name: "bgr" for name in BGR_SWITCHES if known.get(name) is True}
    if len(set(stated.values())) > 1:
        said = ", ".join(f"{name} {order}" for name, order in stated.items())
        raise UsageError(
            f"expected one order of channels in the checkpoint's hyper-parameters, got {said}: give --network-channels",
            words=("--network-channels", PLACEHOLDER),
        )
    for name, order in stated.items():
        return ChannelOrder(order, name, f"the checkpoint's {name}")
    found = stated_order(known) or (None if config is None else config.order())
    if found is not None:
        return ChannelOrder(found.order, source=found.source)
    one = _one_channel(checkpoint)
    return ChannelOrder("rgb") if one is None else ChannelOrder(GREY, source=one)


def _one_channel(checkpoint: Checkpoint) -> str | None:
    """What says that a network takes one channel, as words behind "by"; None where nothing does."""
    stated = stated_channels(checkpoint.hyper_parameters)
    if stated is not None:
        name, count = stated
        return f"the checkpoint's {name} of 1" if count == 1 else None
    layers = (layer for layer in nn.Module.modules(checkpoint.network) if isinstance(layer, nn.Conv2d))
    first = next(layers, None)
    return "its first convolution, which takes one channel" if first is not None and first.in_channels == 1 else None
