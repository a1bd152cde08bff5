# SPDX-License-Identifier: Apache-2.0
"""A toy bundle whose arithmetic fits on a page, and the same arithmetic in NumPy."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.parser
import pytest
from numpy.typing import NDArray

from lsood_runtime import SCHEMA

HEIGHT, WIDTH, SAMPLES = 6, 8, 4
CENTRE = (0.5, -0.25, 0.125)
KEEP = 0.6
MASKS = (np.random.default_rng(7).random((SAMPLES, HEIGHT * WIDTH)) < 0.6).astype(np.float32)
MASKS /= MASKS.sum(axis=1, keepdims=True)


def random_frames(count: int, seed: int) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(1, 256, (count, HEIGHT, WIDTH, 3), dtype=np.uint8)


def score_by_hand(frame: NDArray[np.uint8], masks: NDArray[np.float32] = MASKS) -> float:
    """Masked means of each channel, mean log of them relative to the largest, squared distance from a centre."""
    latent = masks.astype(np.float64) @ (frame.reshape(-1, 3) / 255)
    entropy = np.log(latent).mean(axis=0) - np.log(latent.max())
    return float(((entropy - CENTRE) ** 2).sum())


def _graph(text: str, **constants: NDArray[Any]) -> bytes:
    model = onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["": 20]>\n{text}')
    model.graph.initializer.extend(onnx.numpy_helper.from_array(array, name) for name, array in constants.items())
    onnx.checker.check_model(model, full_check=True)
    contents: bytes = model.SerializeToString()
    return contents


def segmentation_graph(kind: str) -> bytes:
    outputs = {
        "classes": f"uint8[batch, {HEIGHT}, {WIDTH}] segmentation, ",
        "logits": f"float[batch, 3, {HEIGHT}, {WIDTH}] segmentation, ",
        "none": "",
    }
    steps = {
        "classes": "index = ArgMax<axis = 1, keepdims = 0>(planes) segmentation = Cast<to = 2>(index)",
        "logits": "segmentation = Identity(planes)",
        "none": "",
    }
    return _graph(
        f"""toy (uint8[batch, {HEIGHT}, {WIDTH}, 3] frame) => ({outputs[kind]}float[batch, {SAMPLES}, 3] latent_samples) {{
            raw = Cast<to = 1>(frame)
            unit = Div(raw, full)
            planes = Transpose<perm = [0, 3, 1, 2]>(unit)
            cells = Reshape(unit, shape)
            latent_samples = MatMul(masks, cells)
            {steps[kind]}
        }}""",
        full=np.array(255, np.float32),
        shape=np.array([0, HEIGHT * WIDTH, 3]),
        masks=MASKS,
    )


def masks_of(noise: NDArray[np.float32]) -> NDArray[np.float32]:
    """Masks of the graph below: what lies under the keep probability, so that each mask sums to 1."""
    kept = (noise < KEEP).astype(np.float32)
    masks: NDArray[np.float32] = kept / kept.sum(axis=-1, keepdims=True)
    return masks


def noise_graph() -> bytes:
    """A segmentation graph without segmentation whose masks come from the input ``noise_0``."""
    return _graph(
        f"""toy (uint8[batch, {HEIGHT}, {WIDTH}, 3] frame, float[batch, {SAMPLES}, {HEIGHT * WIDTH}] noise_0)
            => (float[batch, {SAMPLES}, 3] latent_samples) {{
            raw = Cast<to = 1>(frame)
            unit = Div(raw, full)
            cells = Reshape(unit, shape)
            below = Less(noise_0, keep)
            kept = Cast<to = 1>(below)
            total = ReduceSum<keepdims = 1>(kept, cell_axis)
            masks = Div(kept, total)
            latent_samples = MatMul(masks, cells)
        }}""",
        full=np.array(255, np.float32),
        shape=np.array([0, HEIGHT * WIDTH, 3]),
        keep=np.array(KEEP, np.float32),
        cell_axis=np.array([2]),
    )


SCORE_STEPS = """logarithm = Log(latent_samples)
mean = ReduceMean<keepdims = 0>(logarithm, samples)
top = ReduceMax<keepdims = 1>(logarithm, both)
top_row = Squeeze(top, samples)
entropy = Sub(mean, top_row)
exact = Cast<to = 11>(entropy)
away = Sub(exact, centre)
squared = Mul(away, away)
score = ReduceSum<keepdims = 0>(squared, samples)"""
"""Nodes of the toy detector, ``latent_samples`` to ``entropy`` and ``score``, with their constants by name."""


def detector_graph() -> bytes:
    return _graph(
        f"""toy (float[batch, {SAMPLES}, 3] latent_samples) => (float[batch, 3] entropy, double[batch] score) {{
            {SCORE_STEPS}
        }}""",
        samples=np.array([1]),
        both=np.array([1, 2]),
        centre=np.array(CENTRE),
    )


def toy_point(value: float, rate: float) -> dict[str, Any]:
    """An operating point at ``value``."""
    return {
        "value": value,
        "false_alarm_rate": rate,
        "guarantee": "frames",
        "rate_low": 0.0,
        "rate_high": 0.6,
        "confidence": 0.95,
        "new_drive_rate": None,
        "rule": "by hand",
    }


def toy_manifest(kind: str = "classes") -> dict[str, Any]:
    size = {"num_classes": 3, "height": HEIGHT, "width": WIDTH} if kind != "none" else {}
    scores = sorted(score_by_hand(frame) for frame in random_frames(19, seed=1))
    return {
        "schema": SCHEMA,
        "name": "Toy",
        "created": "2026-01-02T03:04:05+00:00",
        "input": {
            "channels": "rgb",
            "frame_height": HEIGHT,
            "frame_width": WIDTH,
            "network_height": HEIGHT,
            "network_width": WIDTH,
            "crop": None,
            "resize": "none",
            "mean": [0.0, 0.0, 0.0],
            "std": [1.0, 1, 1.0],
        },
        "segmentation": {"kind": kind} | dict.fromkeys(("num_classes", "height", "width")) | size,
        "tap": {"layers": ["pixels"], "channels": 3},
        "masks": {
            "mode": "fixed",
            "count": SAMPLES,
            "seed": 7,
            "drop_prob": 0.4,
            "block_size": 1,
            "sha256": "0" * 64,
            "noise": [],
        },
        "features": {"latent_samples": [SAMPLES, 3]},
        "network_sha256": "0" * 64,
        "entropy": {"neighbors": 3, "min_dist": 1e-5},
        "detector": {
            "kind": "distance",
            "reason": "by hand",
            "parameters": {"radius": 1.0},
            "standardise": False,
            "pca_components": None,
            "fit_frames": 1,
            "fit_ood_frames": 0,
            "parts": [],
        },
        "operating_point": "5%",
        "operating_points": {"5%": toy_point(scores[-1], 0.05), "half": toy_point(scores[9], 0.5)},
        "calibration": {
            "scores": scores,
            "effective_frames": 19.0,
            "drives": {"noise": 19},
            "fit_drives": {"noise": 1},
            "warnings": [],
            "source": "noise",
        },
        "parity": {"frames": 1, "latent_max_abs": 1e-7, "segmentation_disagreement": 0.0, "score_max_abs": 1e-6},
        "golden": {"tolerance": {"cpu": 1e-4, "gpu": 1e-2}},
        "evaluation": {},
        "versions": {"lsood_runtime": "0.1.0", "opset": 20},
        "config": {"note": "käse", "nested": {"list": [1, None]}},
    }


def write_manifest(folder: Path, contents: bytes) -> None:
    """Write a manifest with its digest beside it, in the words of ``sha256sum``."""
    (folder / "manifest.json").write_bytes(contents)
    (folder / "manifest.sha256").write_text(f"{hashlib.sha256(contents).hexdigest()}  manifest.json\n")


def edit_manifest(folder: Path, edit: Callable[[dict[str, Any]], object]) -> Path:
    """Change a manifest in place, and make its digest anew."""
    manifest = json.loads((folder / "manifest.json").read_bytes())
    edit(manifest)
    write_manifest(folder, json.dumps(manifest).encode())
    return folder


def seal(folder: Path, manifest: dict[str, Any]) -> Path:
    """Write a manifest that records the files as they lie there."""
    names = sorted(path.name for path in folder.iterdir() if path.name not in ("manifest.json", "manifest.sha256"))
    contents = {name: (folder / name).read_bytes() for name in names}
    files = {name: {"sha256": hashlib.sha256(c).hexdigest(), "bytes": len(c)} for name, c in contents.items()}
    write_manifest(folder, json.dumps({"files": files} | manifest).encode())
    return folder


def write_golden(folder: Path, frames: NDArray[Any], scores: Any) -> None:
    np.savez(folder / "golden.npz", frames=frames, scores=scores)


def write_toy_bundle(folder: Path, kind: str = "classes", goldens: int = 2, **fields: Any) -> Path:
    """A toy bundle in a folder that is there; ``fields`` replace those of the manifest."""
    (folder / "segmentation.onnx").write_bytes(segmentation_graph(kind))
    (folder / "detector.onnx").write_bytes(detector_graph())
    golden = random_frames(goldens, seed=2)
    write_golden(folder, golden, [score_by_hand(frame) for frame in golden])
    (folder / "README.md").write_text("# Toy\n")
    return seal(folder, toy_manifest(kind) | fields)


def write_noise_bundle(folder: Path, goldens: int = 2) -> Path:
    """A toy bundle with masks from noise that is an input, in a folder that is there."""
    (folder / "segmentation.onnx").write_bytes(noise_graph())
    (folder / "detector.onnx").write_bytes(detector_graph())
    frames = random_frames(goldens, seed=2)
    noise = np.random.default_rng(3).random((goldens, SAMPLES, HEIGHT * WIDTH), dtype=np.float32)
    scores = [score_by_hand(frame, masks_of(values)) for frame, values in zip(frames, noise, strict=True)]
    np.savez(folder / "golden.npz", frames=frames, scores=scores, noise_0=noise)
    manifest = toy_manifest("none")
    manifest["masks"] |= {"mode": "input", "sha256": None, "noise": [[HEIGHT * WIDTH]]}
    return seal(folder, manifest)


@pytest.fixture
def make_bundle(tmp_path: Path) -> Callable[..., Path]:
    """Write a toy bundle; keyword arguments replace fields of the manifest."""

    def make(kind: str = "classes", **fields: Any) -> Path:
        folder = tmp_path / "monitor"
        folder.mkdir()
        return write_toy_bundle(folder, kind, **fields)

    return make


@pytest.fixture
def toy_bundle(make_bundle: Callable[..., Path]) -> Path:
    return make_bundle()
