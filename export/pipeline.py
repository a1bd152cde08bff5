# SPDX-License-Identifier: Apache-2.0
"""The offline stage from end to end: checkpoint -> tap -> graph -> entropy -> detector -> calibration -> parity -> bundle."""

import datetime as dt
import json
import platform
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import torch
from numpy.typing import NDArray
from onnx import ModelProto

from export.bundle import check_destination, sha256, whole_or_nothing, write_manifest
from export.calibration import Calibration, calibrate, check_frame_count
from export.card import model_card
from export.checkpoint import Checkpoint, load_checkpoint
from export.data.frames import FrameFiles
from export.detector_graph import OPSET, detector_graph, entropy_graph, score_graph
from export.entropy import MIN_DIST, check_neighbors
from export.errors import UsageError
from export.models import DeepLabV3PlusModule
from export.options import ExportOptions
from export.parity import Parity, Reference, check_parity, measure_parity
from export.preprocessing import Preprocessing
from export.probe import check_logits, run_once
from export.reference import sample_passes
from export.segmentation_graph import MonitoredNetwork, segmentation_graph
from export.split import Sampler, build_sampler
from export.stochastic import is_drop_block, recognise
from export.tap import resolve_taps
from lsood_runtime import SCHEMA, Manifest, __version__

__all__ = ["ExportOptions", "ExportResult", "Progress", "export_monitor"]

PARITY_FRAMES = 8
GOLDEN_FRAMES = 3
GOLDEN_TOLERANCE = {"cpu": 0.02, "gpu": 0.2}

Progress = Callable[[Iterable[NDArray[np.uint8]], str, int], Iterable[NDArray[np.uint8]]]


