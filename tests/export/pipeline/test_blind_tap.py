# SPDX-License-Identifier: Apache-2.0
"""A tap behind a normalisation of each frame is warned of; one that sees is not."""

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from export.calibration.options import CalibrationOptions
from export.pipeline.blind_tap import blind_tap_warnings, blind_taps
from export.pipeline.export_monitor import ExportOptions, export_monitor
from tests.networks import DropBlockAtTap, DropoutUNet, settled


class Normalised(nn.Module):
    def __init__(self, norm: nn.Module | None = None) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU())
        self.second, self.norm, self.dropout = (
            nn.Conv2d(8, 8, 3, padding=1),
            norm or nn.InstanceNorm2d(8),
            nn.Dropout(0.5),
        )
        self.head = nn.Conv2d(8, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.as_tensor(self.head(self.dropout(self.norm(self.second(self.first(x))))))


def images(seed: int, count: int = 6) -> list[Tensor]:
    """Pictures of several colours and contrasts."""
    torch.manual_seed(seed)
    return [torch.randn(1, 3, 24, 32) * (0.3 + torch.rand(1, 3, 1, 1)) + torch.randn(1, 3, 1, 1) for _ in range(count)]


@settings(max_examples=15)
@given(st.integers(0, 2**32 - 1), st.booleans())
def test_blind_tap_warnings_behind_instance_norm_name_tap_and_another_layer(seed: int, affine: bool) -> None:
    torch.manual_seed(seed)
    network = Normalised(nn.InstanceNorm2d(8, affine=affine)).eval()
    (warning,) = blind_tap_warnings(network, images(seed), ["dropout"], ["first", "second"])
    assert "the means of dropout's channels are the same for every frame" in warning
    assert warning.endswith("such as second")


@settings(max_examples=15)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["batch", "group", "none"]))
def test_blind_tap_warnings_behind_other_norms_are_none(seed: int, kind: str) -> None:
    torch.manual_seed(seed)
    norms = {"batch": nn.BatchNorm2d(8), "group": nn.GroupNorm(2, 8), "none": nn.Identity()}
    assert blind_tap_warnings(settled(Normalised(norms[kind])), images(seed), ["dropout"], ["first"]) == []


@settings(max_examples=10)
@given(st.integers(0, 2**32 - 1), st.permutations(["first", "second", "norm", "dropout"]), st.integers(1, 4))
def test_blind_taps_without_what_lies_behind_the_layers_are_those_of_whole_passes(
    seed: int, layers: list[str], count: int
) -> None:
    torch.manual_seed(seed)
    network, asked = Normalised().eval(), layers[:count]
    whole = blind_taps(network, images(seed), [*asked, "head"]) - {"head"}
    network.head.register_forward_pre_hook(lambda *_: pytest.fail("what lies behind the layers ran"))
    assert blind_taps(network, images(seed), asked) == whole == {"norm", "dropout"} & set(asked)


@pytest.mark.parametrize(("network", "tap"), [(DropBlockAtTap(), "drop_block1"), (DropoutUNet(), "bottleneck")])
def test_blind_tap_warnings_of_usual_networks_are_none(network: nn.Module, tap: str) -> None:
    assert blind_tap_warnings(settled(network), images(0), [tap], []) == []


def test_blind_tap_warnings_of_frames_that_are_the_same_are_none() -> None:
    network = Normalised(nn.InstanceNorm2d(8)).eval()
    assert blind_tap_warnings(network, images(0)[:1] * 5, ["dropout"], ["first"]) == []
    assert blind_tap_warnings(network, images(0)[:1], ["dropout"], ["first"]) == []


def test_export_of_a_blind_tap_has_the_warning_in_its_bundle(tmp_path: Path, own_size_frames: Path) -> None:
    torch.save(Normalised().state_dict(), tmp_path / "network.pt")
    given = ExportOptions(
        tmp_path / "network.pt",
        (own_size_frames,),
        tmp_path / "bundle",
        model="tests.export.pipeline.test_blind_tap:Normalised",
        tap=("dropout",),
        feature_layers=("second",),
        mean=(0.5,) * 3,
        std=(0.25,) * 3,
        mc_samples=8,
        calibration=CalibrationOptions(detector="kde"),
    )
    warnings = export_monitor(given).manifest.calibration.warnings
    assert [text for text in warnings if text.startswith("the means of dropout's channels")]
