# SPDX-License-Identifier: Apache-2.0
"""What a bundle says of itself."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from export.bundle.golden import golden_tolerance
from export.bundle.versions import versions
from export.calibration.calibrate import Calibration
from export.detectors.entropy import MIN_DIST
from export.frames.files import FrameFiles
from lsood_runtime import SCHEMA
from lsood_runtime._bundle.manifest import Precision

if TYPE_CHECKING:  # recalibration does without torch
    from export.bundle.parity import Parity
    from export.checkpoint.load import Checkpoint
    from export.layers.preprocessing import Preprocessing
    from export.pipeline.options import ExportOptions
    from export.precision.reduce import Reduction
    from export.sampling.sampler import Sampler


def bundle_facts(
    options: ExportOptions,
    checkpoint: Checkpoint,
    preprocessing: Preprocessing,
    sampler: Sampler,
    logits: tuple[int, int, int] | None,
    calibration: Calibration,
    parity: Parity,
    reduction: Reduction | None,
    frames: FrameFiles,
    chance: float,
    network_sha256: str,
) -> dict[str, Any]:
    """The manifest but for its evaluation and the records of its files."""
    sites = sampler.describe()
    classes, height, width = logits or (None, None, None)
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
        **calibration.facts(),
        "parity": asdict(parity),
        "precision": _precision(options, reduction),
        "golden": {"tolerance": golden_tolerance(calibration.spread, chance)},
        "network_sha256": network_sha256,
        "versions": {"torch": version("torch"), "onnxscript": version("onnxscript"), **versions()},
        "config": options.asdict() | {"sites": sites},
    }


def _precision(options: ExportOptions, reduction: Reduction | None) -> dict[str, Any]:
    kind = options.precision.kind
    if reduction is None:
        return asdict(Precision(kind))
    return asdict(Precision(kind, reduction.float_layers, **asdict(reduction.loss)))
