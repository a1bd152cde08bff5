# SPDX-License-Identifier: Apache-2.0
"""A printed command is typed, and gives the options that it was printed from; so does a configuration file."""

import dataclasses
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from export.calibration.options import CalibrationOptions
from export.calibration.recalibration_options import RecalibrationOptions
from export.cli import calibrate, evaluate, evidence, export, search
from export.cli.config_file import config_arguments
from export.cli.console import ConsoleOptions
from export.cli.flags import CommandParser, options_from
from export.errors import UsageError
from export.evaluation.options import EvaluationOptions
from export.evidence.options import EvidenceOptions
from export.option_table import command_words, merged_command, options_of, with_words
from export.pipeline.options import ExportOptions
from export.search.options import SearchOptions
from tests.drawn_examples import examples
from tests.export.cli.option_values import options

if TYPE_CHECKING:
    from _typeshed import DataclassInstance as OptionTable

PARSERS: dict[type["OptionTable"], CommandParser] = {
    ExportOptions: export.build_parser(),
    RecalibrationOptions: calibrate.build_parser(),
    EvaluationOptions: evaluate.build_parser(),
    SearchOptions: search.build_parser(),
    EvidenceOptions: evidence.build_parser(),
    evaluate.EvaluationOutput: evaluate.build_parser(),
    evidence.EvidenceOutput: evidence.build_parser(),
    search.SearchOutput: search.build_parser(),
    export.LayerListing: export.build_parser(list_layers=True),
    export.ConfigFile: export.build_parser(),
}
NEEDED = {
    evaluate.EvaluationOutput: ["bundle", "--ind", "day"],
    evidence.EvidenceOutput: ["bundle", "--out", "pack"],
    search.SearchOutput: ["--ckpt", "x.ckpt", "--frames", "day"],
    export.ConfigFile: ["--ckpt", "x.ckpt", "--frames", "day", "--out", "monitor"],
}
"""What else the command must be given."""


@pytest.mark.parametrize("table", PARSERS, ids=lambda table: table.__name__)
@settings(max_examples=examples(100))
@given(data=st.data())
def test_command_words_of_any_options_when_typed_give_the_same_options(
    table: type["OptionTable"], data: st.DataObject
) -> None:
    wanted = data.draw(options(table))
    words = [*NEEDED.get(table, []), *command_words(wanted)]
    assert shlex.split(shlex.join(words)) == words
    got = options_from(PARSERS[table].parse(words), table)
    assert got == wanted
    if isinstance(wanted, ExportOptions):
        assert isinstance(got, ExportOptions)
        assert list(got.calibration.rates) == list(wanted.calibration.rates), "the first one is the default"


@settings(max_examples=examples(100), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(wanted=options(ExportOptions))
def test_config_file_of_any_options_gives_the_same_options(wanted: ExportOptions, tmp_path: Path) -> None:
    values = {}
    for option, value in zip(options_of(ExportOptions), flat(wanted), strict=True):
        held: object = value
        if option.flag.words is not None and not option.flag.words.mapping:
            held = option.words_of(value)
        elif isinstance(value, tuple):
            held = [str(item) if isinstance(item, Path) else item for item in value]
        elif isinstance(value, Path):
            held = str(value)
        if held != []:
            values[option.key] = held
    path = tmp_path / "export.yaml"
    path.write_text(yaml.safe_dump(values))
    words = config_arguments(path, options_of(ExportOptions), [])
    assert options_from(PARSERS[ExportOptions].parse(words), ExportOptions) == wanted


def flat(options: "OptionTable") -> list[object]:
    found: list[object] = []
    for item in dataclasses.fields(options):
        value = getattr(options, item.name)
        found += flat(value) if dataclasses.is_dataclass(value) else [value]  # type: ignore[arg-type]
    return found


MONITOR = ExportOptions(Path("x.ckpt"), (Path("day"),), Path("monitor"))


def test_command_words_of_defaults_are_what_must_be_given() -> None:
    assert command_words(MONITOR) == ["--ckpt", "x.ckpt", "--frames", "day", "--out", "monitor"]


def test_command_words_of_a_path_that_begins_with_a_dash_name_its_folder() -> None:
    words = command_words(dataclasses.replace(MONITOR, frames=(Path("-day"), Path("night"))))
    assert words[2:5] == ["--frames", "./-day", "night"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dataclasses.replace(MONITOR, seed=3), "one value for --seed"),
        (dataclasses.replace(MONITOR, model="--"), "behind --model, got --: -- is none"),
        (CalibrationOptions(threshold_drives=("-a", "b")), "behind --threshold-drives, got -a b"),
        (EvaluationOptions(Path("b"), (Path("day"),), severities=()), "behind --severities, got none"),
        (EvaluationOptions(Path("b"), (Path("day"),), ood={"dusk": (Path("a,b"),)}), "without a comma"),
        (SearchOptions(Path("x"), (Path("day"),), taps=("a,b",)), "without a comma"),
        (dataclasses.replace(MONITOR, model_args={"loss": print}), "numbers, strings, lists or mappings"),
        (dataclasses.replace(MONITOR, model_args={"rate": float("nan")}), "numbers, strings, lists or mappings"),
    ],
)
def test_command_words_of_what_cannot_be_typed_is_refused(options: "OptionTable", message: str) -> None:
    with pytest.raises(UsageError, match=message):
        command_words(options)


