# SPDX-License-Identifier: Apache-2.0
"""Networks that do, and do not, go into evaluation mode."""

from pathlib import Path

import pytest
import torch
from torch import nn

from export.checkpoint.frozen import frozen
from export.checkpoint.load import load_checkpoint
from export.errors import CheckpointError


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))


class FrozenNorm(Network):
    """Its normalisation never trains, a usual habit of fine-tuning."""

    def train(self, mode: bool = True) -> "FrozenNorm":
        super().train(mode)
        self.encoder[1].eval()
        return self


class AlwaysTraining(Network):
    def train(self, _: bool = True) -> "AlwaysTraining":
        return super().train(True)


class TrainingNorm(Network):
    def train(self, mode: bool = True) -> "TrainingNorm":
        super().train(mode)
        self.encoder[1].train()
        return self


class NoMode(Network):
    def train(self) -> "NoMode":  # type: ignore[override]
        return self


@pytest.mark.parametrize("network", [Network(), FrozenNorm()])
def test_frozen_network_computes_in_evaluation_mode_without_gradients(network: nn.Module) -> None:
    assert frozen(network) is network
    assert not any(module.training for module in network.modules())
    assert not any(parameter.requires_grad for parameter in network.parameters())


@pytest.mark.parametrize(
    ("network", "got"),
    [
        (AlwaysTraining(), "AlwaysTraining stays in training mode"),
        (TrainingNorm(), r"encoder\.1 stays in training mode"),
        (NoMode(), "got TypeError: .*train.* takes 1 positional argument"),
    ],
)
def test_frozen_network_that_stays_in_training_mode_is_refused(network: nn.Module, got: str) -> None:
    with pytest.raises(CheckpointError, match=f"{got}.*: let its train\\(mode\\) call super"):
        frozen(network)


def test_load_checkpoint_of_a_network_that_stays_in_training_mode_is_refused(tmp_path: Path) -> None:
    torch.save(AlwaysTraining().state_dict(), tmp_path / "weights.pt")
    with pytest.raises(CheckpointError, match="AlwaysTraining stays in training mode"):
        load_checkpoint(tmp_path / "weights.pt", model=f"{__name__}:AlwaysTraining")
