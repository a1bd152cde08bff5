# SPDX-License-Identifier: Apache-2.0
"""``lsood inspect``: metadata as text and JSON, and the figures of an alarm."""

import re
from pathlib import Path

import pytest

import lsood_runtime
from lsood_runtime import Manifest
from lsood_runtime._cli.main import run
from tests.lsood_runtime.conftest import seal, toy_manifest
from tests.lsood_runtime.parts_bundle import write_parts_bundle


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal of which no line needs the end, but where a test asks for another."""
    monkeypatch.setenv("COLUMNS", "10000")


@pytest.mark.parametrize(("columns", "used"), [("60", 60), ("100", 100), (None, 80), ("10", 40)])
def test_inspect_breaks_lines_where_the_terminal_ends_and_loses_no_word(
    toy_bundle: Path,
    columns: str | None,
    used: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    command = ["inspect", str(toy_bundle), "--alarm", "3of5"]
    assert run(command) == 0
    whole = capsys.readouterr().out
    if columns is None:
        monkeypatch.delenv("COLUMNS")
    else:
        monkeypatch.setenv("COLUMNS", columns)
    assert run(command) == 0
    text = capsys.readouterr().out
    assert text.split() == whole.split()
    assert len(text.splitlines()) > len(whole.splitlines())
    for line in text.splitlines():
        assert len(line) <= used or len(line.split()) <= 2, "a word that is longer than a line is not broken"
    subjects = [line.split()[0] for line in whole.splitlines()]
    assert [line.split()[0] for line in text.splitlines() if not line.startswith(" ")] == subjects
    for form in (["--json"], ["--json", "--alarm", "3of5"]):
        assert run(["inspect", str(toy_bundle), *form]) == 0
        assert max(map(len, capsys.readouterr().err.splitlines())) > 78, "what goes with JSON is not broken"


def test_inspect_bundle_prints_text_or_json(toy_bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["inspect", str(toy_bundle)]) == 0
    text = capsys.readouterr().out
    manifest = toy_manifest()
    for fact in ("(6, 8, 3) uint8, RGB", "pixels: 3 dimensions", "4 fixed", "19 scores", "detector.onnx", "opset 20"):
        assert fact in text
    assert f"{manifest['operating_points']['5%']['value']:.3f} for 5.0% false alarms" in text
    assert text.count("[default]") == 1
    assert run(["inspect", str(toy_bundle), "--json"]) == 0
    out = capsys.readouterr().out
    assert Manifest.from_json(out) == lsood_runtime.read_manifest(toy_bundle)
    seal(toy_bundle, toy_manifest("none"))
    assert run(["inspect", str(toy_bundle)]) == 0
    assert "segmentation   none" in capsys.readouterr().out


def test_inspect_bundle_with_parts_shows_each_with_its_features(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["inspect", str(write_parts_bundle(tmp_path, latent=True))]) == 0
    lines = capsys.readouterr().out.splitlines()
    (features,) = [line for line in lines if line.startswith("features ")]
    assert features.endswith("latent_samples 4 x 3, moments/pixels 3")
    parts = [line for line in lines if line.startswith("part ")]
    assert [line.split()[1] for line in parts] == ["entropies", "logarithm", "inverse", "root"]
    assert parts[0].endswith("by-hand of entropy; weight 1, centre 0.5, scale 2")
    assert parts[1].endswith("by-hand of moments/pixels; weight 1, centre 0.5, scale 2")
    (detector,) = [line for line in lines if line.startswith("detector ")]
    assert detector.endswith("the sum of 4 parts")


def test_inspect_alarm_prints_delay_and_false_alarm_rate(toy_bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["inspect", str(toy_bundle), "--alarm", "3of5", "--fps", "20"]) == 0
    line = capsys.readouterr().out.splitlines()[-1]
    assert line.startswith("alarm: within 3 frames (0.15 s)")
    assert "false alarms an hour at 20 frames/s cannot be stated from 19 frames worth 19 independent ones" in line
    assert run(["inspect", str(toy_bundle), "--alarm", "1/h"]) == 0
    line = capsys.readouterr().out.splitlines()[-1]
    assert re.match(r"alarm: \d+of\d+, chosen for 1 false alarm an hour, which is not sure, within \d+ frames", line)
    for fps, made_for in (("10", ", made for 30 frames/s, which are 10 here (--fps), "), ("25", "")):
        assert run(["inspect", str(toy_bundle), "--alarm", "cusum:0.01h@30", "--fps", fps]) == 0
        line = capsys.readouterr().out.splitlines()[-1]
        assert line.startswith(f"alarm: {'cusum:0.01h@30' if made_for else ''}{made_for}within ")
    assert run(["inspect", str(toy_bundle), "--alarm", "hysteresis:0.001:0.5"]) == 2
    assert "this alarm cannot work with this bundle" in capsys.readouterr().err
    assert run(["watch", str(toy_bundle), str(toy_bundle), "--alarm", "hysteresis:0.001:0.5"]) == 2


def test_inspect_shows_what_a_long_name_means_below_it(
    toy_bundle: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    name = "a long name of an operating point"
    manifest = toy_manifest("none")
    manifest["operating_points"][name] = next(iter(manifest["operating_points"].values()))
    seal(toy_bundle, manifest)
    assert run(["inspect", str(toy_bundle)]) == 0
    lines = capsys.readouterr().out.splitlines()
    below = lines[lines.index(f"threshold {name}") + 1]
    assert below.startswith(" " * 25)
    assert " for 5.0% false alarms" in below
