# SPDX-License-Identifier: Apache-2.0
"""Find the shape of a network's input: channels, the size to which what is seen of a frame is resized, and padding."""

from dataclasses import dataclass

from export.checkpoint.load import Checkpoint
from export.pipeline.found_pad import FoundPad, find_pad
from export.pipeline.found_size import FoundSize, check_size, find_size
from export.pipeline.network_channels import ChannelOrder, resolve_network_channels
from export.pipeline.network_options import NetworkOptions
from export.pipeline.preprocessor_config import PreprocessorConfig


@dataclass(frozen=True)
class FoundInput:
    """Shape of a network's input, and where it comes from.

    Attributes:
        order: of the channels, and how many there are.
        size: rows and columns before padding.
        padding: multiple up to which rows and columns are added.
    """

    order: ChannelOrder
    size: FoundSize
    padding: FoundPad

    @property
    def pad(self) -> tuple[int, int]:
        """Rows added at the bottom and columns added at the right."""
        return -self.size.height % self.padding.multiple, -self.size.width % self.padding.multiple

    @property
    def shape(self) -> tuple[int, int, int]:
        """``(C, H, W)`` of one input."""
        bottom, right = self.pad
        return self.order.count, self.size.height + bottom, self.size.width + right


def find_input(
    options: NetworkOptions, checkpoint: Checkpoint, config: PreprocessorConfig | None, seen: tuple[int, int]
) -> FoundInput:
    """Find channels, size and padding by the flags, else by the checkpoint and what lies beside it.

    Args:
        options: flags.
        checkpoint: network and hyper-parameters.
        config: an image processor's settings beside it.
        seen: rows and columns of what the network sees of a frame.

    Raises:
        UsageError: a size, a padding or a number of channels that cannot be, or whose form is not understood.
    """
    size = find_size(options.input_size, checkpoint.hyper_parameters, config, seen)
    check_size(size.height, size.width)
    padding = find_pad(options.pad, config, (size.height, size.width))
    return FoundInput(resolve_network_channels(options, checkpoint, config), size, padding)
