# SPDX-License-Identifier: Apache-2.0
"""A module of the user's own program is exported as it is, and left as it was."""

import copy
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from export.calibration.options import CalibrationOptions
from export.checkpoint.live import live_checkpoint
from export.errors import CheckpointError, UsageError
from export.frames.files import FrameFiles
from export.pipeline.export_monitor import ExportOptions, export_monitor, plan_export
from lsood_runtime import OoDMonitor
from tests.networks import ColourClasses, settled

MEAN, STD = (0.46, 0.45, 0.44), (0.5, 0.5, 0.5)


NOT_A_NETWORK: Any = len


class Mine(ColourClasses):
    """Returns a dictionary, counts its calls, and has a forward of its own in the instance."""

    def forward(self, x: Tensor) -> dict[str, Tensor]:  # type: ignore[override]
        return {"out": super().forward(x)}


def options(frames: Path, out: Path, **given: Any) -> ExportOptions:
    constants: dict[str, Any] = {
        "mean": MEAN,
        "std": STD,
        "mc_samples": 8,
        "calibration": CalibrationOptions(detector="kde"),
    }
    return ExportOptions(None, (frames,), out, **constants | given)


def state(network: nn.Module) -> list[object]:
    """All that an export could leave changed."""
    layers = network.named_modules()
    return [
        [
            (name, type(layer), layer.training, len(layer._forward_hooks), "forward" in vars(layer))
            for name, layer in layers
        ],
        [(name, p.requires_grad, p.dtype, p.data_ptr(), p._version) for name, p in network.named_parameters()],
        [(name, b.data_ptr(), b._version, b.clone().tolist()) for name, b in network.named_buffers()],
        sorted(vars(network)),
    ]


def test_export_monitor_of_a_live_network_has_its_segmentation_and_leaves_it_as_it_was(
    tmp_path: Path, own_size_frames: Path
) -> None:
    torch.manual_seed(3)
    network = settled(Mine()).train()
    network.head.weight.requires_grad_(False)
    network.head.register_forward_hook(lambda *_: None)
    whole = nn.DataParallel(network)
    before = copy.deepcopy(state(network))
    manifest = export_monitor(options(own_size_frames, tmp_path / "m"), network=whole).manifest
    assert state(network) == before
    assert (manifest.name, manifest.config["ckpt"], manifest.config["output"]) == ("Mine", None, "out")
    network.eval()
    frame = np.array(FrameFiles((own_size_frames,))[7])
    images = torch.from_numpy(((frame / 255 - np.array(MEAN)) / np.array(STD)).transpose(2, 0, 1)[None]).float()
    with torch.no_grad(), OoDMonitor(tmp_path / "m") as monitor:
        wanted = network(images)["out"][0].argmax(0).numpy()
        assert np.mean(np.asarray(monitor.assess(frame).segmentation) != wanted) < 0.002


def test_live_checkpoint_of_a_compiled_half_network_is_a_copy_in_float32() -> None:
    network = settled(ColourClasses()).half()
    network.compile()
    taken = live_checkpoint(cast(nn.Module, torch.compile(network))).network
    assert type(taken) is ColourClasses
    assert {p.dtype for p in taken.parameters()} == {torch.float32}
    assert {p.dtype for p in network.parameters()} == {torch.float16}
    assert network._compiled_call_impl is not None


def test_live_checkpoint_of_what_cannot_be_copied_says_so() -> None:
    network = ColourClasses()
    network.scaled = network.head.weight * 2  # of autograd's graph: deepcopy refuses it
    with pytest.raises(
        CheckpointError, match=r"copy.deepcopy can copy, got RuntimeError: .* save network.state_dict\(\)"
    ):
        live_checkpoint(network)
    with pytest.raises(CheckpointError, match=r"expected an nn.Module as the network, got builtin_function_or_method"):
        live_checkpoint(NOT_A_NETWORK)


@pytest.mark.parametrize(
    ("given", "network", "message"),
    [
        ({}, None, "expected a checkpoint, got none"),
        ({"model": "a:B"}, ColourClasses(), "a checkpoint or a live network, got both"),
    ],
)
def test_export_monitor_of_no_network_or_of_two_is_refused(
    given: dict[str, Any], network: nn.Module | None, message: str, tmp_path: Path, own_size_frames: Path
) -> None:
    with pytest.raises(UsageError, match=message):
        export_monitor(options(own_size_frames, tmp_path / "m", **given), network=network)


class InBfloat16(ColourClasses):
    """Asks for fewer bits in its own forward."""

    @torch.autocast("cpu", dtype=torch.bfloat16)  # type: ignore[untyped-decorator]
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).float()


def test_export_monitor_of_a_network_with_autocast_exports_it_in_float32_and_says_so(
    tmp_path: Path, own_size_frames: Path
) -> None:
    network = settled(InBfloat16())
    plan = plan_export(options(own_size_frames, tmp_path / "bundle"), network=network)
    (finding,) = (finding for finding in plan.findings if finding.subject == "number format")
    assert (finding.value, "autocast" in finding.reason) == ("float32", True)
    result = export_monitor(options(own_size_frames, tmp_path / "bundle"), network=network)
    assert result.parity.latent_max_abs < 1e-3
    frame = np.array(FrameFiles((own_size_frames,))[3])
    x = torch.from_numpy(((frame / 255 - np.array(MEAN)) / np.array(STD)).transpose(2, 0, 1)[None]).float()
    with torch.no_grad(), OoDMonitor(tmp_path / "bundle") as monitor:
        wanted = ColourClasses.forward(network, x)[0].argmax(0).numpy()
        assert np.mean(np.asarray(monitor.assess(frame).segmentation) != wanted) < 0.002
