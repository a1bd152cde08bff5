# SPDX-License-Identifier: Apache-2.0
"""``python -m export evaluate`` from frames and labels to table, JSON, card and report."""

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import roc_auc_score

from export.calibration.evaluation_graphs import EvaluationGraphs
from export.cli import calibrate, evaluate
from export.data import SyntheticRoads, degrade
from export.detectors.registry import detectors_on_ind_frames
from export.errors import UsageError
from export.evaluation.evaluate import evaluate as run_evaluation
from export.evaluation.options import EvaluationOptions
from export.evaluation.peers import OtherScores
from export.features.frames import Features
from export.frames.files import FrameFiles
from export.frames.labels import check_one_frame_each, label_files
from lsood_runtime import OoDMonitor, read_manifest
from tests.conftest import FRAME_SIZE, write_scenes

Run = Callable[..., int]


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Clean scenes with labels, and dark ones."""
    folder = tmp_path_factory.mktemp("sets")
    for name in ("clean", "labels", "dark"):
        (folder / name).mkdir()
    scenes = SyntheticRoads(14, *FRAME_SIZE, seed=5)
    for i in range(14):
        frame, label = scenes[i]
        Image.fromarray(frame).save(folder / "clean" / f"{i:02d}.png")
        Image.fromarray(label).save(folder / "labels" / f"{i:02d}.png")
        Image.fromarray(frame // 6).save(folder / "dark" / f"d{i:02d}.png")
    return folder


@pytest.fixture
def run(bundle: Path, sets: Path, tmp_path: Path) -> Run:
    shutil.copytree(bundle, tmp_path / "monitor")

    def evaluated(*more: str, ind: str = "clean", synthetic: str = "fog") -> int:
        defaults = {"--ind": [str(sets / ind)], "--synthetic": [synthetic], "--severities": ["1", "4"]}
        left = [word for flag, values in defaults.items() if flag not in more for word in (flag, *values)]
        return evaluate.main([str(tmp_path / "monitor"), *left, *more])

    return evaluated


def test_evaluate_of_frames_gives_the_monitors_scores(
    run: Run, sets: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--ood", f"dark={sets / 'dark'}", "--labels", str(sets / "labels"), "--json", "--seed", "3") == 0
    got = json.loads(capsys.readouterr().out)
    files = FrameFiles([sets / "clean"])
    with OoDMonitor(tmp_path / "monitor") as monitor:
        clean = [monitor.score(frame) for frame in files]
        foggy = [monitor.score(degrade(frame, "fog", 4, 3 + i)) for i, frame in enumerate(files)]
        dark = [monitor.score(frame) for frame in FrameFiles([sets / "dark"])]
        threshold, parts = monitor.threshold, [f"part: {part.name}" for part in monitor.manifest.detector.parts]
    assert [shift["name"] for shift in got["shifts"]] == ["dark", "fog 1", "fog 4"]
    for shift, scores in ((got["shifts"][0], dark), (got["shifts"][2], foggy)):
        expected = roc_auc_score([0] * 14 + [1] * 14, clean + scores)
        assert shift["figures"]["auroc"][0] == pytest.approx(expected, abs=0.02)
        assert shift["figures"]["miss_rate"][0] == pytest.approx(np.mean(np.array(scores) <= threshold), abs=0.08)
    assert got["ind"]["false_alarm_rate"][0] == pytest.approx(np.mean(np.array(clean) > threshold), abs=0.08)
    assert got["shifts"][0]["mean_iou"] is None, "no label has the name of a dark frame"
    assert 0 <= got["shifts"][2]["mean_iou"] <= 1
    ranked = [failure["score"] for failure in got["failures"]]
    assert ranked[: len(parts) + 2] == ["this monitor", *parts, "predictive_entropy"]
    kinds = ("predictive_entropy", "maximum_softmax", "maximum_logit", "energy")
    aggregates = ("", ", q90", ", q95", ", worst5", ", boundary", ", interior")
    scores_of_the_output = {score + aggregate for score in kinds for aggregate in aggregates}
    assert set(got["shifts"][0]["peers"]) == scores_of_the_output | set(parts)


def test_evaluate_with_fit_frames_prints_the_table_and_updates_the_card(
    run: Run, sets: Path, frames: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (tmp_path / "monitor" / "segmentation.onnx").read_bytes()
    assert "not evaluated" in (tmp_path / "monitor" / "README.md").read_text()
    assert run("--every", "5", "--fit-frames", str(frames), "--update-card") == 0
    out = capsys.readouterr().out
    assert "False alarms:" in out
    manifest = read_manifest(tmp_path / "monitor")
    assert [shift["name"] for shift in manifest.evaluation["shifts"]] == ["fog 1", "fog 4"]
    assert [shift["frames"] for shift in manifest.evaluation["shifts"]] == [3, 3]
    card = (tmp_path / "monitor" / "README.md").read_text()
    assert f"| fog 4 | 3 | {manifest.evaluation['shifts'][1]['auroc']:.3f} |" in card
    assert "not evaluated" not in card
    assert (tmp_path / "monitor" / "segmentation.onnx").read_bytes() == before
    OoDMonitor(tmp_path / "monitor").close()  # every digest fits, the golden frames too


def test_evaluate_with_fit_frames_compares_every_detector_and_feature(
    run: Run, bundle: Path, frames: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--every", "7", "--fit-frames", str(frames), "--json") == 0
    peers = json.loads(capsys.readouterr().out)["shifts"][0]["peers"]
    graphs = EvaluationGraphs(bundle)
    keys = list(graphs(FrameFiles([frames])[0]).values)
    outputs = [key.words for key in keys if key.kind.is_output_score]
    assert {"energy", "energy, worst5", "maximum_softmax, boundary"} <= set(outputs)
    fitted = [
        f"{key}, {kind}"
        for key in keys
        if not key.kind.is_output_score
        for kind in detectors_on_ind_frames()
        if kind == "mahalanobis" or str(key) == "entropy" or key.layer in graphs.tap_layers
    ]
    assert f"moments/{graphs.tap_layers[0]}, knn" in fitted
    assert "logit_moments, mahalanobis" in fitted
    parts = [f"part: {part.name}" for part in graphs.manifest.detector.parts]
    assert list(peers) == [*parts, *outputs, *fitted, "picture alone"]
    assert all(0 <= value <= 1 for value in peers.values())


def test_evaluate_by_drives_of_a_table_leaves_them_out_and_counts_their_alarms(
    run: Run, sets: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "drives.csv"
    names = [f"{i:02d}.png" for i in range(14)] + [f"d{i:02d}.png" for i in range(14)]
    table.write_text("frame,drive\n" + "".join(f"{name},{name[-6]}{i % 10}\n" for i, name in enumerate(names)))
    assert run("--ood", f"dark={sets / 'dark'}", "--group-by", str(table), "--json", synthetic="fog") == 0
    got = json.loads(capsys.readouterr().out)
    with OoDMonitor(tmp_path / "monitor") as monitor:
        flagged = [monitor.score(frame) > monitor.threshold for frame in FrameFiles([sets / "clean"])]
    drives = {row["drive"]: row for row in got["ind"]["drives"]}
    assert sum(row["frames"] for row in drives.values()) == 14
    assert sum(row["flagged"] for row in drives.values()) == sum(flagged)
    assert run("--group-by", str(table), synthetic="none") == 0
    assert f"by leaving out the {len(drives)} in-distribution drives one at a time" in " ".join(
        capsys.readouterr().out.split()
    )
    unequal = {name: f"{name[-6]}{i % 7}" for i, name in enumerate(names)}
    table.write_text("frame,drive\n" + "".join(f"{name},{drive}\n" for name, drive in unequal.items()))
    assert run("--group-by", str(table), synthetic="none") == 0
    why = "No intervals (11 drives, which tell as much as 9.8 of equal size): an interval needs at least 10 drives of"
    assert why in " ".join(capsys.readouterr().out.split())
    table.write_text("frame,drive\n00.png,a\n")
    assert run("--group-by", str(table)) == 2
    assert "expected a drive for every frame" in capsys.readouterr().err


def test_evaluate_of_few_drives_prints_no_interval_and_says_why(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(synthetic="none") == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "No intervals (no --group-by tells drives apart): " in out
    assert re.search(r"False alarms: \d+.\d% of 14 in-distribution frames", out)
    assert run("--group-by", "folder", synthetic="none") == 0
    assert "No intervals (a single drive): " in " ".join(capsys.readouterr().out.split())


def test_evaluate_by_agreement_compares_class_maps_with_those_of_the_clean_frames(
    run: Run, sets: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = ["--labels", str(sets / "labels")]
    assert run("--json", "--seed", "3", "--every", "2", "--hurting", "agreement", *labels) == 0
    got = json.loads(capsys.readouterr().out)
    with OoDMonitor(tmp_path / "monitor") as monitor:
        agreement = [
            np.mean(
                np.asarray(monitor.assess(frame).segmentation)
                == np.asarray(monitor.assess(degrade(frame, "fog", 4, 3 + i)).segmentation)
            )
            for i, frame in enumerate(FrameFiles([sets / "clean"]))
            if i % 2 == 0
        ]
    fog = got["shifts"][1]
    assert fog["agreement"] == pytest.approx(np.mean(agreement), abs=1e-6)
    assert fog["hurting_share"] == pytest.approx(np.mean(np.array(agreement) < 0.85))
    assert fog["hurts"] == (np.mean(agreement) < 0.85)
    assert got["hurting"]["rule"] == "agreement"
    counted = sum(group["frames"] for name, group in got["hurting"].items() if name.endswith("frames") and group)
    assert counted == 14
    assert run("--json", *labels) == 0
    assert json.loads(capsys.readouterr().out)["hurting"]["rule"] == "labels"
    assert run("--hurting", "labels") == 2
    assert "expected labels to tell by what hurts" in capsys.readouterr().err


def test_evaluate_of_a_real_shift_without_labels_does_not_know_whether_it_hurts(
    run: Run, sets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--ood", f"dark={sets / 'dark'}", "--json", synthetic="none") == 0
    got = json.loads(capsys.readouterr().out)
    assert got["hurting"] is None
    assert got["shifts"][0]["hurts"] is None
    missed = got["shifts"][0]["figures"]["miss_rate"][0]
    assert [spot["known"] for spot in got["blind"]] == ([False] if missed > 0.2 else [])
    assert run("--ood", f"dark={sets / 'dark'}", synthetic="none") == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "It is not known which shifts hurt" in out
    assert "No baseline without a network: name frames" in out


def test_evaluate_with_labels_of_unknown_ids_or_some_frames_is_refused(
    run: Run, sets: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    some, unknown = tmp_path / "some", tmp_path / "unknown"
    some.mkdir()
    unknown.mkdir()
    shutil.copy(sets / "labels" / "03.png", some)
    for path in (sets / "labels").iterdir():
        Image.fromarray(np.full(FRAME_SIZE, 77, np.uint8)).save(unknown / path.name)
    assert run("--labels", str(some), synthetic="none") == 2
    assert "a label for every frame of in distribution, 00.png has none" in capsys.readouterr().err
    assert run("--labels", str(unknown), synthetic="none") == 2
    assert "name it by --ignore-label" in capsys.readouterr().err
    assert run("--labels", str(unknown), "--ignore-label", "77", "--json", synthetic="none") == 0
    assert json.loads(capsys.readouterr().out)["ind"]["mean_iou"] is None


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--ood", "dusk"], "NAME=PATH"),
        (["--ood", "x=nowhere"], "found nothing at nowhere"),
        (["--ood", "x=no*where"], "check the pattern"),
        (["--ood", "fog 4=a", "fog 4=b"], "is taken"),
        (["--ood", "in distribution=a"], "is taken"),
        (["--synthetic", "hail"], "got hail"),
        (["--severities", "6"], "severities from 1 to 5"),
        (["--every", "0"], "--every of at least 1"),
        (["--operating-point", "loose"], "got 'loose'"),
        (["--labels", "nowhere"], "folder of labels"),
        (["--report", "no/where"], "the folder no to exist"),
    ],
)
def test_evaluate_of_bad_input_ends_in_one_line(
    run: Run, more: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*more) in (1, 2)
    err = capsys.readouterr().err.strip()
    assert message in err
    assert err.splitlines()[-1].startswith("export: error: expected")


def test_evaluate_of_frames_of_another_size_names_the_file(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_scenes(tmp_path / "small", 2, seed=3, size=(40, 80))
    assert run("--ood", f"small={tmp_path / 'small'}", synthetic="none") == 2
    assert f"{tmp_path / 'small' / '0000.png'}: expected frames of 80 x 160 (height x width)" in capsys.readouterr().err


def test_evaluate_of_a_score_that_is_not_finite_names_the_frame_and_the_score(
    run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(_: OtherScores, features: Features, __: object) -> dict[str, np.ndarray]:
        return {"energy": np.where(np.arange(len(features)) == 3, np.nan, 1.0)}

    monkeypatch.setattr(OtherScores, "__call__", broken)
    assert run(synthetic="none") == 2
    err = capsys.readouterr().err
    assert "03.png (in distribution) has NaN or infinity by energy: look at it" in err


def test_label_files_of_a_folder_without_any_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="expected PNG labels in the folders given by --labels, found none"):
        label_files([tmp_path])


def test_label_files_of_one_name_in_two_folders_are_refused(tmp_path: Path) -> None:
    for drive in ("a", "b"):
        (tmp_path / drive).mkdir()
        (tmp_path / drive / "0001.png").touch()
    (tmp_path / "b" / "0002.png").touch()
    with pytest.raises(UsageError, match=r"one label of each name, got \S+a/0001\.png and \S+b/0001\.png"):
        label_files([tmp_path / "a", tmp_path / "b"])
    assert label_files([tmp_path / "b", tmp_path / "b"]).keys() == {"0001", "0002"}


def test_frames_of_one_set_that_share_a_label_are_refused() -> None:
    paths = [Path("a/0001.png"), Path("a/0002.png"), Path("b/0002.png")]
    with pytest.raises(UsageError, match=r"where labels are found by them, got a/0002\.png and b/0002\.png"):
        check_one_frame_each(paths, {"0001", "0002"})
    check_one_frame_each(paths, {"0001"})
    check_one_frame_each([*paths[:2], paths[0]], {"0001", "0002"})


def test_evaluate_of_a_set_that_is_compared_with_labels_of_another_says_so(
    run: Run, sets: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = write_scenes(tmp_path / "other", 3, seed=77)
    for path in other.iterdir():
        path.rename(path.with_name(f"{int(path.stem):02d}.png"))
    assert run("--ood", f"other={other}", "--labels", str(sets / "labels"), synthetic="none") == 0
    assert "3 frames of other are named as frames of in distribution and compared with the same labels" in " ".join(
        capsys.readouterr().err.split()
    )


def test_evaluate_with_labels_of_a_bundle_without_segmentation_is_refused(
    bundle: Path, sets: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = read_manifest(bundle)
    without = replace(manifest, segmentation=replace(manifest.segmentation, kind="none"))
    monkeypatch.setattr("export.evaluation.evaluate.EvaluationGraphs", lambda *_: SimpleNamespace(manifest=without))
    options = EvaluationOptions(bundle, (sets / "clean",), labels=(sets / "labels",))
    with pytest.raises(UsageError, match="this one has none: drop --labels"):
        run_evaluation(options)


def test_evaluate_of_frames_in_both_sets_is_refused(run: Run, sets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--ood", f"again={sets / 'clean'}") == 2
    assert "is in both" in capsys.readouterr().err


def test_evaluate_of_frames_that_calibrated_the_bundle_counts_them(
    bundle: Path, frames: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dark = tmp_path / "dark"
    dark.mkdir()
    for i, frame in enumerate(FrameFiles([frames])):
        if i < 30:
            Image.fromarray(frame // 8).save(dark / f"s{i:02d}.png")
    ood = ["--detector", "kde-classifier", "--ood-frames", str(dark), "--false-alarm-rate", "0.2"]
    fitted = tmp_path / "fitted"
    assert calibrate.main([str(bundle), "--frames", str(frames), *ood, "--out", str(fitted), "--quiet"]) == 0
    shutil.copytree(dark, tmp_path / "copy")
    sets = [f"fitted={dark}", f"new={tmp_path / 'copy'}"]
    arguments = [str(fitted), "--ind", str(frames), "--ood", *sets, "--synthetic", "none"]
    capsys.readouterr()
    assert evaluate.main([*arguments, "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert [shift["fitted_on"] for shift in figures["shifts"]] == [True, False]
    assert figures["ind"]["calibration_frames"] == 60
    assert figures["mean_auroc"] == figures["shifts"][1]["figures"]["auroc"][0]
    assert evaluate.main(arguments) == 0
    out = capsys.readouterr().out
    assert "fitted (fitted on)" in out
    assert "Careful: 60 of these frames" in out
