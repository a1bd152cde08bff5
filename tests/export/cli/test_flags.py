# SPDX-License-Identifier: Apache-2.0
"""The flags of every command: which there are, what they default to, and what a wrong one is answered."""

import argparse
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import pytest

from export.anomalies import ANOMALIES, COMMON_KINDS
from export.benchmark.options import BenchmarkOptions
from export.calibration.recalibration_options import RecalibrationOptions
from export.cli import benchmark, calibrate, evaluate, evidence, export, fleet, search
from export.cli.console import ConsoleOptions
from export.cli.flags import CommandParser, options_from
from export.errors import UsageError
from export.evaluation.options import EvaluationOptions
from export.evidence.options import EvidenceOptions
from export.fleet.options import FleetOptions
from export.option_table import options_of
from export.pipeline.options import ExportOptions
from export.search.options import SearchOptions

if TYPE_CHECKING:
    from _typeshed import DataclassInstance as OptionTable

CALIBRATION = """
--detector --parts --reads --ood-frames --standardise --pca --false-alarm-rate --group-by --threshold-drives --folds
--guarantee --weigh --train-frames --seed
"""
NETWORK = """
--ckpt --frames --model --model-arg --key --prefix --trust-checkpoint --network-output --input-size --crop --resize --pad
--channels --network-channels --segmentation --method --output --only-tap --mean --std --neighbors
--drop-prob --block-size --token-grid --force --grey --bits
"""
ANSWERS = "--answers --labels --ignore-label --cause --road-class --objects"
ALWAYS = "-h --help --verbose --quiet"

FLAGS = {
    export: f"""{ALWAYS} {NETWORK} {CALIBRATION} {ANSWERS} --config --license --out --overwrite --dry-run --interactive
        --list-layers --tile-grid --tap --feature-layers --mc-samples --masks --fuse --format --precision --max-flips
        --max-auroc-loss --max-pixel-changes""",
    calibrate: f"""{ALWAYS} {CALIBRATION} {ANSWERS} --frames --grey --bits --features --save-features --out --overwrite
        --workers --threads""",
    evaluate: f"""{ALWAYS} --ind --ood --synthetic --severities --every --labels --ignore-label --group-by --fit-frames
        --masks --unknown-mask --known-mask --void-mask --grey --bits --operating-point --hurting --seed --threads --report
        --json --update-card""",
    benchmark: f"""{ALWAYS} --root --ind --out --datasets --fit --resize --most --operating-point --seed --threads""",
    evidence: f"{ALWAYS} --report --certificate --junit --requirements --out --require-supported",
    search: f"""{ALWAYS} {NETWORK} --ood-frames --out --json --taps --feature-layers --samples --detectors --pca --shifts
        --severity --every --group-by --timed --no-guide --seed --dry-run""",
    fleet: f"{ALWAYS} --out --rate --min-frames",
}
"""A flag that is listed here is promised to users: it may gain values, and never goes."""

NEEDED = {
    export: ["--ckpt", "x.ckpt", "--frames", "day", "--out", "monitor"],
    calibrate: ["monitor"],
    evaluate: ["monitor", "--ind", "day"],
    benchmark: ["monitor", "--root", "data", "--ind", "acdc", "--out", "results"],
    evidence: ["monitor", "--out", "pack"],
    search: ["--ckpt", "x.ckpt", "--frames", "day"],
    fleet: ["summaries", "--out", "fleet"],
}
commands = pytest.mark.parametrize("command", FLAGS, ids=lambda command: command.__name__.rpartition(".")[2])


def actions(command: ModuleType) -> list[argparse.Action]:
    parser: CommandParser = command.build_parser()
    return parser._actions


@commands
def test_flags_of_a_command_are_those_promised(command: ModuleType) -> None:
    found = [option for action in actions(command) for option in action.option_strings]
    assert sorted(found) == sorted(FLAGS[command].split())
    positional = [action.dest for action in actions(command) if not action.option_strings]
    bundles = (benchmark, calibrate, evaluate, evidence)
    assert positional == (["summaries"] if command is fleet else ["bundle"] if command in bundles else [])


