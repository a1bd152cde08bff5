# SPDX-License-Identifier: Apache-2.0
"""Every detector of a network that returns several tensors scores as that of the same network returning one."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from export.calibration.options import CalibrationOptions, detector_choices
from export.detectors.registry import DETECTORS
from export.errors import ExportError
from export.frames.files import FrameFiles
from export.pipeline.export_monitor import export_monitor
from export.pipeline.options import ExportOptions
from export.pipeline.plan import plan_export
from lsood_runtime import OoDMonitor, read_manifest
from tests.conftest import write_scenes
from tests.export.pipeline.conftest import SIZE
from tests.networks import ColourClasses, settled

FAST = ("vim",)
OTHERS = [name for name in detector_choices() if name not in FAST]


class AuxiliaryHead(ColourClasses):
    """Returns the logits of a second head first, which has other classes, then those of the network."""

    def __init__(self) -> None:
        super().__init__()
        self.auxiliary = nn.Conv2d(8, 7, 1)

    def forward(self, x: Tensor) -> object:  # type: ignore[override]
        deep = self.deep(x)
        main = self.head(self.drop_block1(deep))
        return {"aux": self.auxiliary(deep), "out": 8 * x + nn.functional.interpolate(main, size=x.shape[-2:])}


class MainHead(AuxiliaryHead):
    """The same network, returning the logits alone."""

    def forward(self, x: Tensor) -> Tensor:
        main = super().forward(x)
        assert isinstance(main, dict)
        return torch.as_tensor(main["out"])


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(3)
    path = tmp_path_factory.mktemp("weights") / "network.pt"
    torch.save(settled(AuxiliaryHead()).state_dict(), path)
    return path


def exported(weights: Path, network: type[nn.Module], frames: Path, out: Path, detector: str, **more: Any) -> Path:
    options = ExportOptions(
        weights,
        (frames,),
        out,
        model=f"{__name__}:{network.__name__}",
        mean=(0.46, 0.45, 0.44),
        std=(0.5, 0.5, 0.5),
        mc_samples=8,
        calibration=CalibrationOptions(detector=detector, rates={"10%": 0.1}, **more),
    )
    export_monitor(options)
    return out


@pytest.mark.parametrize("detector", [*FAST, *(pytest.param(name, marks=pytest.mark.slow) for name in OTHERS)])
def test_detector_of_a_network_of_several_outputs_scores_as_that_of_one(
    detector: str, weights: Path, own_size_frames: Path, tmp_path: Path
) -> None:
    more = {}
    if detector in DETECTORS and DETECTORS[detector].needs_ood_frames:
        write_scenes(tmp_path / "ood", 40, seed=9, size=SIZE)
        more = {"ood_frames": (tmp_path / "ood",)}
    bundles = [
        exported(weights, network, own_size_frames, tmp_path / network.__name__, detector, **more)
        for network in (AuxiliaryHead, MainHead)
    ]
    several, one = map(read_manifest, bundles)
    assert several.detector == one.detector
    assert several.operating_points == one.operating_points
    with OoDMonitor(bundles[0]) as left, OoDMonitor(bundles[1]) as right:
        for frame in list(FrameFiles((own_size_frames,)))[::20]:
            assert left.score(np.array(frame)) == right.score(np.array(frame))


@pytest.mark.parametrize("detector", [name for name in detector_choices() if name != "auto"])
def test_detector_that_reads_what_no_output_gives_is_refused_by_its_flag(
    detector: str, weights: Path, own_size_frames: Path, tmp_path: Path
) -> None:
    """Without a segmentation nothing is read of the outputs, whichever there are."""
    if detector in DETECTORS and DETECTORS[detector].needs_ood_frames:
        pytest.skip("reads the tap alone")
    options = ExportOptions(
        weights,
        (own_size_frames,),
        tmp_path / "m",
        model=f"{__name__}:AuxiliaryHead",
        segmentation="none",
        mc_samples=8,
        mean=(0.46, 0.45, 0.44),
        std=(0.5, 0.5, 0.5),
        calibration=CalibrationOptions(detector=detector),
    )
    problems: tuple[ExportError, ...] = plan_export(options).problems
    reads_output = detector in ("vim", "output-score")
    assert len(problems) == reads_output
    assert all("--reads" in str(problem) or "--segmentation" in str(problem) for problem in problems)
