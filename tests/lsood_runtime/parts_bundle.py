# SPDX-License-Identifier: Apache-2.0
"""A toy bundle of schema 3 whose score is the sum of parts, one of which a chosen frame makes infinite or NaN.

The features are the mean of each channel and, where they are asked for, the latent samples of the other toy bundle.
"""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.parser
from numpy.typing import NDArray
from onnx import ModelProto

from tests.lsood_runtime.conftest import (
    CENTRE,
    HEIGHT,
    MASKS,
    SAMPLES,
    WIDTH,
    random_frames,
    score_by_hand,
    seal,
    toy_manifest,
    toy_point,
    write_golden,
)

MOMENTS = "moments/pixels"
PARTS = ("logarithm", "inverse", "root")
"""Of the mean of red, of green, and of blue less 0.1."""
BROKEN = {"logarithm": "-inf", "inverse": "inf", "root": "nan"}
"""What each part becomes on :func:`frame_breaking` it."""


def frame_breaking(*parts: str) -> NDArray[np.uint8]:
    """A frame of noise without the colour of each of these parts, which no check of a camera's image finds fault with."""
    frame: NDArray[np.uint8] = random_frames(1, seed=12)[0]
    frame[..., [PARTS.index(part) for part in parts]] = 0
    return frame


def parts_by_hand(frame: NDArray[np.uint8], latent: bool = False) -> dict[str, float]:
    red, green, blue = (float(mean) for mean in frame.reshape(-1, 3).mean(axis=0) / 255)
    with np.errstate(all="ignore"):
        shares = np.log(red), np.reciprocal(green), np.sqrt(blue - 0.1)
    parts = dict(zip(PARTS, map(float, shares), strict=True))
    return ({"entropies": score_by_hand(frame)} if latent else {}) | parts


def _model(text: str, renamed: dict[str, str], **constants: NDArray[Any]) -> ModelProto:
    """Parse a graph, whose language knows no slash in a name, and rename its values."""
    model = onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["": 20]>\n{text}')
    model.graph.initializer.extend(onnx.numpy_helper.from_array(array, name) for name, array in constants.items())
    for value in (*model.graph.input, *model.graph.output):
        value.name = renamed.get(value.name, value.name)
    for node in model.graph.node:
        node.input[:] = [renamed.get(name, name) for name in node.input]
        node.output[:] = [renamed.get(name, name) for name in node.output]
    onnx.checker.check_model(model, full_check=True)
    return model


def features_graph(latent: bool = False, samples: int = SAMPLES) -> ModelProto:
    """Frame to segmentation, latent samples where they are asked for, and the mean of each channel."""
    output = f"float[batch, {samples}, 3] latent_samples, " if latent else ""
    step = "latent_samples = MatMul(masks, cells)" if latent else ""
    return _model(
        f"""toy (uint8[batch, {HEIGHT}, {WIDTH}, 3] frame)
            => (uint8[batch, {HEIGHT}, {WIDTH}] segmentation, {output}float[batch, 3] moments) {{
            raw = Cast<to = 1>(frame)
            unit = Div(raw, full)
            index = ArgMax<axis = 3, keepdims = 0>(unit)
            segmentation = Cast<to = 2>(index)
            cells = Reshape(unit, shape)
            {step}
            moments = ReduceMean<keepdims = 0>(cells, cell_axis)
        }}""",
        {"moments": MOMENTS},
        full=np.array(255, np.float32),
        shape=np.array([0, HEIGHT * WIDTH, 3]),
        cell_axis=np.array([1]),
        **({"masks": np.resize(MASKS, (samples, HEIGHT * WIDTH))} if latent else {}),
    )