@commands
def test_help_of_a_command_shows_examples_and_exit_codes(
    command: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        command.main(["--help"])
    assert left.value.code == 0
    text = capsys.readouterr().out
    assert text.startswith("usage: python -m export")
    assert "\nexamples:\n  python -m export" in text
    assert "\nexit codes: 0 done" in text
    assert all(action.help for action in actions(command))


@pytest.mark.parametrize(
    ("command", "table", "expected"),
    [
        (export, ExportOptions, ExportOptions(Path("x.ckpt"), (Path("day"),), Path("monitor"))),
        (calibrate, RecalibrationOptions, RecalibrationOptions(Path("monitor"))),
        (evaluate, EvaluationOptions, EvaluationOptions(Path("monitor"), (Path("day"),))),
        (benchmark, BenchmarkOptions, BenchmarkOptions(Path("monitor"), Path("data"), "acdc", Path("results"))),
        (evidence, EvidenceOptions, EvidenceOptions(Path("monitor"), Path("pack"))),
        (search, SearchOptions, SearchOptions(Path("x.ckpt"), (Path("day"),))),
        (search, ConsoleOptions, ConsoleOptions()),
        (fleet, FleetOptions, FleetOptions((Path("summaries"),), Path("fleet"))),
    ],
)
def test_options_from_no_more_than_needed_are_the_defaults(
    command: ModuleType, table: "type[OptionTable]", expected: object
) -> None:
    assert options_from(command.build_parser().parse(NEEDED[command]), table) == expected


@pytest.mark.parametrize(
    ("command", "words", "message"),
    [
        (export, ["--mc-sample", "3"], "unrecognized arguments: --mc-sample: did you mean --mc-samples?"),
        (export, ["--chkpt=x"], "unrecognized arguments: --chkpt=x: did you mean --ckpt?"),
        (evaluate, ["monitor", "--jsno"], "did you mean --json?"),
        (search, ["--colour", "red"], "unrecognized arguments: --colour (see python -m export search --help)"),
        (export, [], "expected --ckpt, --frames and --out, got none of them: name them, as in python -m export --ckpt"),
        (export, ["--list-layers"], "expected --ckpt, got none: name it, as in python -m export --ckpt"),
        (export, ["--dry-run"], "expected --ckpt, got none: name it, as in python -m export --ckpt"),
        (calibrate, [], "expected BUNDLE, got none: name it, as in python -m export calibrate"),
        (benchmark, ["monitor"], "expected --root, --ind and --out, got none of them: name them, as in"),
        (benchmark, [*NEEDED[benchmark], "--resize", "pad"], "invalid choice: 'pad'"),
        (search, [*NEEDED[search], "--detectors", "svm"], "invalid choice: 'svm'"),
        (search, [*NEEDED[search], "--severity", "6"], "invalid choice: 6"),
        (calibrate, ["monitor", "--threads", "many"], "invalid int value: 'many'"),
        (export, [*NEEDED[export], "--crop", "1", "2"], "expected 4 arguments"),
        (calibrate, ["monitor", "more"], "unrecognized arguments: more"),
        (export, [*NEEDED[export], "--model=--"], "expected a value behind --model=, got --"),
        (
            export,
            [*NEEDED[export], "--pca", "3", "--pca", "4"],
            "argument --pca: expected this flag once, got it again",
        ),
        (
            export,
            [*NEEDED[export], "--frames", "night"],
            "argument --frames: expected this flag once, got it again: write",
        ),
    ],
)
def test_wrong_command_line_ends_in_a_usage_error(
    command: ModuleType, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        command.main(words)
    assert left.value.code == 2
    (error,) = capsys.readouterr().err.splitlines()
    program = command.build_parser().prog
    assert error.startswith(f"{program}: error: ")
    assert error.endswith(f" (see {program} --help)")
    assert message in error


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("depth", "KEY=VALUE"),
        ("a-b=1", "KEY=VALUE"),
        ("=1", "KEY=VALUE"),
        ("day=2026-01-02", "number, string, list or mapping"),
        ("rate=.nan", "number, string, list or mapping"),
        ("sizes=[1", "number, string, list or mapping"),
    ],
)
def test_options_from_an_unreadable_model_argument_are_refused(word: str, message: str) -> None:
    flags = export.build_parser().parse([*NEEDED[export], "--model-arg", word])
    with pytest.raises(UsageError, match=message):
        options_from(flags, ExportOptions)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("null", None),
        ("None", "None"),
        ("'64'", "64"),
        ("64", 64),
        ("1.0e-05", 1e-5),
        ("[a, 2]", ["a", 2]),
        ("a=b", "a=b"),
    ],
)
def test_options_from_a_model_argument_have_its_yaml_value(text: str, value: object) -> None:
    flags = export.build_parser().parse([*NEEDED[export], "--model-arg", f"key={text}"])
    assert options_from(flags, ExportOptions).model_args == {"key": value}


def test_options_from_repeated_flags_add_up() -> None:
    words = "--tap a --tap b c --model-arg depth=3 --model-arg depth=4 width=2 --pca 4 --input-size 2 3"
    got = options_from(export.build_parser().parse([*NEEDED[export], *words.split()]), ExportOptions)
    assert (got.tap, got.model_args) == (("a", "b", "c"), {"depth": 4, "width": 2})
    assert (got.calibration.pca, got.input_size) == (4, (2, 3))


def test_options_from_one_seed_are_all_seeded() -> None:
    got = options_from(export.build_parser().parse([*NEEDED[export], "--seed", "7"]), ExportOptions)
    assert (got.seed, got.calibration.seed) == (7, 7)