@dataclass(frozen=True)
class ExportResult:
    """What was written: the bundle's manifest, and how closely its graphs follow PyTorch."""

    manifest: Manifest
    parity: Parity


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
    checkpoint = load_checkpoint(options.ckpt, options.model, options.model_args, trust=options.trust_checkpoint)
    frames = FrameFiles(options.frames)
    check_frame_count(len(frames), options.false_alarm_rate)
    preprocessing = _preprocessing(options, checkpoint, frames)
    drop_prob, block_size = _drop_block(options, checkpoint)

    say("sampling the tap and converting to ONNX")
    example = preprocessing(torch.from_numpy(np.array(frames[0]))[None])
    taps = resolve_taps(checkpoint.network, options.tap)
    logits = check_logits(run_once(checkpoint.network, example), options.segmentation)
    sampler = build_sampler(
        checkpoint.network,
        example,
        taps,
        mc_samples=options.mc_samples,
        seed=options.seed,
        drop_prob=drop_prob,
        block_size=block_size,
        with_output=logits is not None,
        force=options.force,
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
    golden = [
        frames[int(i)]
        for i in calibration.held_out[np.linspace(0, len(calibration.held_out) - 1, GOLDEN_FRAMES, dtype=int)]
    ]
    facts = _facts(options, checkpoint, preprocessing, sampler, logits, calibration, parity, frames)
    with whole_or_nothing(options.out) as folder:
        np.savez_compressed(
            folder / "golden.npz", frames=np.stack(golden), scores=_scores(session, detector_session, golden)
        )
        manifest = _write(folder, facts, {"segmentation.onnx": graph, "detector.onnx": detector})
    return ExportResult(manifest, parity)


def _preprocessing(options: ExportOptions, checkpoint: Checkpoint, frames: FrameFiles) -> Preprocessing:
    known = checkpoint.hyper_parameters
    mean, std = options.mean or known.get("mean"), options.std or known.get("std")
    if mean is None or std is None:
        raise UsageError(
            "expected --mean and --std, the checkpoint does not say how its frames were normalised "
            "(the guide: 0.287 0.325 0.284 and 0.187 0.190 0.187 on Cityscapes, ImageNet's on WoodScape)"
        )
    height, width = options.input_size or known.get("input_size") or frames.shape[:2]
    if min(height, width) < 1:
        raise UsageError(f"expected --input-size of at least 1 x 1, got {height} x {width}")
    try:
        return Preprocessing(height, width, mean, std)
    except ValueError as error:
        raise UsageError(f"{error}: check --mean and --std") from error


def _drop_block(options: ExportOptions, checkpoint: Checkpoint) -> tuple[float | None, int | None]:
    """DropBlock's constants by flags; None and None where the network's own layers have theirs.

    One flag alone is completed from the network's DropBlock layers. The constants of a guide's network stood in the code
    that trained it, so that its checkpoint cannot tell them, and what its layers carry here means nothing.
    """
    given = {"drop_prob": options.drop_prob, "block_size": options.block_size}
    unknown = [name for name in given if name not in checkpoint.hyper_parameters and given[name] is None]
    if unknown and isinstance(checkpoint.network, DeepLabV3PlusModule):
        raise UsageError(
            "expected --drop-prob and --block-size, the checkpoint does not carry DropBlock's constants "
            "(the guide's code had 0.5 and 8 in 2024, 0.2 and 12 in 2023: look into the code that trained it)"
        )
    drop_prob, block_size = options.drop_prob, options.block_size
    if drop_prob is None and block_size is None:
        return None, None
    own = {recognise(module) for module in checkpoint.network.modules() if is_drop_block(module)} - {None}
    if drop_prob is None or block_size is None:
        if len(own) != 1:
            raise UsageError("expected --drop-prob and --block-size, got one of them: give both or neither")
        (constants,) = own
        assert constants is not None
        drop_prob = constants.drop_prob if drop_prob is None else drop_prob
        block_size = constants.block_size if block_size is None else block_size
    if not 0 < drop_prob < 1 or block_size is None or block_size < 1:
        raise UsageError(
            f"expected --drop-prob in (0, 1) and --block-size of at least 1, got {drop_prob} and {block_size}"
        )
    return drop_prob, block_size


def _session(model: ModelProto) -> ort.InferenceSession:
    return ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def _latent_samples(
    segmentation: ort.InferenceSession, frames: Iterable[NDArray[np.uint8]]
) -> Iterator[NDArray[np.float32]]:
    """Latent samples as the vehicle will compute them: by the graph itself, one frame at a time."""
    for frame in frames:
        yield segmentation.run(["latent_samples"], {"frame": frame[None]})[0]


def _entropies(
    segmentation: ort.InferenceSession, entropy: ort.InferenceSession, frames: Iterable[NDArray[np.uint8]]
) -> NDArray[np.float64]:
    samples = _latent_samples(segmentation, frames)
    return np.concatenate([entropy.run(["entropy"], {"latent_samples": s})[0] for s in samples]).astype(np.float64)


def _scores(
    segmentation: ort.InferenceSession, detector: ort.InferenceSession, frames: Iterable[NDArray[np.uint8]]
) -> NDArray[np.float64]:
    samples = _latent_samples(segmentation, frames)
    return np.concatenate([detector.run(["score"], {"latent_samples": s})[0] for s in samples])


def _facts(
    options: ExportOptions,
    checkpoint: Checkpoint,
    preprocessing: Preprocessing,
    sampler: Sampler,
    logits: tuple[int, int, int] | None,
    calibration: Calibration,
    parity: Parity,
    frames: FrameFiles,
) -> dict[str, Any]:
    """The manifest but for the records of its files."""
    sites = sampler.describe()
    classes, height, width = logits or (None, None, None)
    spread = max(calibration.spread, 1e-3)
    return {
        "schema": SCHEMA,
        "name": type(checkpoint.network).__name__,
        "created": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "input": {
            "channels": preprocessing.channels,
            "frame_height": frames.shape[0],
            "frame_width": frames.shape[1],
            "network_height": preprocessing.height,
            "network_width": preprocessing.width,
            "resize": "bilinear-antialias",
            "mean": list(preprocessing.mean),
            "std": list(preprocessing.std),
        },
        "segmentation": {
            "kind": options.segmentation,
            "num_classes": classes,
            "height": height,
            "width": width,
        },
        "tap": {"layers": list(sampler.taps), "channels": sampler.channels},
        "masks": {
            "mode": sampler.mode,
            "count": sampler.samples,
            "seed": options.seed,
            "drop_prob": sites[0]["drop_prob"],
            "block_size": sites[0]["block_size"],
            "sha256": sampler.sha256,
        },
        "entropy": {"neighbors": options.neighbors, "min_dist": MIN_DIST},
        "detector": {
            "kind": "kde",
            "bandwidth": calibration.density.bandwidth_,
            "bandwidth_rule": "highest likelihood of held-out contiguous blocks, 5 folds",
            "pca_components": options.pca,
            "fit_frames": len(calibration.density.points_),
        },
        "threshold": {
            "value": calibration.threshold,
            "false_alarm_rate": calibration.false_alarm_rate,
            "rule": "split-conformal order statistic of the held-out frames' scores",
        },
        "calibration": {
            "scores": calibration.scores.tolist(),
            "source": f"{len(calibration.scores)} of {len(frames)} frames, blocks 3 and 7 of 8 in the order of recording",
        },
        "parity": asdict(parity),
        "golden": {"tolerance": {provider: share * spread for provider, share in GOLDEN_TOLERANCE.items()}},
        "versions": {
            "lsood_runtime": __version__,
            "python": platform.python_version(),
            "opset": OPSET,
            **{name: version(name) for name in ("torch", "onnx", "onnxruntime", "onnxscript", "numpy", "scikit-learn")},
        },
        "config": options.asdict() | {"sites": sites},
    }


def _write(folder: Path, facts: dict[str, Any], graphs: dict[str, ModelProto]) -> Manifest:
    """Graphs, card and manifest; each graph carries the manifest too, but for the digests that it would change itself."""
    for name, graph in graphs.items():
        onnx.helper.set_model_props(graph, {"lsood_manifest": json.dumps(facts, allow_nan=False)})
        (folder / name).write_bytes(graph.SerializeToString())
    (folder / "README.md").write_text(model_card(facts))
    files = {path.name: {"sha256": sha256(path), "bytes": path.stat().st_size} for path in sorted(folder.iterdir())}
    manifest = Manifest.from_json(json.dumps(facts | {"files": files}, allow_nan=False))
    write_manifest(folder, manifest)
    return manifest
