# SPDX-License-Identifier: Apache-2.0
"""``python -m export calibrate``: a new detector around an old network, without torch."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import numpy_helper

from export.calibration.evaluation_graphs import EvaluationGraphs, measure
from export.calibration.options import CalibrationOptions
from export.calibration.recalibration_options import RecalibrationOptions
from export.cli import calibrate
from export.errors import CalibrationError, UsageError
from export.features.files import load_features, save_features
from export.features.frames import Features
from export.features.key import FeatureKey
from export.frames.files import FrameFiles
from export.frames.reading_options import ReadingOptions
from export.recalibrate import recalibrate
from lsood_runtime import BundleError, OoDMonitor, read_manifest
from lsood_runtime.offline import PixelsRecord
from tests.conftest import write_scenes
from tests.paths import FROZEN_FUSED_BUNDLE

Recalibrate = Callable[..., Path]


@pytest.fixture(scope="session")
def drives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three drives of 24 frames each, told apart by the names of their files."""
    folder = tmp_path_factory.mktemp("drives")
    for i, name in enumerate("abc"):
        write_scenes(folder / name, 24, seed=10 + i)
        for path in sorted((folder / name).iterdir()):
            path.rename(folder / f"{name}_{path.name}")
        (folder / name).rmdir()
    return folder


@pytest.fixture
def again(bundle: Path, drives: Path, tmp_path: Path) -> Recalibrate:
    def run(**options: object) -> Path:
        calibration = CalibrationOptions(rates={"20%": 0.2, "half": 0.5}, group_by="prefix")
        chosen = {"bundle": bundle, "out": tmp_path / "new", "frames": (drives,), "calibration": calibration} | options
        made = RecalibrationOptions(**chosen)  # type: ignore[arg-type]
        recalibrate(made)
        return made.destination

    return run


def test_recalibrate_on_new_frames_scores_by_them(again: Recalibrate, bundle: Path, drives: Path) -> None:
    before = {path.name: path.read_bytes() for path in bundle.iterdir()}
    out = again()
    assert {path.name: path.read_bytes() for path in bundle.iterdir()} == before, "the old bundle is left as it is"
    old, new = read_manifest(bundle), read_manifest(out)
    assert new.network_sha256 == old.network_sha256
    assert new.masks == old.masks
    assert list(new.operating_points) == ["20%", "half"]
    assert new.operating_point == "20%"
    assert new.calibration.drives == new.calibration.fit_drives == {"a": 24, "b": 24, "c": 24}
    assert new.threshold.folds == 3
    with OoDMonitor(out) as monitor:  # replays the golden frames
        assert monitor.threshold == new.operating_points["20%"].value


def test_recalibrate_records_what_was_stated_of_its_frames_and_takes_it_from_the_bundle_again(
    again: Recalibrate, bundle: Path, tmp_path: Path
) -> None:
    assert read_manifest(bundle).pixels == PixelsRecord()
    first = again(reading=ReadingOptions(grey=True, bits=12))
    assert read_manifest(first).pixels == PixelsRecord(grey=True, bits=12)
    assert "| images read | grey ones as colour, 12 of 16 bits |" in (first / "README.md").read_text()
    second = again(bundle=first, out=tmp_path / "second", reading=ReadingOptions(bits=16))
    assert read_manifest(second).pixels == PixelsRecord(grey=True, bits=16)


def test_recalibrate_with_threshold_drives_scores_them_as_the_monitor_does(again: Recalibrate, drives: Path) -> None:
    rates = {"20%": 0.2, "half": 0.5}
    out = again(calibration=CalibrationOptions(rates=rates, group_by="prefix", threshold_drives=("b", "c")))
    new, files = read_manifest(out), FrameFiles([drives])
    assert new.calibration.drives == {"b": 24, "c": 24}
    assert new.calibration.fit_drives == {"a": 24}, "whole drives are held out"
    with OoDMonitor(out) as monitor:
        held_out = [monitor.score(files[i]) for i, path in enumerate(files.paths) if path.name[0] in "bc"]
    np.testing.assert_allclose(np.sort(held_out), new.calibration.scores, rtol=1e-4, atol=1e-3)


