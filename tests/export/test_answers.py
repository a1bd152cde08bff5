# SPDX-License-Identifier: Apache-2.0
"""Answers beside the score, from the options of an export to the runtime."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
from PIL import Image

from export.anomalies import COMMON_KINDS, degrade
from export.calibration.answer_options import AnswerOptions
from export.calibration.degraded_rows import passes
from export.calibration.patched_rows import patched_passes
from export.cli.bundle_table import print_exported
from export.cli.export import main as export_command
from export.errors import UsageError
from export.frames.files import FrameFiles
from export.precision.options import PrecisionOptions
from lsood_runtime import OoDMonitor, read_manifest
from lsood_runtime.offline import SCHEMA
from tests.export.answered_bundle import (
    CALIBRATION,
    EVERY,
    TILES,
    ExportSmall,
    red_cutout,
)


def test_export_with_answers_gives_them_in_the_vehicle(answered: Path, drives: Path) -> None:
    manifest = read_manifest(answered)
    assert manifest.schema == SCHEMA
    assert manifest.answers is not None
    assert (manifest.answers.frames, manifest.answers.drives, manifest.answers.rows) == (48, 4, passes(48))
    assert manifest.answers.quality is not None
    assert manifest.answers.quality.measure == "agreement"
    assert manifest.answers.cause is not None
    assert set(manifest.answers.cause.names) == {"none", *COMMON_KINDS}
    assert manifest.answers.tiles is not None
    assert (manifest.answers.tiles.rows, manifest.answers.tiles.columns) == (4, 8)
    assert manifest.answers.tiles.picture
    assert (
        f"read from {', '.join(manifest.answers.tiles.layers)}, the picture; " in (answered / "README.md").read_text()
    )
    assert manifest.features["picture_tiles/4x8"] == (4 * 8 * 104,)
    assert manifest.answers.map is not None
    assert (manifest.answers.map.rows, manifest.answers.map.columns) == (16, 32)  # a quarter of the network's 64 x 128
    assert "in a map of 16 x 32 cells, by " in (answered / "README.md").read_text()
    read = {name for name in manifest.features if name.startswith(("logit_map/", "feature_map/"))}
    assert read == {"logit_map/16x32", *(name for name in read if name.split("/")[1] in manifest.answers.map.layers)}
    assert len(read) == 1 + len(manifest.answers.map.layers)
    assert "| expected agreement | share of pixels of the clean frame's class" in (answered / "README.md").read_text()
    with OoDMonitor(answered) as monitor:
        result = monitor.self_test()
        assert result.passed
        assert len(result.answer_errors) == len(result.scores)
        for frame in list(FrameFiles((drives,)))[::12]:
            verdict = monitor.assess(np.array(frame))
            assert verdict.expected_quality is not None
            assert verdict.cause in ("none", "unknown", *COMMON_KINDS)
            assert verdict.tile_values is not None
            assert verdict.tile_values.shape == (4, 8)
            assert verdict.anomaly_map is not None
            assert verdict.anomaly_map.shape == (16, 32)


_BITS = """
import hashlib, sys, numpy, lsood_runtime
def bits(monitor, frame):
    verdict = monitor.assess(frame)
    quality = (verdict.expected_quality, verdict.quality_low, verdict.quality_high)
    numbers = (*quality, verdict.cause_probability, verdict.severity)
    digest = "none" if verdict.anomaly_map is None else hashlib.sha256(verdict.anomaly_map.tobytes()).hexdigest()
    return " ".join([*(float(number).hex() for number in numbers), verdict.cause, *verdict.cause_set, digest])
if __name__ == "__main__":
    with lsood_runtime.OoDMonitor(sys.argv[1]) as monitor:
        print(*[bits(monitor, frame) for frame in numpy.load(sys.argv[2])[::-1]], sep="\\n")
