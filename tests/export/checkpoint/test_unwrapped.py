# SPDX-License-Identifier: Apache-2.0
"""Wrappers of torch.compile and of data parallelism are taken off at any depth; TorchScript is refused where it runs."""

from collections.abc import Callable
from typing import cast

import pytest
import torch
from torch import Tensor, nn

from export.checkpoint.choose_output import choose_output
from export.checkpoint.unwrapped import unwrapped
from export.errors import ConversionError
from export.sampling.taps import list_layers
from tests.networks import DropoutUNet, NoDropout, settled

X = torch.rand(2, 3, 24, 32, generator=torch.Generator().manual_seed(1))


class Around(nn.Module):
    """Holds a network as a part."""

    def __init__(self, part: nn.Module) -> None:
        super().__init__()
        self.model = part

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.model(x)
        return output


class CompiledForward(DropoutUNet):
    """Its forward is compiled where it is defined."""

    @torch.compile
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x)


def compiled(network: nn.Module) -> nn.Module:
    return cast(nn.Module, torch.compile(network))


def in_place(network: nn.Module) -> nn.Module:
    network.compile()
    return network


def forward_of(network: nn.Module) -> nn.Module:
    network.forward = torch.compile(network.forward)
    return network


WRAPPED: dict[str, Callable[[nn.Module], tuple[nn.Module, str]]] = {
    "compiled": lambda net: (compiled(net), "torch.compile of the network"),
    "parallel": lambda net: (nn.DataParallel(net), "DataParallel of the network"),
    "both": lambda net: (
        nn.DataParallel(compiled(net)),
        "DataParallel of the network, torch.compile of the network",
    ),
    "part": lambda net: (Around(compiled(net)), "torch.compile of model"),
    "part of a part": lambda net: (
        Around(nn.DataParallel(Around(compiled(net)))),
        "DataParallel of model, torch.compile of model.model",
    ),
    "in place": lambda net: (in_place(net), "torch.compile of the network"),
    "forward": lambda net: (forward_of(net), "torch.compile of the network's forward"),
}


@pytest.mark.parametrize("how", WRAPPED)
def test_unwrapped_network_has_its_own_layer_names_and_output(how: str) -> None:
    torch.manual_seed(0)
    plain = settled(DropoutUNet())
    wanted = plain(X)
    names = [name for name, _ in plain.named_modules()]
    wrapped, said = WRAPPED[how](plain)
    network, findings = unwrapped(wrapped)
    assert findings[0].value == said
    start = "model.model." if how == "part of a part" else "model." if how == "part" else ""
    assert [name for name, _ in network.named_modules()][-len(names) + 1 :] == [f"{start}{name}" for name in names[1:]]
    torch.testing.assert_close(network(X), wanted)
    assert any(layer.name == f"{start}bottleneck" for layer in list_layers(network.eval(), X))


def test_unwrapped_network_with_a_decorated_forward_runs_as_it_is_written() -> None:
    torch.manual_seed(0)
    network, findings = unwrapped(settled(CompiledForward()))
    assert [finding.value for finding in findings] == ["torch.compile of the network's forward"]
    torch.testing.assert_close(network(X), DropoutUNet.forward(network, X))  # type: ignore[arg-type]


def test_unwrapped_network_without_wrappers_is_the_same() -> None:
    network = settled(NoDropout())
    assert unwrapped(network) == (network, ())
    assert "forward" not in vars(network)


def test_choose_output_of_a_scripted_part_names_it_only_where_it_runs() -> None:
    scripted = torch.jit.trace(settled(NoDropout()), X)  # type: ignore[no-untyped-call]
    with pytest.raises(ConversionError, match=r"expected layers in Python, model is TorchScript \(of NoDropout\)"):
        choose_output(Around(scripted).eval(), X, "classes")
    unused = settled(DropoutUNet())
    unused.metric = scripted
    assert choose_output(unused, X, "classes").network is unused