def test_recalibrate_leaves_the_network_as_it_is(again: Recalibrate, bundle: Path) -> None:
    out = again()
    old, new = (onnx.load(folder / "segmentation.onnx").graph for folder in (bundle, out))
    assert [node.SerializeToString() for node in new.node] == [node.SerializeToString() for node in old.node]
    for a, b in zip(old.initializer, new.initializer, strict=True):
        np.testing.assert_array_equal(numpy_helper.to_array(a), numpy_helper.to_array(b))


def test_recalibrate_from_shards_equals_one_pass(
    again: Recalibrate, bundle: Path, drives: Path, tmp_path: Path
) -> None:
    whole = again(save_features=tmp_path / "whole.npz")
    graphs = EvaluationGraphs(bundle)
    files = FrameFiles([drives])
    rows = list(measure(graphs, zip(map(str, files.paths), files, strict=True)))
    shards = []
    for i, part in enumerate((rows[:10], rows[10:50], rows[50:])):
        shards.append(tmp_path / f"{i}.npz")
        save_features(shards[-1], Features.collect(part), graphs.manifest.network_sha256)
    joined = again(frames=(), features=tuple(shards), out=tmp_path / "joined")
    again(frames=(), features=(tmp_path / "whole.npz",), out=tmp_path / "from_file")
    scores = {}
    for out in (whole, joined, tmp_path / "from_file"):
        with OoDMonitor(out) as monitor:
            scores[out] = [monitor.score(files[i]) for i in (0, 30, 70)]
            assert read_manifest(out).operating_points == read_manifest(whole).operating_points
    assert len(set(map(tuple, scores.values()))) == 1


@pytest.mark.parametrize("kind", ["mahalanobis", "knn", "auto"])
def test_recalibrate_with_another_detector_writes_a_bundle_that_runs(
    again: Recalibrate, drives: Path, kind: str
) -> None:
    calibration = CalibrationOptions(detector=kind, rates={"20%": 0.2}, group_by="prefix")
    out = again(calibration=calibration)
    manifest = read_manifest(out)
    assert manifest.detector.kind == kind or kind == "auto"
    assert manifest.detector.reason.startswith("first of " if kind == "auto" else "asked for")
    with OoDMonitor(out) as monitor:
        assert np.isfinite(monitor.score(FrameFiles([drives])[0]))


@pytest.mark.parametrize(
    ("other", "reads"),
    [
        (CalibrationOptions(detector="kde"), ["latent_samples"]),
        (
            CalibrationOptions(detector="mahalanobis", reads=("moments/deep.2", "logit_moments")),
            ["moments/deep.2", "logit_moments"],
        ),
        (CalibrationOptions(detector="vim"), ["moments/drop_block1", "energy/mean"]),
        (CalibrationOptions(parts=("knn@class_share", "output-score@energy/q95")), ["class_share", "energy/q95"]),
    ],
    ids=lambda value: value.detector if isinstance(value, CalibrationOptions) else "",
)
def test_recalibrate_to_another_detector_and_back_scores_as_before(
    other: CalibrationOptions, reads: list[str], tmp_path: Path
) -> None:
    """From the default detector to one that reads other outputs of the network; ``evaluation.onnx`` holds them all."""
    frames = FrameFiles([write_scenes(tmp_path / "scenes", 24, seed=3, size=(32, 64))])
    default = CalibrationOptions(rates={"20%": 0.2})
    chain = [FROZEN_FUSED_BUNDLE]
    for name, calibration in (("first", default), ("other", replace(other, rates=default.rates)), ("back", default)):
        out = tmp_path / name
        recalibrate(RecalibrationOptions(chain[-1], out, (tmp_path / "scenes",), calibration=calibration))
        chain.append(out)
    _, first, changed, back = chain
    given = [output.name for output in onnx.load(changed / "segmentation.onnx").graph.output]
    assert given == ["segmentation", *reads] == ["segmentation", *read_manifest(changed).features]
    assert read_manifest(back).features == read_manifest(first).features
    for old, new in zip(read_manifest(first).detector.parts, read_manifest(back).detector.parts, strict=True):
        assert (new.name, new.features, new.kind, new.weight) == (old.name, old.features, old.kind, old.weight)
        assert (new.centre, new.scale) == pytest.approx((old.centre, old.scale), rel=1e-4)
    with OoDMonitor(first) as before, OoDMonitor(changed) as between, OoDMonitor(back) as after:
        for i in (0, 23):
            assert after.assess(frames[i]).parts == pytest.approx(before.assess(frames[i]).parts, rel=1e-4, abs=1e-4)
            assert np.isfinite(between.score(frames[i]))