"""


def test_answers_in_any_order_thread_and_process_have_the_same_bits(
    answered: Path, drives: Path, tmp_path: Path
) -> None:
    script: dict[str, Any] = {"__name__": "bits"}
    exec(_BITS, script)
    frames = np.array(list(FrameFiles((drives,)))[::8])
    frames = np.concatenate([frames, degrade(frames[0], "fog", 4, 1)[None], np.full_like(frames[:1], 200)])
    with OoDMonitor(answered) as monitor:
        one = [script["bits"](monitor, frame) for frame in frames]
        backwards = [script["bits"](monitor, frame) for frame in frames[::-1]][::-1]
        with ThreadPoolExecutor(4) as pool:
            threaded = list(pool.map(lambda frame: script["bits"](monitor, frame), frames))
    np.save(tmp_path / "frames.npy", frames)
    (tmp_path / "bits.py").write_text(_BITS)
    command = [sys.executable, str(tmp_path / "bits.py"), str(answered), str(tmp_path / "frames.npy")]
    elsewhere = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[::-1]
    assert one == backwards == threaded == elsewhere


def test_export_with_answers_gives_the_same_in_the_fused_graph(answered: Path, drives: Path) -> None:
    session = ort.InferenceSession(str(answered / "monitor.onnx"), providers=["CPUExecutionProvider"])
    record = read_manifest(answered).answers
    assert record is not None
    frame = np.array(FrameFiles((drives,))[3])
    names = [value.name for value in session.get_outputs()]
    given = dict(zip(names, session.run(None, {"frame": frame[None]}), strict=True))
    with OoDMonitor(answered) as monitor:
        verdict = monitor.assess(frame)
    assert record.novelty_limit is not None
    if float(given["novelty"][0]) <= record.novelty_limit:
        assert verdict.expected_quality == pytest.approx(float(given["quality"][0, 0]), abs=1e-6)
    assert given["causes"].sum() == pytest.approx(1)
    assert record.tiles is not None
    assert verdict.tile_values is not None
    np.testing.assert_allclose(verdict.tile_values, given["tiles"][0] / record.tiles.limit, rtol=1e-6)
    assert verdict.anomaly_map is not None
    np.testing.assert_allclose(verdict.anomaly_map, given["anomaly_map"][0], atol=1e-4)


def test_print_exported_of_a_bundle_with_answers_says_what_it_answers(
    answered: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    print_exported(answered, read_manifest(answered))
    shown = capsys.readouterr().out
    assert "expected agreement" in shown
    assert "cause" in shown


def test_export_without_answers_has_none(bundle: Path) -> None:
    manifest = read_manifest(bundle)
    assert manifest.answers is None
    assert manifest.golden.answers == {}


@pytest.mark.parametrize("kind", ["fp16", pytest.param("int8", marks=pytest.mark.slow)])
def test_export_with_answers_in_fewer_bits_answers_by_that_network(
    kind: str, export_small: ExportSmall, drives: Path
) -> None:
    loose = PrecisionOptions(kind, max_flips=1.0, max_auroc_loss=1.0, max_pixel_changes=1.0)
    frames = tuple(sorted(drives.iterdir()))[::2]
    folder = export_small(frames=frames, calibration=CALIBRATION, answers=EVERY, precision=loose)
    with OoDMonitor(folder) as monitor:
        assert monitor.self_test().passed
        assert monitor.manifest.answers is not None
        assert monitor.manifest.answers.tiles is not None
        assert monitor.manifest.answers.map is not None


def test_export_with_labels_measures_miou(export_small: ExportSmall, drives: Path, tmp_path: Path) -> None:
    labels = tmp_path / "labels"
    labels.mkdir()
    frames = tuple(sorted(drives.iterdir()))[::2]
    for path in frames:
        with Image.open(path) as image:
            grey = np.asarray(image.convert("L"))
        Image.fromarray((grey // 64).astype(np.uint8)).save(labels / path.name)
    out = export_small(
        frames=frames,
        calibration=CALIBRATION,
        answers=AnswerOptions(("quality",), labels=(labels,)),
        out=tmp_path / "monitor",
    )
    record = read_manifest(out).answers
    assert record is not None
    assert record.quality is not None
    assert (record.quality.measure, record.cause) == ("miou", None)
    (labels / "a_0000.png").unlink()
    with pytest.raises(UsageError, match=r"expected a label for every calibration frame, a_0000\.png has none"):
        export_small(
            frames=frames,
            calibration=CALIBRATION,
            answers=AnswerOptions(("quality",), labels=(labels,)),
            out=tmp_path / "other",
        )


@pytest.mark.slow
def test_export_of_tiles_alone_tells_them_in_every_form(export_small: ExportSmall, drives: Path) -> None:
    folder = export_small(frames=(drives,), calibration=CALIBRATION, answers=TILES, fuse=True)
    record = read_manifest(folder).answers
    assert record is not None
    assert (record.novelty_limit, record.rows) == (None, patched_passes(48))
    with OoDMonitor(folder) as monitor:
        assert monitor.self_test().passed
        assert monitor.assess(np.array(FrameFiles((drives,))[0])).tile_values is not None


def test_config_of_a_bundle_with_answers_has_them_in_json(answered: Path) -> None:
    config = json.loads((answered / "manifest.json").read_bytes())["config"]
    nothing: dict[str, object] = {"labels": [], "ignored_labels": [255], "causes": {}}
    assert config["answers"] == {"answers": ["quality", "cause", "tiles", "map"], **nothing}


@pytest.mark.slow
def test_export_command_with_objects_of_the_users_own_learns_from_them_and_says_so(
    checkpoint: Path, drives: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (own := tmp_path / "own").mkdir()
    red_cutout().save(own / "red.png")
    out, frames = tmp_path / "monitor", sorted(drives.iterdir())[::3]
    words = ["--ckpt", checkpoint, "--frames", *frames, "--out", out, "--mc-samples", "8", "--answers", "map"]
    words += ["--objects", own, "--group-by", "prefix", "--false-alarm-rate", "0.2"]
    assert export_command([str(word) for word in words]) == 0
    assert "learnt from drawn objects and 1 cut-out of the user's own" in " ".join(
        capsys.readouterr().out.replace("\N{BOX DRAWINGS LIGHT VERTICAL}", " ").split()
    )
    record = read_manifest(out).answers
    assert record is not None
    assert record.map is not None
    assert record.map.own_objects == 1
    with OoDMonitor(out) as monitor:
        assert monitor.self_test().passed
        assert monitor.assess(FrameFiles((drives,))[0]).anomaly_map is not None
