# SPDX-License-Identifier: Apache-2.0
"""Whole numbers beyond any use, or below it, are refused in one line by every command, before any work of that size."""

import io
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from export.calibration.answer_options import AnswerOptions
from export.calibration.recalibration_options import RecalibrationOptions
from export.checkpoint.load import Checkpoint
from export.cli import calibrate, evaluate, export, search
from export.cli.config_file import config_arguments
from export.errors import ConversionError, UsageError
from export.evaluation.options import EvaluationOptions
from export.option_table import Option, check_limits, options_of
from export.pipeline.export_monitor import plan_export
from export.pipeline.network_constants import resolve_preprocessing
from export.pipeline.options import ExportOptions
from export.pipeline.random_frames import random_frames
from export.search.options import SearchOptions
from tests.networks import NoDropout, block

ABSURD = (10**6, 10**12, 10**30)
COMMANDS: dict[str, tuple[Callable[[list[str]], int], type[Any], list[str]]] = {
    "export": (export.main, ExportOptions, ["--ckpt", "x.pt", "--frames", "day", "--out", "monitor"]),
    "dry run": (export.main, ExportOptions, ["--ckpt", "x.pt", "--dry-run"]),
    "search": (search.main, SearchOptions, ["--ckpt", "x.pt", "--frames", "day"]),
    "evaluate": (evaluate.main, EvaluationOptions, ["monitor", "--ind", "day"]),
    "calibrate": (calibrate.main, RecalibrationOptions, ["monitor", "--frames", "day"]),
}
CONSTANTS: dict[str, Any] = {"mean": (0.5,) * 3, "std": (0.25,) * 3}


def whole_numbers(table: type[Any]) -> Iterator[Option]:
    """Options of whole numbers without choices."""
    seen = set()
    for option in options_of(table):
        if option.parse is int and not option.choices and option.name not in seen:
            seen.add(option.name)
            yield option


def cases() -> Iterator[tuple[str, str]]:
    for command, (_, table, _words) in COMMANDS.items():
        yield from ((command, option.name) for option in whole_numbers(table))


@pytest.mark.parametrize(("command", "name"), [*cases()])
def test_command_with_a_number_beyond_its_limit_is_refused_in_one_line(
    command: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    main, table, words = COMMANDS[command]
    option = next(option for option in whole_numbers(table) if option.name == name)
    least, most = option.flag.least, option.flag.most
    if name == "--severities":  # has a message of its own, which names all severities
        return
    assert least is not None, f"{name} has no lower limit"
    assert most is not None, f"{name} has no limit"
    count = option.count if isinstance(option.count, int) else 1
    too_great = (most + 1, *(value for value in ABSURD if value > most))
    for number in (*too_great, least - 1, -(10**12)):
        errors = io.StringIO()
        with redirect_stderr(errors), redirect_stdout(io.StringIO()):
            assert main([*words, name, *[str(number)] * count]) == 2
        (line,) = errors.getvalue().splitlines()
        allowed = f"at most {most}" if number > most else f"at least {least}"
        other = "smaller" if number > most else "greater"
        assert line == f"export: error: expected {name} of {allowed}, got {number}: give a {other} number"


@pytest.mark.parametrize("table", [ExportOptions, EvaluationOptions, RecalibrationOptions])
def test_ignored_label_ends_where_the_ids_of_a_byte_do(table: type[Any]) -> None:
    (option,) = (option for option in whole_numbers(table) if option.name == "--ignore-label")
    assert option.flag.most == np.iinfo(np.uint8).max


def test_check_limits_of_options_of_a_library_call_refuses_them_too() -> None:
    options = ExportOptions(Path("x.pt"), (Path("day"),), Path("monitor"))
    check_limits(options)
    with pytest.raises(UsageError, match="--block-size of at most 4096, got 1000000000000"):
        check_limits(replace(options, block_size=10**12))
    with pytest.raises(UsageError, match="--folds of at most"):
        check_limits(replace(options, calibration=replace(options.calibration, folds=10**30)))
    with pytest.raises(UsageError, match="--road-class of at least 0, got -1: give a greater number"):
        check_limits(replace(options, answers=AnswerOptions(("map",), road_classes=(0, -1))))


@pytest.mark.parametrize("number", ABSURD)
@pytest.mark.parametrize("place", ["input_size", "hyper-parameter", "crop", "frames"])
def test_resolve_preprocessing_of_more_pixels_than_fit_in_memory_is_refused(number: int, place: str) -> None:
    number = min(number, 10**12) if place == "hyper-parameter" else number  # of which a float holds every digit
    by_place: dict[str, dict[str, Any]] = {
        "input_size": {"input_size": (number, number)},
        "crop": {"crop": (0, 0, number, number)},
    }
    flags = by_place.get(place, {})
    known = {"input_size": number} if place == "hyper-parameter" else {}
    frames: Any = SimpleNamespace(shape=(number, number, 3) if place in ("frames", "crop") else (32, 64, 3))
    options = ExportOptions(Path("x.pt"), (Path("day"),), Path("monitor"), **CONSTANTS, **flags)
    checkpoint = Checkpoint(NoDropout().eval(), known, Path("x.pt"))
    refusal = "expected .* of at most 67108864 pixels, got 10{6,} x 10{6,}: give the rows"
    with pytest.raises(UsageError, match=refusal):
        resolve_preprocessing(options, checkpoint, frames)
    if place != "frames":
        with pytest.raises(UsageError, match=refusal):
            random_frames(options, checkpoint)


def test_absurd_number_in_a_configuration_file_is_refused_as_the_flag(tmp_path: Path) -> None:
    file = tmp_path / "options.yaml"
    file.write_text("block-size: 1000000000000\n")
    words = config_arguments(file, [*options_of(ExportOptions)], [])
    errors = io.StringIO()
    with redirect_stderr(errors):
        assert export.main(["--ckpt", "x.pt", "--dry-run", *words]) == 2
    assert "expected --block-size of at most 4096" in errors.getvalue()


class OneFrame(nn.Module):
    """Writes the number of frames, one, into a shape."""

    def __init__(self) -> None:
        super().__init__()
        self.down, self.head = block(3, 12, stride=2), nn.Conv2d(12, 5, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.down(x)
        y = y.view(1, 12, y.shape[2], y.shape[3])
        z: Tensor = self.head(y)
        return z


def test_plan_of_a_network_for_one_frame_without_a_tap_names_its_line_and_the_remedy(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = OneFrame().eval()
    options = ExportOptions(None, (), tmp_path / "monitor", input_size=(32, 64), **CONSTANTS)
    for tap in ((), ("down",)):
        plan = plan_export(replace(options, tap=tap), network=network)
        (error,) = [problem for problem in plan.problems if isinstance(problem, ConversionError)]
        assert "got a shape for one frame" in str(error)
        assert "y.view(1, 12, y.shape[2], y.shape[3])" in str(error)
        assert str(error).endswith("write x.shape[0] or -1 for the batch, not 1")
