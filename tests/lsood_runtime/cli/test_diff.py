# SPDX-License-Identifier: Apache-2.0
"""``lsood diff``: which fields differ, and which frames are decided differently."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from lsood_runtime import OoDMonitor
from lsood_runtime._cli.main import run
from tests.lsood_runtime.answers_bundle import write_answers_bundle
from tests.lsood_runtime.conftest import random_frames, score_by_hand, seal, toy_manifest, toy_point
from tests.lsood_runtime.media.test_videos import CONTAINERS, write_video
from tests.lsood_runtime.parts_bundle import parts_manifest, write_parts_bundle


@pytest.fixture
def changed(toy_bundle: Path, tmp_path: Path) -> Path:
    """The toy bundle with its lower threshold as the default, and with another card."""
    folder = tmp_path / "changed"
    shutil.copytree(toy_bundle, folder)
    (folder / "manifest.json").unlink()
    (folder / "README.md").write_text("# Another toy\n")
    return seal(folder, toy_manifest() | {"operating_point": "half"})


@pytest.fixture
def drive(tmp_path: Path) -> Path:
    folder = tmp_path / "drive"
    folder.mkdir()
    for i, frame in enumerate(random_frames(12, seed=3)):
        Image.fromarray(frame).save(folder / f"{i:02d}.png")
    return folder


def test_diff_same_bundle_finds_nothing(toy_bundle: Path, drive: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["diff", str(toy_bundle), str(toy_bundle), str(drive)]) == 0
    assert capsys.readouterr().out == "the manifests are the same\n0 of 12 frames decided differently\n"


def test_diff_other_threshold_names_fields_and_flips(
    toy_bundle: Path, changed: Path, drive: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["diff", str(toy_bundle), str(changed)]) == 1
    text = capsys.readouterr().out
    assert "operating_point: 5% -> half\n" in text
    assert text.count("README.md") == 1
    assert "decided" not in text
    points = toy_manifest()["operating_points"]
    scores = [score_by_hand(frame) for frame in random_frames(12, seed=3)]
    expected = [i for i, score in enumerate(scores) if points["half"]["value"] < score <= points["5%"]["value"]]
    assert 0 < len(expected) < 12
    assert run(["diff", str(toy_bundle), str(changed), str(drive), "--json"]) == 1
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert [Path(flip["frame"]).stem for flip in document["flips"]] == [f"{i:02d}" for i in expected]
    assert {flip["new_state"] for flip in document["flips"]} == {"out_of_distribution"}
    assert document["frames"] == 12
    assert document["changes"]["operating_point"] == ["5%", "half"]


def test_diff_tells_an_answer_that_was_dropped_by_its_name(
    toy_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, with_map in (("mapped", True), ("unmapped", False)):
        (tmp_path / name).mkdir()
        write_answers_bundle(tmp_path / name, with_map=with_map)
    for one, other, after in (("mapped", "unmapped", " -> -"), ("unmapped", "mapped", ": - -> ")):
        run(["diff", str(tmp_path / one), str(tmp_path / other)])
        lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("answers")]
        (line,) = [line for line in lines if line.startswith("answers.map")]
        assert after in line
        assert "object_limit" in line
        assert "None" not in line
    run(["diff", str(tmp_path / "mapped"), str(toy_bundle)])
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("answers")]
    assert line.startswith("answers: ")
    assert line.endswith(" -> -")
    assert {"quality", "cause", "map"} <= {*line.replace(",", "").replace(":", "").split()}


def test_diff_change_without_flips_ends_with_0(toy_bundle: Path, tmp_path: Path, drive: Path) -> None:
    renamed = tmp_path / "renamed"
    shutil.copytree(toy_bundle, renamed)
    (renamed / "manifest.json").unlink()
    seal(renamed, toy_manifest() | {"name": "Another"})
    assert run(["diff", str(toy_bundle), str(renamed)]) == 1
    assert run(["diff", str(toy_bundle), str(renamed), str(drive)]) == 0


def test_diff_operating_point_of_one_bundle_is_named(
    toy_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = tmp_path / "more"
    shutil.copytree(toy_bundle, more)
    (more / "manifest.json").unlink()
    manifest = toy_manifest()
    manifest["calibration"]["scores"][-1] = 99.0
    manifest["operating_points"]["5%"] = toy_point(99.0, 0.05)
    manifest["operating_points"]["strict"] = toy_point(99.0, 0.08)
    seal(more, manifest)
    assert run(["diff", str(toy_bundle), str(more)]) == 1
    assert "operating_points.strict.value: - -> 99.0\n" in capsys.readouterr().out


def test_diff_bundles_of_other_cameras_are_refused(
    toy_bundle: Path, tmp_path: Path, drive: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "bgr"
    shutil.copytree(toy_bundle, other)
    (other / "manifest.json").unlink()
    manifest = toy_manifest()
    manifest["input"]["channels"] = "bgr"
    seal(other, manifest)
    OoDMonitor(other).close()
    assert run(["diff", str(toy_bundle), str(other), str(drive)]) == 2
    assert "two bundles for the same frames" in capsys.readouterr().err
    assert run(["diff", str(toy_bundle), str(tmp_path / "none")]) == 2


def test_diff_recalibrated_bundle_counts_scores_and_names_added_files(
    toy_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more = tmp_path / "more"
    shutil.copytree(toy_bundle, more)
    (more / "manifest.json").unlink()
    (more / "extra.txt").write_text("extra")
    manifest = toy_manifest()
    manifest["calibration"]["scores"] = manifest["calibration"]["scores"][:7]
    manifest["calibration"]["drives"] = {"noise": 7}
    manifest["operating_points"]["5%"] = toy_point(manifest["calibration"]["scores"][3], 0.5)
    manifest["operating_points"]["half"] = manifest["operating_points"]["5%"]
    manifest["calibration"]["source"] = "s" * 200
    seal(more, manifest)
    assert run(["diff", str(toy_bundle), str(more)]) == 1
    text = capsys.readouterr().out
    assert "calibration.scores: 19 scores -> 7 scores\n" in text
    assert "files.extra.txt: - -> 5 bytes, " in text
    assert f"calibration.source: noise -> {'s' * 86} ...\n" in text


def diffed(old: Path, new: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    assert run(["diff", str(old), str(new)]) == 1
    return capsys.readouterr().out.splitlines()


def test_diff_parts_changed_added_and_removed_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    write_parts_bundle(old, latent=True)
    shutil.copytree(old, new)
    (new / "manifest.json").unlink()
    manifest = parts_manifest(latent=True)
    entropies, logarithm, inverse, root = manifest["detector"]["parts"]
    more = inverse | {
        "name": "moments/backbone.layer2",
        "kind": "mahalanobis",
        "features": ["entropy", "moments/pixels"],
    }
    manifest["detector"]["parts"] = [entropies, root | {"weight": 0.25}, inverse, more]
    seal(new, manifest)
    assert sorted(diffed(old, new, capsys)) == [
        "detector.parts.logarithm: by-hand of moments/pixels -> -",
        "detector.parts.moments/backbone.layer2: - -> mahalanobis of entropy, moments/pixels",
        "detector.parts.root.weight: 1.0 -> 0.25",
    ]
    assert len(diffed(new, old, capsys)) == 3
    assert logarithm["name"] == "logarithm"


def test_diff_bundles_with_and_without_parts_name_features_and_parts(
    toy_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "parts"
    other.mkdir()
    lines = diffed(toy_bundle, write_parts_bundle(other), capsys)
    for line in (
        "features.latent_samples: (4, 3) -> -",
        "features.moments/pixels: - -> (3,)",
        "detector.parts.root: - -> by-hand of moments/pixels",
        "detector.kind: distance -> fused",
    ):
        assert line in lines
    assert run(["diff", str(toy_bundle), str(other), "--json"]) == 1
    changes = json.loads(capsys.readouterr().out)["changes"]
    assert changes["detector.parts.root"] == ["-", "by-hand of moments/pixels"]
    assert changes["features.moments/pixels"] == ["-", [3]]


def test_diff_of_frames_that_cannot_be_read_compares_the_others(
    toy_bundle: Path, changed: Path, drive: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (drive / "03.png").write_text("no image")
    Image.new("RGB", (9, 9), (1, 2, 3)).save(drive / "04.png")
    write_video(drive / "y.mkv", [0, 40], CONTAINERS["mkv"])
    (drive / "z.mp4").write_text("no video")
    assert run(["diff", str(toy_bundle), str(toy_bundle), str(drive)]) == 2
    out, err = capsys.readouterr()
    assert "0 of 10 frames decided differently" in out
    lines = err.splitlines()
    assert all(line.startswith("lsood: error: ") for line in lines)
    for name, line in zip(("03.png", "04.png", "y.mkv#000000", "y.mkv#000001", "z.mp4"), lines, strict=True):
        assert name in line
    assert run(["diff", str(toy_bundle), str(changed), str(drive)]) == 1
