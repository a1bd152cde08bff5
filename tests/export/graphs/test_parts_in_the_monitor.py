# SPDX-License-Identifier: Apache-2.0
"""Fitted detectors of several parts, in the runtime: their shares, and the names of the parts that are not finite."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper, numpy_helper

from export.detectors.fused import Fused, fit_fused
from export.graphs.detector import features_graph, inputs_of
from export.graphs.fused import fused_graph
from export.graphs.monitor_forms import cpu_session, one_graph
from lsood_runtime import OoDMonitor, State
from lsood_runtime.offline import DETECTOR_FILE, SEGMENTATION_FILE
from tests.export.detectors.feature_rows import ENTROPY, PARTS, Recording, recording
from tests.lsood_runtime.conftest import HEIGHT, WIDTH, random_frames, seal, toy_manifest, toy_point, write_golden

SAMPLES, CHANNELS, GOLDEN = 8, 5, 2
Tables = dict[str, NDArray[np.float32]]


def table_network(tables: Tables) -> ModelProto:
    """A network that gives row i of each table for a frame whose first number is i."""
    nodes = [
        helper.make_node("Slice", ["frame", "starts", "ends", "axes"], ["first"]),
        helper.make_node("Reshape", ["first", "shape"], ["flat"]),
        helper.make_node("Cast", ["flat"], ["row"], to=TensorProto.INT64),
        *(helper.make_node("Gather", [f"{name}/table", "row"], [name]) for name in tables),
    ]
    constants = {"starts": [0, 0, 0], "ends": [1, 1, 1], "axes": [1, 2, 3], "shape": [-1]}
    graph = helper.make_graph(
        nodes,
        "tables",
        [helper.make_tensor_value_info("frame", TensorProto.UINT8, ["batch", HEIGHT, WIDTH, 3])],
        [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["batch", *t.shape[1:]]) for n, t in tables.items()],
        [numpy_helper.from_array(np.array(value), name) for name, value in constants.items()]
        + [numpy_helper.from_array(table, f"{name}/table") for name, table in tables.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    return model


def frames_of(rows: range) -> NDArray[np.uint8]:
    """A frame of noise for each row of the tables."""
    frames = random_frames(len(rows), seed=3)
    frames[:, 0, 0, 0] = rows
    return frames


def part_records(detector: Fused) -> list[dict[str, Any]]:
    numbers = zip(detector.centres.tolist(), detector.scales.tolist(), detector.weights.tolist(), strict=True)
    return [
        {"name": part.name, "features": list(map(str, part.keys)), "kind": part.kind}
        | {"centre": centre, "scale": scale, "weight": weight}
        for part, (centre, scale, weight) in zip(detector.parts, numbers, strict=True)
    ]


def write_bundle(folder: Path, detector: Fused, drive: Recording, tables: Tables) -> Path:
    """A bundle of a detector behind a network that looks its features up."""
    (folder / SEGMENTATION_FILE).write_bytes(table_network(tables).SerializeToString())
    (folder / DETECTOR_FILE).write_bytes(features_graph(detector, drive.shapes).SerializeToString())
    scores = detector.score(drive.features)
    write_golden(folder, frames_of(range(GOLDEN)), scores[:GOLDEN])
    manifest = toy_manifest("none")
    manifest["features"] = {name: list(table.shape[1:]) for name, table in tables.items()}
    manifest["masks"]["count"], manifest["tap"]["channels"] = SAMPLES, CHANNELS
    manifest["detector"] |= {"kind": detector.kind, "parts": part_records(detector)}
    manifest["golden"]["tolerance"] = {"cpu": 1e-3, "gpu": 1e-3}
    manifest["calibration"]["scores"][-1] = 1e6  # no finite score is above it
    manifest["operating_points"]["5%"] = toy_point(1e6, 0.05)
    return seal(folder, manifest)


@pytest.fixture(scope="module")
def drive() -> Recording:
    return recording(7, samples=SAMPLES, channels=CHANNELS)


@pytest.fixture(scope="module")
def detector(drive: Recording) -> Fused:
    return fit_fused(PARTS, drive.features, drive.drives, weights=np.linspace(0.5, 1.5, len(PARTS)).tolist())


def test_monitor_of_a_fused_detector_gives_the_shares_of_its_float64_form(
    tmp_path: Path, drive: Recording, detector: Fused
) -> None:
    frames, expected = frames_of(range(60)), detector.part_scores(drive.features)
    with OoDMonitor(write_bundle(tmp_path, detector, drive, drive.inputs(detector.keys))) as monitor:
        verdicts = [monitor.assess(frame) for frame in frames]
        together = monitor.score_batch(frames)
        assert [part.features for part in monitor.manifest.detector.parts] == [
            tuple(map(str, part.keys)) for part in detector.parts
        ]
    assert {verdict.state for verdict in verdicts} == {State.OK}
    assert list(verdicts[0].parts) == [part.name for part in detector.parts]
    np.testing.assert_allclose([[*verdict.parts.values()] for verdict in verdicts], expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose([verdict.score for verdict in verdicts], expected.sum(axis=1), rtol=1e-4)
    np.testing.assert_allclose(together, expected.sum(axis=1), rtol=1e-4)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_monitor_of_a_feature_that_is_not_finite_is_invalid_and_names_its_parts(
    tmp_path: Path, drive: Recording, detector: Fused, bad: float
) -> None:
    """Row i of the tables has one bad number, in feature i."""
    tables = {name: rows.copy() for name, rows in drive.inputs(detector.keys).items()}
    rng = np.random.default_rng(0)
    for i, table in enumerate(tables.values(), start=GOLDEN):
        table.reshape(len(table), -1)[i, rng.integers(table[0].size)] = bad
    frames = frames_of(range(GOLDEN, GOLDEN + len(tables)))
    bundle = write_bundle(tmp_path, detector, drive, tables)
    with OoDMonitor(bundle) as monitor:
        verdicts, scores = [monitor.assess(frame) for frame in frames], monitor.score_batch(frames)
        assert monitor.assess(frames_of(range(30, 31))[0]).state is State.OK
    assert scores.tolist() == [math.inf] * len(tables)
    for name, verdict in zip(tables, verdicts, strict=True):
        assert (verdict.state, verdict.is_ood, verdict.score) == (State.INVALID, True, math.inf)
        for part in detector.parts:
            reads = name in inputs_of(part.keys)
            assert math.isfinite(verdict.parts[part.name]) != reads
            assert (f" for {part.name}" in verdict.reason) == reads
    fused = one_graph(cpu_session(fused_graph(table_network(tables), features_graph(detector, drive.shapes))))
    outputs = fused(frames, [])
    assert not np.isfinite(outputs["score"]).any()
    np.testing.assert_array_equal(
        np.isfinite(outputs["parts"]), [[math.isfinite(share) for share in v.parts.values()] for v in verdicts]
    )


def test_monitor_of_parts_that_read_no_entropies_has_no_latent_samples(tmp_path: Path, drive: Recording) -> None:
    options = [part for part in PARTS if ENTROPY not in part.keys]
    detector = fit_fused(options, drive.features, drive.drives)
    tables = drive.inputs(detector.keys)
    assert "latent_samples" not in tables
    with OoDMonitor(write_bundle(tmp_path, detector, drive, tables)) as monitor:
        verdict = monitor.assess(frames_of(range(9, 10))[0])
    expected = detector.part_scores({key: rows[9:10] for key, rows in drive.features.items()})[0]
    np.testing.assert_allclose(list(verdict.parts.values()), expected, rtol=1e-4, atol=1e-5)
