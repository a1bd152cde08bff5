# SPDX-License-Identifier: Apache-2.0
"""A toy bundle that answers beside the score, with arithmetic that fits on a page, and the same arithmetic in NumPy.

Of the means of the three channels over the samples: the causes are a softmax of eight times them, and their mean is the
expected quality, a fifth of the severity, and by its distance from a half the novelty. The upper row of tiles has the means,
the lower one half of them, and so has the anomaly map. The softmax is the share of the cells of each class as well, and their
mean the confidence of every class.
"""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.parser
from numpy.typing import NDArray

from tests.lsood_runtime.conftest import (
    CENTRE,
    HEIGHT,
    MASKS,
    SAMPLES,
    SCORE_STEPS,
    WIDTH,
    random_frames,
    score_by_hand,
    seal,
    segmentation_graph,
    toy_manifest,
)

KINDS = ("fog", "noise")
TILE_LIMIT, NEIGHBOR_LIMIT = 0.6, 0.45
OBJECT_LIMIT, SMALLEST_OBJECT = 0.6, 2
NOVELTY_LIMIT, SET_THRESHOLD, AT_MOST = 1.5, 0.3, 0.375

_ANSWERS = {
    "quality": (
        "double[batch, 3] quality",
        "low = Mul(level, three_quarters)\nhigh = Add(low, quarter)\nquality = Concat<axis = 1>(level, low, high)",
    ),
    "causes": ("double[batch, 3] causes", "logits = Mul(means, eight)\ncauses = Softmax<axis = 1>(logits)"),
    "severity": ("double[batch] severity", "severe = Mul(level, five)\nseverity = Squeeze(severe, samples)"),
    "tiles": (
        "double[batch, 2, 3] tiles",
        "halves = Mul(means, half)\nrows = Concat<axis = 1>(means, halves)\ntiles = Reshape(rows, grid)",
    ),
    "anomaly_map": (
        "float[batch, 2, 3] anomaly_map",
        "half_means = Mul(means, half)\nboth_rows = Concat<axis = 1>(means, half_means)\n"
        "exact_map = Reshape(both_rows, grid)\nanomaly_map = Cast<to = 1>(exact_map)",
    ),
    "class_confidence": (
        "double[batch, 2, 3] class_confidence",
        "own_logits = Mul(means, eight)\nown_shares = Softmax<axis = 1>(own_logits)\nown_sums = Mul(own_shares, level)\n"
        "share_row = Unsqueeze(own_shares, samples)\nsum_row = Unsqueeze(own_sums, samples)\n"
        "class_confidence = Concat<axis = 1>(share_row, sum_row)",
    ),
    "novelty": (
        "double[batch] novelty",
        "apart = Sub(level, half)\nfar = Abs(apart)\nfarther = Mul(far, ten)\nnovelty = Squeeze(farther, samples)",
    ),
}


def answers_graph(outputs: tuple[str, ...] = ("quality", "causes", "severity", "novelty"), scale: float = 1.0) -> bytes:
    """Latent samples to entropy, score and some of the answers, whose level is multiplied by ``scale``."""
    given = ", ".join(["float[batch, 3] entropy", "double[batch] score", *(_ANSWERS[name][0] for name in outputs)])
    steps = "\n".join(_ANSWERS[name][1] for name in outputs)
    model = onnx.parser.parse_model(
        f"""<ir_version: 10, opset_import: ["": 20]>
        toy (float[batch, {SAMPLES}, 3] latent_samples) => ({given}) {{
            {SCORE_STEPS}
            exact_samples = Cast<to = 11>(latent_samples)
            means = ReduceMean<keepdims = 0>(exact_samples, samples)
            plain_level = ReduceMean<keepdims = 1>(means, samples)
            level = Mul(plain_level, scale)
            {steps}
        }}"""
    )
    constants: dict[str, Any] = {
        "samples": np.array([1]), "both": np.array([1, 2]), "centre": np.array(CENTRE), "scale": np.array(scale),
        "three_quarters": np.array(0.75), "quarter": np.array(0.25), "eight": np.array(8.0), "five": np.array(5.0),
        "half": np.array(0.5), "ten": np.array(10.0), "grid": np.array([-1, 2, 3]),
    }  # fmt: skip
    model.graph.initializer.extend(onnx.numpy_helper.from_array(array, name) for name, array in constants.items())
    onnx.checker.check_model(model, full_check=True)
    contents: bytes = model.SerializeToString()
    return contents


def answers_by_hand(frame: NDArray[np.uint8]) -> dict[str, NDArray[np.float64]]:
    """What the graph gives for a frame, by name."""
    means = (MASKS.astype(np.float64) @ (frame.reshape(-1, 3) / 255)).mean(axis=0)
    level, powers = means.mean(), np.exp(8 * means)
    return {
        "quality": np.array([level, 0.75 * level, 0.75 * level + 0.25]),
        "causes": powers / powers.sum(),
        "severity": np.array(5 * level),
        "tiles": np.stack([means, means / 2]),
        "anomaly_map": np.stack([means, means / 2]).astype(np.float32),
        "class_confidence": np.stack([powers, level * powers]) / powers.sum(),
        "novelty": np.array(10 * abs(level - 0.5)),
    }


