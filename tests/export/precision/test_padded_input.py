# SPDX-License-Identifier: Apache-2.0
"""Fewer bits, and a new detector, leave a padded input and an input of one channel what they are in float32."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from onnx import ModelProto
from torch import Tensor, nn

from export.cli.calibrate import main as calibrate
from export.cli.export import main
from export.frames.files import FrameFiles
from export.graphs.monitor_forms import cpu_session, run_graph
from export.graphs.segmentation import BareNetwork, segmentation_graph
from export.layers.preprocessing import Preprocessing
from export.precision.float16 import to_float16
from export.precision.int8 import Quantiser
from export.precision.options import FLOAT16, FLOAT32, INT8, INT8_TENSORRT
from lsood_runtime import OoDMonitor, read_manifest
from tests.conftest import made_once, write_scenes
from tests.networks import NoDropout, block, settled

MULTIPLE, SIZE = 32, (38, 74)
MEAN, STD = {1: (0.46,), 3: (0.46, 0.45, 0.44)}, {1: (0.25,), 3: (0.25, 0.24, 0.26)}
WITHIN = {FLOAT32: 1e-4, FLOAT16: 0.01, INT8: 0.1, INT8_TENSORRT: 0.1}
"""Largest difference of a logit, as a share of the greatest one."""


class PaddedAlone(NoDropout):
    """Takes multiples of 32 alone, in one channel or three, and gives logits at a quarter of them."""

    def __init__(self, in_channels: int = 3) -> None:
        super().__init__()
        self.encoder = nn.Sequential(block(in_channels, 6, stride=2), block(6, 8, stride=2))

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[-2] % MULTIPLE or x.shape[-1] % MULTIPLE:
            raise RuntimeError(f"expected multiples of {MULTIPLE}, got {tuple(x.shape[-2:])}: pad the frames")
        logits: Tensor = self.head(self.encoder(x))
        return logits


def network(channels: int) -> nn.Module:
    torch.manual_seed(5)
    return settled(PaddedAlone(channels))


def logits_by_hand(frame: NDArray[np.uint8], channels: int, filling: float = 0.0) -> NDArray[np.float32]:
    """Logits of the cells that begin within the frame: the network on what NumPy makes of the frame in float64."""
    pixels = (frame @ np.array([0.299, 0.587, 0.114]))[..., None] if channels == 1 else frame
    rows, columns = frame.shape[:2]
    padded = [math.ceil(length / MULTIPLE) * MULTIPLE for length in (rows, columns)]
    laid = np.full((*padded, channels), filling)
    laid[:rows, :columns] = (pixels / 255 - np.array(MEAN[channels])) / np.array(STD[channels])
    with torch.no_grad():
        logits: Tensor = network(channels)(torch.from_numpy(laid.transpose(2, 0, 1)[None]).float())
    return logits[0, :, : math.ceil(rows / 4), : math.ceil(columns / 4)].numpy()


def check(got: NDArray[np.float32], frame: NDArray[np.uint8], channels: int, precision: str) -> None:
    right, others = (logits_by_hand(frame, channels, filling) for filling in (0.0, 30.0))
    allowed = WITHIN[precision] * np.abs(right).max()
    assert got.shape == right.shape == (5, 10, 19)
    assert np.abs(got - right).max() < allowed
    assert np.abs(others - right).max() > 2 * allowed, "what is laid around the frame can be seen"


REDUCED: dict[str, Callable[[ModelProto, list[NDArray[np.uint8]]], ModelProto]] = {
    FLOAT16: lambda graph, _: to_float16(graph),
    INT8: lambda graph, frames: Quantiser(graph, INT8, ((frame[None], ()) for frame in frames))(),
    INT8_TENSORRT: lambda graph, frames: Quantiser(graph, INT8_TENSORRT, ((frame[None], ()) for frame in frames))(),
}


def test_reduced_graph_of_a_padded_input_of_one_channel_equals_numpy_and_torch() -> None:
    preprocessing = Preprocessing(*SIZE, MEAN[1], STD[1], network_channels="grey", pad=(26, 22))
    graph = segmentation_graph(BareNetwork(preprocessing, network(1), "logits"), *SIZE)
    rng = np.random.default_rng(0)
    frames = [rng.integers(0, 256, (*SIZE, 3), np.uint8) for _ in range(4)]
    for precision, reduce in REDUCED.items():
        session = cpu_session(reduce(graph, frames[:3]))
        check(run_graph(session, frames[3][None], ())["segmentation"][0], frames[3], 1, precision)


@pytest.fixture(scope="module")
def odd_drives(shared_folder: Path) -> tuple[Path, Path]:
    """Frames of a size that the network does not take: for an export, and for a calibration after it."""

    def made(name: str, count: int, seed: int) -> Path:
        return made_once(
            shared_folder / "frames" / name, lambda folder: write_scenes(folder, count, seed=seed, size=SIZE)
        )

    return made("odd", 60, 4), made("odd-later", 40, 9)


@pytest.mark.slow
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("precision", WITHIN)
def test_bundle_of_a_padded_input_in_each_precision_calibrated_anew_segments_and_scores_as_float32(
    precision: str, channels: int, odd_drives: tuple[Path, Path], tmp_path: Path
) -> None:
    torch.save(network(channels).state_dict(), tmp_path / "network.pt")
    constants = [
        "--mean",
        *map(str, MEAN[channels] * (3 // channels)),
        "--std",
        *map(str, STD[channels] * (3 // channels)),
    ]
    words = [
        "--ckpt",
        tmp_path / "network.pt",
        "--model",
        f"{__name__}:PaddedAlone",
        "--frames",
        odd_drives[0],
        *constants,
    ]
    words += [
        "--model-arg",
        f"in_channels={channels}",
        "--pad",
        MULTIPLE,
        "--segmentation",
        "logits",
        "--mc-samples",
        8,
    ]
    words += ["--tap", "encoder", "--drop-prob", 0.3, "--block-size", 2, "--false-alarm-rate", 0.1]
    words += [
        "--max-flips",
        0.3,
        "--max-auroc-loss",
        0.2,
        "--max-pixel-changes",
        0.3,
    ]  # random weights decide by a hair
    again = ["--frames", odd_drives[1], "--false-alarm-rate", 0.1]
    for kind in dict.fromkeys((FLOAT32, precision)):
        out = tmp_path / kind
        assert main([*map(str, words), "--precision", kind, "--out", str(out)]) == 0
        assert calibrate([str(out), *map(str, again), "--out", str(tmp_path / f"{kind}-new")]) == 0
    frames = [frame[:, ::-1] for frame in FrameFiles([odd_drives[1]])][:10]
    for suffix in ("", "-new"):
        manifest = read_manifest(tmp_path / f"{precision}{suffix}")
        assert (manifest.input.pad, manifest.precision.kind) == ((26, 22), precision)
        assert manifest.input.network_channels == {1: "grey", 3: "rgb"}[channels]
        scores = []
        for kind in (precision, FLOAT32):
            with OoDMonitor(tmp_path / f"{kind}{suffix}") as monitor:  # replays the golden frames
                verdicts = [monitor.assess(frame) for frame in frames]
                scores.append([verdict.score for verdict in verdicts])
            for frame, verdict in zip(frames, verdicts, strict=True):
                check(np.asarray(verdict.segmentation), frame, channels, kind)
        reduced, whole = map(np.array, scores)
        assert np.abs(reduced - whole).max() < 0.5 * np.ptp(whole)