def test_console_options_exclude_one_another(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        evaluate.build_parser().parse(["bundle", "--ind", "day", "--verbose", "--quiet"])
    assert left.value.code == 2
    assert "not allowed with argument --verbose" in capsys.readouterr().err
    flags = evaluate.build_parser().parse(["bundle", "--ind", "day", "--quiet"])
    assert options_from(flags, ConsoleOptions) == ConsoleOptions(quiet=True)


BASE = ExportOptions(Path("x.ckpt"), (Path("day"),), Path("monitor"))


@settings(max_examples=examples(100), suppress_health_check=[HealthCheck.too_slow])
@given(wanted=options(ExportOptions))
def test_with_words_of_any_options_on_the_defaults_gives_the_same_options(wanted: ExportOptions) -> None:
    assert with_words(BASE, command_words(wanted)) == wanted


@settings(max_examples=examples(100), suppress_health_check=[HealthCheck.too_slow])
@given(before=options(ExportOptions), change=options(ExportOptions))
def test_merged_command_of_any_options_when_typed_gives_the_changed_options(
    before: ExportOptions, change: ExportOptions
) -> None:
    words = merged_command(ExportOptions, command_words(before), [command_words(change)])
    typed = PARSERS[ExportOptions].parse(words)
    try:
        expected = with_words(before, command_words(change))
    except UsageError:  # values of both that do not go together
        with pytest.raises(UsageError):
            options_from(typed, ExportOptions)
    else:
        assert options_from(typed, ExportOptions) == expected


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--mean", "1", "2"], "another number of values behind --mean, got 2: it takes R G B"),
        (["--block-size", "2.5"], "a value that --block-size takes, got 2.5: it takes B"),
        (["--block-size", "2", "3"], "got 2: it takes B"),
        (["--frames"], "got 0: it takes PATH ..."),
        (["--channels", "grey"], "--channels among rgb, bgr, got grey"),
        (["--model-arg", "depth"], "KEY=VALUE"),
        (["depth", "--seed", "1"], "words behind a flag, got depth"),
    ],
)
def test_with_words_that_cannot_be_read_is_refused(words: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message.replace("...", r"\.\.\.")):
        with_words(BASE, words)


def test_merged_command_with_placeholders_replaces_values_and_merges_keys() -> None:
    words = [
        "--ckpt",
        "x",
        "--mean",
        "128",
        "128",
        "128",
        "--model-arg",
        "depth=3",
        "width=2",
        "--tap",
        "old",
        "--fuse",
    ]
    changes = ["--mean VALUE VALUE VALUE", "--model-arg width=VALUE classes=VALUE", "--tap new", "--block-size VALUE"]
    got = merged_command(ExportOptions, words, [change.split() for change in changes])
    assert shlex.join(got) == (
        "--ckpt x --mean VALUE VALUE VALUE --model-arg depth=3 width=VALUE classes=VALUE --tap new --fuse --block-size VALUE"
    )