def parts_graph(
    latent: bool = False,
    *,
    swallowed: bool = False,
    open_size: bool = False,
    samples: int = SAMPLES,
    factor: float = 1.0,
    left_out: str | None = None,
) -> ModelProto:
    """Features to the score and its parts, and to the entropies where the latent samples are read.

    Args:
        latent: read the latent samples, in a part of their own that comes first.
        swallowed: the score leaves out the parts that are not finite, as a careless operator does.
        open_size: nobody can tell how many parts the graph gives before it runs.
        samples: how many latent samples there are.
        factor: of every part.
        left_out: part that the score leaves out, though it is an output.
    """
    inputs = f"float[batch, {samples}, 3] latent_samples, " if latent else ""
    entropy = "float[batch, 3] entropy, " if latent else ""
    steps = """logarithms = Log(latent_samples)
               mean_logarithm = ReduceMean<keepdims = 0>(logarithms, one)
               top = ReduceMax<keepdims = 1>(logarithms, both)
               top_row = Squeeze(top, one)
               entropy = Sub(mean_logarithm, top_row)
               exact_entropy = Cast<to = 11>(entropy)
               away = Sub(exact_entropy, centre)
               squared = Mul(away, away)
               entropies = ReduceSum<keepdims = 1>(squared, one)"""
    total = """finite = Sub(parts, parts)
               broken = IsNaN(finite)
               nothing = Sub(one_exactly, one_exactly)
               kept = Where(broken, nothing, parts)
               score = ReduceSum<keepdims = 0>(kept, one)"""
    count = len(PARTS) + latent
    return _model(
        f"""toy ({inputs}float[batch, 3] moments)
            => ({entropy}double[batch] score, double[batch, {"several" if open_size else count}] parts) {{
            {steps if latent else ""}
            exact = Cast<to = 11>(moments)
            red, green, blue = Split<axis = 1, num_outputs = 3>(exact)
            logarithm = Log(red)
            inverse = Div(one_exactly, green)
            lower = Sub(blue, tenth)
            root = Sqrt(lower)
            shares = Concat<axis = 1>({"entropies, " if latent else ""}logarithm, inverse, root)
            products = Mul(shares, factor)
            parts = {"Compress<axis = 1>(products, every)" if open_size else "Identity(products)"}
            {total if swallowed else "counted = Mul(parts, counts) score = ReduceSum<keepdims = 0>(counted, one)"}
        }}""",
        {"moments": MOMENTS},
        one=np.array([1]),
        one_exactly=np.array(1.0),
        tenth=np.array(0.1),
        factor=np.array(factor),
        every=np.ones(count, bool),
        counts=np.array([float(name != left_out) for name in ("entropies", *PARTS)[-count:]]),
        **({"both": np.array([1, 2]), "centre": np.array(CENTRE)} if latent else {}),
    )


def parts_manifest(latent: bool = False, **fields: Any) -> dict[str, Any]:
    manifest = toy_manifest()
    scores = sorted(sum(parts_by_hand(frame, latent).values()) for frame in random_frames(19, seed=1))
    manifest["calibration"]["scores"] = scores
    manifest["operating_points"] = {"5%": toy_point(scores[-1], 0.05), "half": toy_point(scores[9], 0.5)}
    manifest["features"] = ({"latent_samples": [SAMPLES, 3]} if latent else {}) | {MOMENTS: [3]}
    read = {"entropies": "entropy"} if latent else {}
    manifest["detector"] |= {
        "kind": "fused",
        "parts": [
            {"name": name, "features": [key], "kind": "by-hand", "centre": 0.5, "scale": 2.0, "weight": 1.0}
            for name, key in (read | dict.fromkeys(PARTS, MOMENTS)).items()
        ],
    }
    return manifest | fields


def write_parts_bundle(folder: Path, latent: bool = False, *, swallowed: bool = False, **fields: Any) -> Path:
    """A bundle with parts in a folder that is there; ``fields`` replace those of the manifest."""
    (folder / "segmentation.onnx").write_bytes(features_graph(latent).SerializeToString())
    (folder / "detector.onnx").write_bytes(parts_graph(latent, swallowed=swallowed).SerializeToString())
    golden = random_frames(2, seed=2)
    write_golden(folder, golden, [sum(parts_by_hand(frame, latent).values()) for frame in golden])
    return seal(folder, parts_manifest(latent, **fields))
