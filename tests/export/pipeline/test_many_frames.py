# SPDX-License-Identifier: Apache-2.0
"""An export on many frames says at once which two commands measure them better."""

import shlex
from pathlib import Path

import pytest

from export.calibration.recalibration_options import RecalibrationOptions
from export.cli import calibrate, export
from export.cli.flags import options_from
from export.frames.files import FrameFiles
from export.pipeline import many_frames
from export.pipeline.many_frames import MANY_FRAMES, many_frames_advice
from export.pipeline.options import ExportOptions
from export.pipeline.plan import plan_export
from tests.export.pipeline.told_reporter import ToldReporter


def test_many_frames_advice_of_few_frames_is_none() -> None:
    assert many_frames_advice(MANY_FRAMES - 1, (Path("day"),), Path("monitor")) is None


@pytest.mark.parametrize("frames", [("day",), ("a day", "-night"), ("a", "b", "c", "d", "e")])
def test_many_frames_advice_names_a_command_that_calibrate_accepts(frames: tuple[str, ...]) -> None:
    text = many_frames_advice(MANY_FRAMES, tuple(map(Path, frames)), Path("runs/my monitor"))
    assert text is not None
    assert "\n" not in text
    assert "export on the frames of a few drives" in text
    words = shlex.split(text.partition("then run ")[2].partition(", with the same options")[0])
    assert words[:4] == ["python", "-m", "export", "calibrate"]
    options = options_from(calibrate.build_parser().parse(words[4:]), RecalibrationOptions)
    assert options.bundle == Path("runs/my monitor")
    assert options.save_features == Path("runs/my monitor-features")
    assert options.workers >= 1
    assert options.frames[:3] == tuple(map(Path, frames[:3]))


@pytest.mark.parametrize("many", [True, False])
def test_plan_export_of_many_frames_gives_the_advice_before_any_is_measured(
    checkpoint: Path, frames: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, many: bool
) -> None:
    monkeypatch.setattr(many_frames, "MANY_FRAMES", len(FrameFiles([frames])) + (not many))
    reporter = ToldReporter()
    given = ExportOptions(checkpoint, frames=(frames,), out=tmp_path / "monitor")
    assert plan_export(given, reporter).inputs is not None
    advice = [text for text in reporter.lines if "--save-features" in text]
    assert len(advice) == many
    assert all(str(frames) in text for text in advice)


def test_export_help_names_the_two_commands_for_many_frames(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        export.main(["--help"])
    printed = " ".join(capsys.readouterr().out.split())
    assert "Thousands of frames take two commands" in printed
    assert "python -m export calibrate monitor/ --frames drives/ --save-features features/ --workers 4" in printed
