# SPDX-License-Identifier: Apache-2.0
"""A network of which one tensor is taken, of what one of its methods returns, while its layers keep their names."""

from dataclasses import dataclass
from operator import attrgetter

from torch import Tensor, nn

from export.checkpoint.returned import take

FORWARD = "forward"


@dataclass(frozen=True)
class OutputChoice:
    """How to get one tensor from a network.

    Attributes:
        method: name of a method or of a part, dotted for one inside a part, that is called with the network's input.
        names: the way to the tensor in what it returns; none for all of it.
        squeezed: the tensor is ``(B, h, w)``, one channel that was squeezed away.
        dropped: nothing that is returned is taken, for a monitor without a segmentation.
    """

    method: str = FORWARD
    names: tuple[str, ...] = ()
    squeezed: bool = False
    dropped: bool = False


class ChosenOutput(nn.Module):
    """A network of which one tensor is taken.

    It has the layers, weights and buffers of the network itself, under their names: hooks, taps and ``torch.export`` see the
    same layers. The network is left as it is, and not a layer of this module.

    Args:
        network: any module.
        choice: the tensor.
    """

    def __init__(self, network: nn.Module, choice: OutputChoice) -> None:
        super().__init__()
        shared = ("_modules", "_parameters", "_buffers", "_non_persistent_buffers_set", "training")
        self.__dict__.update({name: network.__dict__[name] for name in shared})
        self.__dict__.update(_whole_network=network, _output_choice=choice)

    def forward(self, x: Tensor) -> object:
        """The network's input to the tensor, or to all that the method returns where no way is named."""
        network, choice = whole_network(self), output_choice(self)
        returned = network(x) if choice.method == FORWARD else attrgetter(choice.method)(network)(x)
        if choice.dropped:
            return ()
        value = take(returned, choice.names)
        return value.unsqueeze(1) if choice.squeezed and isinstance(value, Tensor) else value

    def train(self, mode: bool = True) -> "ChosenOutput":
        """Switch the network between training and evaluation."""
        whole_network(self).train(mode)
        self.training = mode
        return self


def whole_network(network: nn.Module) -> nn.Module:
    """The network itself, without the choice of its output."""
    found = network.__dict__["_whole_network"] if isinstance(network, ChosenOutput) else network
    assert isinstance(found, nn.Module)
    return found


def output_choice(network: nn.Module) -> OutputChoice:
    """How the output of a network is chosen; all of what ``forward`` returns, where nothing was chosen."""
    choice = network.__dict__["_output_choice"] if isinstance(network, ChosenOutput) else OutputChoice()
    assert isinstance(choice, OutputChoice)
    return choice


def network_name(network: nn.Module) -> str:
    """Name of the network's class."""
    return type(whole_network(network)).__name__
