# SPDX-License-Identifier: Apache-2.0
"""Export one network of the zoo by its command, and look at what came out with plain ONNX Runtime."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from PIL import Image

from export.data.synthetic import SyntheticRoads
from tests.paths import ROOT
from tests.zoo.frame_cost import frame_cost
from tests.zoo.network import CLASSES, MEAN, STD, ZooNetwork

FRAMES = 32
NEAR_TIE = 1e-3
"""Difference between the two largest logits, whose deviation is about 3, below which either class is right."""
_FILES = Path(__file__).parent
_EXPECTED = re.compile(r"expected cost: ([\d.]+) of")


@dataclass(frozen=True, eq=False)
class ZooRun:
    """What the export of one network gave.

    Attributes:
        manifest: of the bundle.
        logits: ``(N, K, h, w)`` of the network itself, in evaluation mode, for the first N frames.
        segmentation: ``(N, h, w)`` class ids of ``monitor.onnx`` for the same frames.
        scores: ``(N,)`` of the same graph.
        expected_cost: operations of a monitored frame, as a multiple of the bare network's, as the export printed it.
        measured_cost: processor time of the fused graph, likewise; see :func:`tests.zoo.frame_cost.frame_cost`.
        megabytes: size of the bundle without ``monitor.onnx``.
    """

    manifest: Mapping[str, Any]
    logits: NDArray[np.float32]
    segmentation: NDArray[np.int64]
    scores: NDArray[np.float64]
    expected_cost: float
    measured_cost: float
    megabytes: float

    @property
    def tap(self) -> str:
        """The layer that is sampled."""
        return " + ".join(self.manifest["tap"]["layers"])

    @property
    def wrong_pixels(self) -> float:
        """Share of pixels with another class than the network's, near-ties not counted."""
        ranked = np.sort(self.logits, axis=1)
        clear = ranked[:, -1] - ranked[:, -2] > NEAR_TIE
        return float(np.mean((self.segmentation != self.logits.argmax(axis=1)) & clear))


def run_network(network: ZooNetwork, python: Path, folder: Path) -> ZooRun:
    """Make a network with random weights, export it by its one command, and run the fused graph.

    Args:
        network: of the zoo.
        python: interpreter of an environment that has the five libraries and what an export needs.
        folder: empty; the working directory of the command.

    Raises:
        AssertionError: a command failed; its last lines are the message.
    """
    frames = _frames(network.size, folder)
    if network.file is not None:
        shutil.copy(_FILES / "user_files" / network.file, folder)
    row = {"model": network.model, "arguments": dict(network.arguments), "classes": CLASSES, "mean": MEAN, "std": STD}
    files = ("frames.npy", "weights.pt", "reference.npz")
    _run([python, str(_FILES / "settle.py"), json.dumps(row), *files], folder, project="")
    printed = _run([python, "-m", "export", *network.words()], folder, project=str(ROOT))
    bundle = folder / "monitor"
    logits = np.load(folder / "reference.npz")["logits"]
    segmentation, scores = _fused(bundle / "monitor.onnx", frames[: len(logits)])
    return ZooRun(
        manifest=json.loads((bundle / "manifest.json").read_text()),
        logits=logits,
        segmentation=segmentation,
        scores=scores,
        expected_cost=_expected_cost(printed),
        measured_cost=frame_cost(bundle / "monitor.onnx", frames),
        megabytes=sum(file.stat().st_size for file in bundle.iterdir() if file.name != "monitor.onnx") / 1e6,
    )


def _frames(size: tuple[int, int], folder: Path) -> NDArray[np.uint8]:
    scenes = SyntheticRoads(FRAMES, *size, seed=1)
    frames = np.stack([scenes[i][0] for i in range(FRAMES)])
    (folder / "calibration").mkdir()
    for i, frame in enumerate(frames):
        Image.fromarray(frame).save(folder / "calibration" / f"{i:04d}.png")
    np.save(folder / "frames.npy", frames)
    return frames


def _run(command: list[str | Path], folder: Path, project: str) -> str:
    """Run a command in a folder; what it printed."""
    environment = os.environ | {"PYTHONPATH": project, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    printed = done.stdout + done.stderr
    (folder / "printed.txt").write_text(printed)
    assert done.returncode == 0, f"exit code {done.returncode}:\n{printed[-3000:]}"
    return printed


def _expected_cost(printed: str) -> float:
    found = _EXPECTED.search(printed)
    assert found, f"expected a line with {_EXPECTED.pattern}, got:\n{printed}"
    return float(found[1])


def _fused(graph: Path, frames: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Class ids and scores of ``monitor.onnx``, frame by frame."""
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    (source,) = session.get_inputs()
    found = [session.run(["segmentation", "score"], {source.name: frame[None]}) for frame in frames]
    maps = np.concatenate([np.asarray(segmentation) for segmentation, _ in found])
    scores = np.concatenate([np.asarray(score).reshape(-1) for _, score in found])
    return maps.astype(np.int64), scores.astype(np.float64)
