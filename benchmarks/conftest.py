# SPDX-License-Identifier: Apache-2.0
"""Networks with random weights (speed does not depend on them), and the table of ratios at the end of a run."""

import platform
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
import torch
from numpy.typing import NDArray

from export.calibration_options import CalibrationOptions
from export.detector_graph import detector_graph, entropy_graph, score_graph
from export.detector_pipeline import fit_detector
from export.models import DeepLabV3PlusModule
from export.pipeline import ExportOptions, export_monitor
from export.preprocessing import Preprocessing
from export.segmentation_graph import BareNetwork, MonitoredNetwork, segmentation_graph
from export.split import build_sampler
from lsood_runtime._providers import session_options
from tests.conftest import save_checkpoint, write_scenes

NEIGHBORS, FIT_FRAMES, SCENES = 5, 1000, 60
ratios = pytest.StashKey[list[str]]()


@dataclass(frozen=True)
class Pair:
    """The same network with and without the monitor, in sessions of one configuration.

    Attributes:
        frame: ``(1, H, W, 3)`` uint8.
    """

    alone_session: ort.InferenceSession
    network_session: ort.InferenceSession
    detector_session: ort.InferenceSession
    frame: NDArray[np.uint8]

    def alone(self) -> None:
        """Segment the frame."""
        self.alone_session.run(None, {"frame": self.frame})

    def monitored(self) -> None:
        """Segment and score the frame, with what `OoDMonitor` runs."""
        _, latent_samples = self.network_session.run(["segmentation", "latent_samples"], {"frame": self.frame})
        self.detector_session.run(["score"], {"latent_samples": latent_samples})


def make_pair(backbone: str, height: int, width: int, samples: int) -> Pair:
    """Export a network both ways; the density holds ``FIT_FRAMES`` random points."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    network = DeepLabV3PlusModule(backbone, n_class=19).eval().requires_grad_(False)
    preprocessing = Preprocessing(height, width, network.hparams["mean"], network.hparams["std"])
    sampler = build_sampler(
        network, torch.zeros(1, 3, height, width), ("deeplab_v3plus_model.drop_block1",), mc_samples=samples
    )
    detector = fit_detector("kde", rng.normal(size=(FIT_FRAMES, sampler.channels)))
    graphs = (
        segmentation_graph(BareNetwork(preprocessing, network), height, width),
        segmentation_graph(MonitoredNetwork(preprocessing, sampler.module), height, width),
        detector_graph(entropy_graph(samples, sampler.channels, NEIGHBORS), score_graph(detector, sampler.channels)),
    )
    alone, monitored, scored = (
        ort.InferenceSession(graph.SerializeToString(), session_options(), providers=["CPUExecutionProvider"])
        for graph in graphs
    )
    return Pair(alone, monitored, scored, rng.integers(0, 256, (1, height, width, 3), np.uint8))


def write_bundle(out: Path, backbone: str, height: int, width: int, samples: int) -> Path:
    """Export a network with random weights, calibrated on drawn scenes."""
    torch.manual_seed(0)
    network = DeepLabV3PlusModule(backbone, n_class=19, drop_prob=0.5, block_size=4, input_size=(height, width))
    checkpoint = save_checkpoint(network, out.with_suffix(".ckpt"))
    frames = write_scenes(out.with_name("scenes"), SCENES, seed=1, size=(height, width))
    rates = CalibrationOptions(rates={"10%": 0.1})
    export_monitor(ExportOptions(ckpt=checkpoint, frames=(frames,), out=out, mc_samples=samples, calibration=rates))
    return out


def pytest_configure(config: pytest.Config) -> None:
    config.stash[ratios] = []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if config.stash[ratios]:
        terminalreporter.section("ratios, pair by pair")
        terminalreporter.write_line(f"{platform.processor() or platform.machine()}, onnxruntime {ort.__version__}, CPU")
        for line in config.stash[ratios]:
            terminalreporter.write_line(line)
