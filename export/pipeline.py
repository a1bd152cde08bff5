# SPDX-License-Identifier: Apache-2.0
"""The offline stage from end to end: checkpoint -> tap -> graph -> entropy -> detector -> calibration -> parity -> bundle."""

import datetime as dt
import platform
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import torch
from numpy.typing import NDArray
from onnx import ModelProto

import lsood_runtime
from export.bundle import check_destination, sha256, whole_or_nothing, write_manifest
from export.calibration import Calibration, calibrate
from export.card import model_card
from export.checkpoint import Checkpoint, load_checkpoint
from export.data.frames import FrameFiles
from export.detector_graph import OPSET, detector_graph, entropy_graph, score_graph
from export.entropy import DEFAULT_NEIGHBORS, MIN_DIST, check_neighbors
from export.errors import UsageError
from export.parity import Parity, Reference, check_parity, measure_parity
from export.preprocessing import Preprocessing
from export.reference import sample_passes
from export.segmentation_graph import MonitoredNetwork, segmentation_graph
from export.split import Sampler, build_sampler
from export.tap import resolve_taps

PARITY_FRAMES = 8
GOLDEN_FRAMES = 3
GOLDEN_TOLERANCE = {"cpu": 0.02, "gpu": 0.2}

Progress = Callable[[Iterable[NDArray[np.uint8]], str, int], Iterable[NDArray[np.uint8]]]


@dataclass(frozen=True)
class ExportOptions:
    """What a user may ask of an export; None means: as the checkpoint says.

    Attributes:
        ckpt: the Lightning checkpoint.
        frames: in-distribution frames: folders and files, in the order of recording.
        out: the bundle's folder.
        input_size: ``(height, width)`` of the network's input.
        mc_samples: S, Monte-Carlo samples a frame.
        seed: of the mask bank and the PCA.
        neighbors: k of the entropy estimate, below S.
        drop_prob: DropBlock's p.
        block_size: DropBlock's b.
        mean: RGB mean of the frames in [0, 1].
        std: RGB standard deviation.
        pca: components that the density sees; None for the entropies themselves.
        false_alarm_rate: share of in-distribution frames that may be flagged.
        segmentation: ``classes``, ``logits`` or ``none``.
        overwrite: replace an existing bundle.
    """

    ckpt: Path
    frames: tuple[Path, ...]
    out: Path
    input_size: tuple[int, int] | None = None
    mc_samples: int = 16
    seed: int = 0
    neighbors: int = DEFAULT_NEIGHBORS
    drop_prob: float | None = None
    block_size: int | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    pca: int | None = None
    false_alarm_rate: float = 0.05
    segmentation: str = "classes"
    overwrite: bool = False

    def asdict(self) -> dict[str, Any]:
        """JSON-ready form for the manifest."""
        return {
            name: [str(p) for p in value] if name == "frames" else str(value) if isinstance(value, Path) else value
            for name, value in self.__dict__.items()
        }


@dataclass
class ExportResult:
    """The bundle's manifest and figures for the summary."""

    manifest: lsood_runtime.Manifest
    calibration: Calibration
    parity: Parity
    seconds: dict[str, float] = field(default_factory=dict)


def _without_progress(items: Iterable[NDArray[np.uint8]], _: str, __: int) -> Iterable[NDArray[np.uint8]]:
    return items


def export_monitor(
    options: ExportOptions,
    say: Callable[[str], None] = lambda _: None,
    progress: Progress = _without_progress,
) -> ExportResult:
    """Turn a checkpoint into a bundle at ``options.out``.

    Args:
        options: what to export.
        say: told each stage as it begins.
        progress: wraps a loop over frames, given what it does and how many there are.

    Raises:
        ExportError: one of its classes for each cause; nothing is written then.
    """
    check_destination(options.out, options.overwrite)
    try:
        check_neighbors(options.mc_samples, options.neighbors)
    except ValueError as error:
        raise UsageError(f"{error}: raise --mc-samples or lower --neighbors") from error
    say(f"reading {options.ckpt}")
    checkpoint = load_checkpoint(options.ckpt)
    frames = FrameFiles(options.frames)
    preprocessing = _preprocessing(options, checkpoint, frames)
    drop_prob, block_size = _drop_block(options, checkpoint)

    say("sampling the tap and converting to ONNX")
    example = preprocessing(torch.from_numpy(np.array(frames[0]))[None])
    taps = resolve_taps(checkpoint.network, None)
    sampler = build_sampler(
        checkpoint.network,
        example,
        taps,
        mc_samples=options.mc_samples,
        seed=options.seed,
        drop_prob=drop_prob,
        block_size=block_size,
        with_output=options.segmentation != "none",
    )
    network = MonitoredNetwork(preprocessing, sampler.module, options.segmentation)
    height, width = frames.shape[:2]
    graph = segmentation_graph(network, height, width)
    entropy = entropy_graph(options.mc_samples, sampler.channels, options.neighbors)

    session = _session(graph)
    entropies = _entropies(session, _session(entropy), progress(frames, "calibrating", len(frames)))
    say("fitting the density")
    calibration = calibrate(entropies, options.false_alarm_rate, options.pca, options.seed)
    detector = detector_graph(entropy, score_graph(calibration.detector, sampler.channels))
    detector_session = _session(detector)

    spread_over_drive = np.linspace(0, len(frames) - 1, min(PARITY_FRAMES, len(frames))).round().astype(int)
    reference = Reference(
        preprocessing,
        checkpoint.network,
        lambda images: sample_passes(checkpoint.network, images, sampler),
        calibration.detector,
        options.neighbors,
        options.segmentation,
    )
    chosen = progress((frames[int(i)] for i in spread_over_drive), "comparing with PyTorch", len(spread_over_drive))
    parity = measure_parity(reference, session, detector_session, chosen)
    check_parity(parity, options.segmentation, calibration.spread)

    say(f"writing {options.out}")
    golden = [frames[int(i)] for i in calibration.held_out[np.linspace(0, len(calibration.held_out) - 1, GOLDEN_FRAMES, dtype=int)]]
    manifest = _manifest(options, checkpoint, preprocessing, sampler, calibration, parity, frames)
    with whole_or_nothing(options.out) as folder:
        manifest = _write(folder, manifest, graph, detector, golden, _scores(session, detector_session, golden))
    return ExportResult(manifest, calibration, parity)