def test_list_layers_takes_the_flags_of_an_export() -> None:
    words = ["--ckpt", "x.ckpt", "--list-layers", "--tap", "a", "--out", "m", "--frames", "day"]
    got = options_from(export.build_parser(list_layers=True).parse(words), export.LayerListing)
    assert got == export.LayerListing(Path("x.ckpt"), frames=(Path("day"),), list_layers=True, tap=("a",))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--ood", "dusk"], r"NAME=PATH\[,PATH...\]"),
        (["--ood", "=a"], r"NAME=PATH\[,PATH...\]"),
        (["--ood", "a\nb=c"], r"NAME=PATH\[,PATH...\]"),
        (["--ood", "dusk=a", "dusk=b"], "'dusk', which is taken"),
        (["--ood", "fog 3=a"], "'fog 3', which is taken"),
        (["--ood", "in distribution=a"], "is taken"),
        (["--ood", "dusk=nowhere/*.png"], "frames at nowhere/\\*.png, found none"),
    ],
)
def test_options_from_unreadable_named_sets_are_refused(words: list[str], message: str) -> None:
    flags = evaluate.build_parser().parse([*NEEDED[evaluate], *words])
    with pytest.raises(UsageError, match=message):
        options_from(flags, EvaluationOptions)


def test_options_from_named_sets_expand_patterns(tmp_path: Path) -> None:
    for name in ("b.png", "a.png", "a[1].png"):
        (tmp_path / name).touch()
    words = ["--ood", f"dusk={tmp_path}/[ab].png,{tmp_path}/a[1].png", "--synthetic", "none"]
    got = options_from(evaluate.build_parser().parse([*NEEDED[evaluate], *words]), EvaluationOptions)
    assert got.ood == {"dusk": (tmp_path / "a.png", tmp_path / "b.png", tmp_path / "a[1].png")}
    assert got.kinds == ()


@pytest.mark.parametrize(
    ("words", "kinds"),
    [
        (["common"], COMMON_KINDS),
        (["all"], tuple(ANOMALIES)),
        (["none"], ()),
        (["mud", "fog"], ("mud", "fog")),
        (["frost"], ("frost",)),
    ],
)
def test_options_from_kinds_of_degradations_are_these(words: list[str], kinds: tuple[str, ...]) -> None:
    flags = evaluate.build_parser().parse([*NEEDED[evaluate], "--synthetic", *words])
    assert options_from(flags, EvaluationOptions).kinds == kinds


DEFAULTS = {
    export: """--resize bilinear --channels rgb --segmentation classes --mc-samples 16 --masks fixed
        --neighbors 5 --seed 0
        --detector fused --group-by none --folds 5 --guarantee frames --weigh frames --false-alarm-rate 0.05 --format onnx
        --precision fp32
        --max-flips 0.05 --max-auroc-loss 0.005 --max-pixel-changes 0.02 --ignore-label 255 --tile-grid 4 8""",
    calibrate: """--out monitor-recalibrated --detector fused --group-by none --folds 5 --guarantee frames --weigh frames
        --false-alarm-rate 0.05 --seed 0 --workers 1 --ignore-label 255""",
    evaluate: """--synthetic common --severities 1 2 3 4 5 --every 1 --ignore-label 255 --group-by none --seed 0""",
    search: """--segmentation classes --samples 8 16 64 --detectors kde mahalanobis mahalanobis-l2 knn --pca 0
        --severity 3 5 --every 4 --timed 3 --group-by none
        --neighbors 5 --resize bilinear --channels rgb --seed 0 --shifts fog night sun_flare mud sensor_noise defocus rain
        snow motion_blur jpeg over_exposure under_exposure dead_lines occlusion""",
    fleet: "--rate 0.05 --min-frames 100",
}
"""Promised to users as the flags are; a flag that is not here stands for nothing where it is not typed."""


@pytest.mark.parametrize(
    ("command", "table"),
    [
        (export, ExportOptions),
        (calibrate, RecalibrationOptions),
        (evaluate, EvaluationOptions),
        (search, SearchOptions),
        (fleet, FleetOptions),
    ],
)
def test_options_from_typed_defaults_are_the_defaults(command: ModuleType, table: "type[OptionTable]") -> None:
    def parsed(*words: str) -> "OptionTable":
        return options_from(command.build_parser().parse([*NEEDED[command], *words]), table)

    typed, plain = parsed(*DEFAULTS[command].split()), parsed()
    if isinstance(plain, RecalibrationOptions):
        assert plain.out is None
        plain = replace(plain, out=plain.destination)
    assert typed == plain


@pytest.mark.parametrize(
    ("command", "table"),
    [
        (export, ExportOptions),
        (calibrate, RecalibrationOptions),
        (evaluate, EvaluationOptions),
        (search, SearchOptions),
        (fleet, FleetOptions),
    ],
)
def test_options_that_are_not_typed_stand_for_nothing_or_a_promised_default(
    command: ModuleType, table: "type[OptionTable]"
) -> None:
    promised = set(DEFAULTS[command].split())
    others = [o for o in options_of(table) if o.name not in promised and not o.is_required and not o.is_switch]
    assert [option.name for option in others if option.default not in (None, (), {})] == []


def test_words_behind_two_dashes_are_no_flags() -> None:
    parser = CommandParser("fleet", "", "")
    parser.add_options(FleetOptions)
    options = options_from(parser.parse(["--out", "fleet", "--", "-q.parquet", "--help", "--rate=1"]), FleetOptions)
    assert options == FleetOptions((Path("-q.parquet"), Path("--help"), Path("--rate=1")), Path("fleet"))