def test_recalibrate_with_a_classifier_needs_out_of_distribution_frames(
    again: Recalibrate, drives: Path, tmp_path: Path
) -> None:
    ood = tmp_path / "ood"
    ood.mkdir()
    for i, frame in enumerate(FrameFiles([drives])):
        if i < 30:
            from PIL import Image

            Image.fromarray(frame // 8).save(ood / f"{i:02d}.png")
    calibration = CalibrationOptions(
        detector="kde-classifier", ood_frames=(ood,), rates={"20%": 0.2}, group_by="prefix"
    )
    out = again(calibration=calibration)
    assert read_manifest(out).detector.fit_ood_frames == 30
    with OoDMonitor(out) as monitor:
        dark = [monitor.score(frame) for frame in list(FrameFiles([ood]))[:5]]
        clean = [monitor.score(frame) for frame in list(FrameFiles([drives]))[:5]]
    assert min(dark) > max(clean)
    for broken in (
        CalibrationOptions(detector="kde-classifier", rates={"20%": 0.2}),
        CalibrationOptions(detector="kde", ood_frames=(ood,), rates={"20%": 0.2}),
        CalibrationOptions(detector="auto", pca=3, rates={"20%": 0.2}),
    ):
        with pytest.raises(UsageError, match="--detector"):
            again(calibration=broken, out=tmp_path / "never")
    assert not (tmp_path / "never").exists()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"frames": ()}, UsageError, "either --frames or --features"),
        ({"features": (Path("x.npz"),)}, UsageError, "either --frames or --features"),
        (
            {"frames": (), "features": (Path("x.npz"),), "calibration": CalibrationOptions(detector="auto")},
            UsageError,
            "expected --frames with --detector auto, got --features",
        ),
        (
            {"frames": (), "features": (Path("x.npz"),), "save_features": Path("y.npz")},
            UsageError,
            "--save-features together with --frames",
        ),
        ({"bundle": Path("nowhere")}, BundleError, "bundle folder"),
        ({"calibration": CalibrationOptions(rates={"1%": 0.01})}, CalibrationError, "99"),
        ({"calibration": CalibrationOptions(rates={"20%": 0.2}, guarantee="drives")}, CalibrationError, "drive"),
    ],
)
def test_recalibrate_of_wrong_options_is_refused_and_writes_nothing(
    again: Recalibrate, tmp_path: Path, options: dict[str, object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        again(**options)
    assert list(tmp_path.iterdir()) == []


def test_load_features_of_wrong_files_is_refused(bundle: Path, drives: Path, tmp_path: Path) -> None:
    network = read_manifest(bundle).network_sha256
    files = FrameFiles([drives])
    graphs = EvaluationGraphs(bundle)
    features = Features.collect(measure(graphs, zip(map(str, files.paths[:3]), files, strict=False)))
    path = tmp_path / "a.npz"
    save_features(path, features, network)
    np.testing.assert_array_equal(
        load_features([path], network).rows(FeatureKey.entropy()), features.rows(FeatureKey.entropy())
    )
    with pytest.raises(UsageError, match="is there twice"):
        load_features([path, path], network)
    with pytest.raises(UsageError, match="of another"):
        load_features([path], "0" * 64)
    with pytest.raises(UsageError, match=r"\.npz"):
        save_features(tmp_path / "a.csv", features, network)
    with pytest.raises(UsageError, match="to write"):
        save_features(tmp_path / "no" / "a.npz", features, network)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(UsageError, match="cannot read"):
        load_features([path], network)
    (tmp_path / "a.npz").write_text("no archive")
    with pytest.raises(UsageError, match=r"cannot read .*a\.npz \(ValueError\): name one that --save-features wrote"):
        load_features([path], network)
    assert [p.name for p in tmp_path.iterdir()] == ["a.npz"]


_WITHOUT_TORCH = """
import sys

class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "pytorch_lightning"):
            raise ImportError("no torch here")

sys.meta_path.insert(0, NoTorch())
from export.__main__ import main
main()
"""


def test_calibrate_command_runs_without_torch(bundle: Path, drives: Path, tmp_path: Path) -> None:
    shutil.copytree(bundle, tmp_path / "monitor")
    command = [sys.executable, "-c", _WITHOUT_TORCH, "calibrate", str(tmp_path / "monitor"), "--frames", str(drives)]
    done = subprocess.run(
        [*command, "--false-alarm-rate", "0.2", "--group-by", "prefix"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "20%" in done.stdout
    last = done.stdout.strip().splitlines()[-1]
    assert last.startswith("next: python -m lsood_runtime diff ")
    assert json.loads((tmp_path / "monitor-recalibrated" / "manifest.json").read_text())["operating_point"] == "20%"
    once_more = subprocess.run([*command, "--false-alarm-rate", "0.2"], capture_output=True, text=True, check=False)
    assert once_more.returncode == 2
    assert "--overwrite" in once_more.stderr
    in_place = ["--false-alarm-rate", "0.2", "--out", str(tmp_path / "monitor"), "--overwrite"]
    replaced = subprocess.run([*command, *in_place], capture_output=True, text=True, check=True)
    assert replaced.stdout.endswith(f"next: python -m lsood_runtime inspect {tmp_path / 'monitor'}\n")
    import_torch = subprocess.run(
        [sys.executable, "-c", _WITHOUT_TORCH, "--ckpt", "x", "--frames", "y", "--out", "z"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "no torch here" in import_torch.stderr, "a process without torch must be one"


def test_calibrate_help_names_options_and_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        calibrate.main(["--help"])
    text = capsys.readouterr().out
    for word in ("--group-by", "--features", "19 drives", "exit codes"):
        assert word in text


def test_recalibrate_of_every_form_with_noise_inputs_renews_the_graphs(
    export_small: Callable[..., Path], drives: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = export_small(masks="input", fuse=True, format="torchscript")
    arguments = [str(old), "--frames", str(drives), "--out", str(tmp_path / "new"), "--false-alarm-rate", "0.2"]
    assert calibrate.main(arguments) == 0
    assert "only an export can make it: monitor.pt" in capsys.readouterr().err
    manifest = read_manifest(tmp_path / "new")
    assert "monitor.onnx" in manifest.files
    assert manifest.masks == read_manifest(old).masks
    frame = FrameFiles([drives])[5]
    noise = [np.random.default_rng(0).random((8, *shape), dtype=np.float32) for shape in manifest.masks.noise]
    with OoDMonitor(tmp_path / "new") as monitor:  # replays the golden frames with the old bundle's noise
        expected = monitor.score(frame, noise)
    weights = (tmp_path / "new" / "weights.bin").read_bytes()
    options = ort.SessionOptions()
    options.add_external_initializers_from_files_in_memory(["weights.bin"], [weights], [len(weights)])
    fused = ort.InferenceSession((tmp_path / "new" / "monitor.onnx").read_bytes(), options)
    feed = {"frame": frame[None]} | {f"noise_{i}": values[None] for i, values in enumerate(noise)}
    assert fused.run(["score"], feed)[0][0] == pytest.approx(expected, rel=1e-4)
