# SPDX-License-Identifier: Apache-2.0
"""An export without --tap: what it samples, what it says, and that the printed words give the same."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest
import torch
from torch import Tensor, nn

from export.calibration.options import CalibrationOptions
from export.layers.dropblock import DropBlock2D
from export.option_table import with_words
from export.pipeline.default_tap import choose_tap
from export.pipeline.export_monitor import export_monitor
from export.pipeline.options import ExportOptions
from export.pipeline.plan import plan_export
from export.reporter import SILENT
from tests.export.pipeline.told_reporter import ToldReporter
from tests.networks import DropBlockAtTap, DropoutUNet, TransformerSegmenter, block, settled

T = TypeVar("T")


class TwoBlocks(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.drop1, self.second = block(3, 6, stride=2), DropBlock2D(0.8, 3), block(6, 8, stride=2)
        self.drop2, self.head = DropBlock2D(0.7, 2), nn.Conv2d(8, 5, 1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.as_tensor(self.head(self.drop2(self.second(self.drop1(self.first(x))))))


class BlindEnd(nn.Module):
    """The deepest layer normalises each channel of each frame."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = block(3, 6, stride=2), block(6, 16, stride=2)
        self.norm, self.head = nn.InstanceNorm2d(16), nn.Conv2d(16, 5, 1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.as_tensor(
            self.head(self.norm(self.second(x=self.first(x)) if False else self.second(self.first(x))))
        )


class WideHeads(nn.Module):
    """More classes than the encoder has channels, at its end and in a head that the output does not read."""

    def __init__(self, *, auxiliary: bool) -> None:
        super().__init__()
        self.encoder, self.head = nn.Sequential(block(3, 6, stride=2), block(6, 8, stride=2)), nn.Conv2d(8, 9, 1)
        self.aux = nn.Conv2d(8, 9, 1) if auxiliary else None

    def forward(self, x: Tensor) -> Tensor:
        encoded = self.encoder(x)
        logits = nn.functional.interpolate(self.head(encoded), size=x.shape[-2:], mode="bilinear")
        if self.aux is not None:
            self.aux(encoded)
        return logits


def images(size: tuple[int, int] = (24, 32)) -> list[Tensor]:
    torch.manual_seed(0)
    return [torch.randn(1, 3, *size) * (0.3 + torch.rand(1, 3, 1, 1)) + torch.randn(1, 3, 1, 1) for _ in range(4)]


def options(**more: object) -> ExportOptions:
    places = {"ckpt": Path("network.pt"), "frames": (Path("frames"),), "out": Path("bundle")}
    return ExportOptions(**places | more)  # type: ignore[arg-type]


def test_choose_tap_where_taps_are_named_or_there_is_one_dropblock_leaves_the_options() -> None:
    for network, given in [(DropBlockAtTap(), options()), (DropoutUNet(), options(tap=("drop1",)))]:
        assert choose_tap(settled(network), images(), given, SILENT) == given


def test_choose_tap_of_a_network_with_dropout_adds_dropblock_at_the_deepest_layer() -> None:
    reporter = ToldReporter()
    got = choose_tap(settled(DropoutUNet()), images(), options(), reporter)
    assert (got.tap, got.only_tap, got.drop_prob, got.block_size) == (("bottleneck",), True, 0.5, 2)
    assert [finding.origin for finding in reporter.told] == ["guessed", "guessed"]
    words = [word for finding in reporter.told for word in finding.words]
    assert with_words(options(), words) == got, "the printed words give the same export"


@pytest.mark.parametrize("auxiliary", [True, False])
def test_choose_tap_is_neither_the_last_layer_nor_one_that_the_output_does_not_read(auxiliary: bool) -> None:
    reporter = ToldReporter()
    got = choose_tap(settled(WideHeads(auxiliary=auxiliary)), images(), options(), reporter)
    assert got.tap == ("encoder",)
    reason = reporter.told[0].reason
    assert ("not aux, which the output does not read" in reason) == auxiliary
    assert "not head, which gives the output itself" in reason


def test_choose_tap_with_constants_takes_them() -> None:
    got = choose_tap(settled(DropoutUNet()), images(), options(drop_prob=0.3, block_size=1), SILENT)
    assert (got.tap, got.drop_prob, got.block_size) == (("bottleneck",), 0.3, 1)


def test_choose_tap_of_several_dropblocks_takes_one_with_its_own_constants() -> None:
    reporter = ToldReporter()
    got = choose_tap(settled(TwoBlocks()), images(), options(), reporter)
    assert (got.tap, got.only_tap, got.drop_prob, got.block_size) == (("drop2",), True, None, None)
    assert [finding.subject for finding in reporter.told] == ["tap"]


class DropsAgain(nn.Module):
    """One module of dropout, which runs at every stage of the decoder; beside it, maybe, a DropBlock that runs once."""

    def __init__(self, dropout: nn.Module, deepest: nn.Module | None = None) -> None:
        super().__init__()
        self.encoder, self.deepest = nn.Sequential(block(3, 8, stride=2), block(8, 16, stride=2)), deepest
        self.up1, self.up2, self.dropout, self.head = block(16, 8), block(8, 8), dropout, nn.Conv2d(8, 5, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.encoder(x) if self.deepest is None else self.deepest(self.encoder(x))
        y = nn.functional.interpolate(self.dropout(self.up1(y)), scale_factor=2.0)
        return torch.as_tensor(self.head(nn.functional.interpolate(self.dropout(self.up2(y)), scale_factor=2.0)))


@pytest.mark.parametrize("dropout", [nn.Dropout(0.3), nn.Dropout2d(0.3), DropBlock2D(0.7, 2)], ids=str)
def test_choose_tap_of_one_dropout_that_runs_again_and_again_in_the_decoder_is_a_layer_that_runs_once(
    dropout: nn.Module,
) -> None:
    got = choose_tap(settled(DropsAgain(dropout)), images(), options(), SILENT)
    assert (got.tap, got.only_tap, got.drop_prob) == (("encoder",), True, 0.5)
    got = choose_tap(settled(DropsAgain(dropout, DropBlock2D(0.6, 2))), images(), options(), SILENT)
    assert got.tap in ((), ("deepest",))
    plan = plan_export(
        options(ckpt=None, frames=(), input_size=(24, 32), mean=(0.5,) * 3, std=(0.25,) * 3),
        network=DropsAgain(dropout).eval(),
    )
    assert [str(error) for error in plan.problems if "--frames" not in str(error)] == []


def test_choose_tap_passes_over_a_layer_that_cannot_see() -> None:
    reporter = ToldReporter()
    got = choose_tap(settled(BlindEnd()), images(), options(), reporter)
    assert got.tap == ("second",)
    assert "not norm, whose channels have the same means for every frame" in reporter.told[0].reason


@pytest.mark.parametrize("network", [DropoutUNet, TransformerSegmenter])
def test_export_without_a_tap_is_cheap_and_names_what_it_chose(
    tmp_path: Path, network: Callable[[], nn.Module]
) -> None:
    torch.manual_seed(0)
    torch.save(settled(network()).state_dict(), tmp_path / "network.pt")
    given = ExportOptions(
        tmp_path / "network.pt",
        (),
        tmp_path / "bundle",
        model=f"tests.networks:{network.__name__}",
        mean=(0.5,) * 3,
        std=(0.25,) * 3,
        input_size=(24, 32),
        calibration=CalibrationOptions(detector="kde"),
    )
    plan = plan_export(given)
    (cost,) = [finding for finding in plan.findings if finding.subject == "cost"]
    assert float(cost.value.split()[0]) < 1.2
    assert plan.sampled is not None
    assert plan.sampled.sampler.region_nodes == 0
    assert plan.command is not None
    assert {"--tap", "--only-tap", "--drop-prob", "--block-size"} <= set(plan.command)


def test_export_without_a_tap_writes_a_bundle_that_records_the_choice(tmp_path: Path, own_size_frames: Path) -> None:
    torch.manual_seed(0)
    torch.save(settled(DropoutUNet()).state_dict(), tmp_path / "network.pt")
    given = ExportOptions(
        tmp_path / "network.pt",
        (own_size_frames,),
        tmp_path / "bundle",
        model="tests.networks:DropoutUNet",
        mean=(0.5,) * 3,
        std=(0.25,) * 3,
        mc_samples=8,
        calibration=CalibrationOptions(detector="kde"),
    )
    manifest = export_monitor(given).manifest
    assert manifest.masks.drop_prob == 0.5
    assert manifest.tap.layers == ("bottleneck",)