def frame_of_level(level: float, seed: int = 0) -> NDArray[np.uint8]:
    """A frame of noise around a brightness from 0 to 1."""
    noise = np.random.default_rng(seed).normal(0, 0.08, (HEIGHT, WIDTH, 3))
    frame: NDArray[np.uint8] = (255 * np.clip(level + noise, 0.004, 1)).round().astype(np.uint8)
    return frame


def answers_record(
    *,
    quality: bool = True,
    cause: bool = True,
    tiles: bool = False,
    with_map: bool = False,
    confidence: bool = False,
) -> dict[str, Any]:
    """What the manifest states of the answers."""
    return {
        "novelty_limit": NOVELTY_LIMIT if quality or cause else None,
        "kinds": list(KINDS) if quality or cause else [],
        "frames": 10,
        "drives": 2,
        "rows": 40,
        "quality": {
            "measure": "miou",
            "coverage": 0.9,
            "covered": 0.885,
            "worst_kind": "fog",
            "worst_kind_covered": 0.8,
            "median_width": 0.2,
            "constant_width": 0.6,
            "mean_absolute_error": 0.05,
            "constant_error": 0.12,
            "spearman": 0.83,
            "at_most": AT_MOST,
            "clean_low": [0.1, 0.2, 0.3, 0.5, 0.5, 0.6, 0.7, 0.8, 0.9],
        }
        if quality
        else None,
        "cause": {
            "names": ["none", *KINDS],
            "coverage": 0.9,
            "set_threshold": SET_THRESHOLD,
            "clean_kept": 0.95,
            "right": {"1": 0.77, "3": 0.98},
            "severity_error": 0.35,
        }
        if cause
        else None,
        "tiles": {
            "rows": 2,
            "columns": 3,
            "layers": ["layer1"],
            "limit": TILE_LIMIT,
            "neighbor_limit": NEIGHBOR_LIMIT,
            "false_alarm_rate": 0.05,
            "guarantee": "drives",
            "clean_kept": 0.97,
            "limit_frames": 60,
            "limit_drives": 30,
        }
        if tiles
        else None,
        "map": {
            "rows": 2,
            "columns": 3,
            "slopes": {"energy": 0.4, "head": 0.6},
            "smoothing": 3,
            "layers": ["layer1"],
            "pixel_limit": 0.4,
            "pixel_rate": 0.05,
            "object_limit": OBJECT_LIMIT,
            "smallest_object": SMALLEST_OBJECT,
            "false_alarm_rate": 0.01,
            "guarantee": "drives",
            "clean_kept": 0.99,
            "average_precision": 0.48,
            "fpr95": 0.2,
            "best_single": "maximum_logit",
            "best_single_average_precision": 0.32,
            "best_single_fpr95": 0.26,
            "road_classes": [0],
            "limit_frames": 200,
            "limit_drives": 100,
        }
        if with_map
        else None,
        "confidence": {
            "temperature": 1.5,
            "frames": 10,
            "drives": 2,
            "error_before": 0.08,
            "error": 0.02,
            "loss_before": 0.4,
            "loss": 0.35,
            "accuracy": 0.9,
            "shares": [0.5, 0.4, 0.1],
            "class_accuracy": [0.95, 0.9, 0.6],
            "class_confidence": [0.93, 0.88, 0.7],
        }
        if confidence
        else None,
    }


def answers_manifest(**told: bool) -> dict[str, Any]:
    """The manifest of the toy bundle; arguments are those of :func:`answers_record`."""
    record = answers_record(**told)
    manifest = toy_manifest() | {"answers": record}
    manifest["golden"]["answers"] = {"cpu": 0.005, "gpu": 0.05}
    return manifest


def write_answers_bundle(
    folder: Path,
    *,
    quality: bool = True,
    cause: bool = True,
    tiles: bool = False,
    with_map: bool = False,
    confidence: bool = False,
    off: float = 0.0,
    **fields: Any,
) -> Path:
    """A toy bundle that answers, in a folder that is there.

    Args:
        folder: of the bundle.
        quality: whether it tells the quality.
        cause: whether it tells the cause.
        tiles: whether it tells abnormal tiles.
        with_map: whether it gives an anomaly map.
        confidence: whether it tells the confidence of classes.
        off: how far the golden answers are from what the graph gives.
        fields: that replace those of the manifest.
    """
    outputs = (("quality",) if quality else ()) + (("causes", "severity") if cause else ())
    outputs += (("tiles",) if tiles else ()) + (("anomaly_map",) if with_map else ())
    outputs += ("class_confidence",) if confidence else ()
    outputs += ("novelty",) if quality or cause else ()
    (folder / "segmentation.onnx").write_bytes(segmentation_graph("classes"))
    (folder / "detector.onnx").write_bytes(answers_graph(outputs))
    frames = random_frames(2, seed=2)
    golden: dict[str, Any] = {name: np.stack([answers_by_hand(frame)[name] for frame in frames]) for name in outputs}
    golden = {name: (values + off).astype(values.dtype) for name, values in golden.items()}
    scores = np.array([score_by_hand(frame) for frame in frames])
    np.savez(folder / "golden.npz", frames=frames, scores=scores, **golden)
    told = {"quality": quality, "cause": cause, "tiles": tiles, "with_map": with_map, "confidence": confidence}
    return seal(folder, answers_manifest(**told) | fields)
