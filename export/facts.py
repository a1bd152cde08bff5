# SPDX-License-Identifier: Apache-2.0
"""What a bundle says of itself, and the files that say it."""

import datetime as dt
import json
import platform
from collections.abc import Callable
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto

from export.bundle import sha256, write_manifest
from export.calibration import Calibration
from export.card import model_card
from export.checkpoint import Checkpoint
from export.detector_graph import OPSET
from export.entropy import MIN_DIST
from export.forms import Form
from export.frames import FrameFiles
from export.fused_graph import WEIGHTS, share_weights
from export.noise import Noise
from export.options import ExportOptions
from export.parity import Parity
from export.preprocessing import Preprocessing
from export.split import Sampler
from lsood_runtime import SCHEMA, Manifest, __version__

GOLDEN_TOLERANCE = {"cpu": 0.02, "gpu": 0.2}
"""Shares of the interquartile range of the held-out scores."""
GOLDEN_DRAWS, GOLDEN_DEVIATIONS = 16, 10
"""Fresh masks: how often a golden frame is scored, and how many standard deviations of that a later score may be away."""


def golden_frames(
    form: Form, frames: NDArray[np.uint8], draw: Callable[[], Noise], draws: int
) -> tuple[dict[str, Any], float]:
    """Golden frames with their scores and noise, and how far chance alone moves a score, nats."""
    scores, noises = [], []
    for frame in frames:
        noise = draw()
        scores.append([float(form(frame[None], noise)["score"][0]) for _ in range(draws)])
        noises.append(noise)
    arrays: dict[str, Any] = {
        f"noise_{i}": np.concatenate(values) for i, values in enumerate(zip(*noises, strict=True))
    }
    arrays |= {"frames": frames, "scores": np.mean(scores, axis=1)}
    return arrays, float(np.std(scores, axis=1).max())


def bundle_facts(
    options: ExportOptions,
    checkpoint: Checkpoint,
    preprocessing: Preprocessing,
    sampler: Sampler,
    logits: tuple[int, int, int] | None,
    calibration: Calibration,
    parity: Parity,
    frames: FrameFiles,
    chance: float,
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
            "crop": options.crop,
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
            "noise": [list(site.noise_shape) for site in sampler.sites] if sampler.mode == "input" else [],
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
        "golden": {
            "tolerance": {
                provider: share * spread + GOLDEN_DEVIATIONS * chance for provider, share in GOLDEN_TOLERANCE.items()
            }
        },
        "versions": {
            "lsood_runtime": __version__,
            "python": platform.python_version(),
            "opset": OPSET,
            **{name: version(name) for name in ("torch", "onnx", "onnxruntime", "onnxscript", "numpy", "scikit-learn")},
        },
        "config": options.asdict() | {"sites": sites},
    }


def write_bundle(folder: Path, facts: dict[str, Any], graphs: dict[str, ModelProto]) -> Manifest:
    """Graphs, card and manifest; each graph carries the manifest too, but for the digests that it would change itself.

    Several graphs hold the network: its weights lie in one file beside them.
    """
    with (folder / WEIGHTS).open("wb") as file:
        share_weights(graphs.values(), file)
    for name, graph in graphs.items():
        onnx.helper.set_model_props(graph, {"lsood_manifest": json.dumps(facts, allow_nan=False)})
        (folder / name).write_bytes(graph.SerializeToString())
    (folder / "README.md").write_text(model_card(facts))
    files = {path.name: {"sha256": sha256(path), "bytes": path.stat().st_size} for path in sorted(folder.iterdir())}
    manifest = Manifest.from_json(json.dumps(facts | {"files": files}, allow_nan=False))
    write_manifest(folder, manifest)
    return manifest
