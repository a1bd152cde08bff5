# SPDX-License-Identifier: Apache-2.0
"""Options from a YAML file: the same options as by flags, and flags win."""

from collections.abc import Callable
from pathlib import Path

import pytest

from export.cli import export as cli
from export.pipeline.export_monitor import ExportResult
from export.pipeline.options import ExportOptions

Resolve = Callable[..., ExportOptions]


class StoppedError(Exception):
    """Raised where the export would begin."""


@pytest.fixture
def resolved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Resolve:
    """Write a configuration, run the command line with it and with flags, give the options that the export would get."""

    def run(text: str, *flags: str) -> ExportOptions:
        (tmp_path / "export.yaml").write_text(text)
        caught: list[ExportOptions] = []

        def stop(options: ExportOptions, *_: object) -> ExportResult:
            caught.append(options)
            raise StoppedError

        monkeypatch.setattr("export.pipeline.export_monitor.export_monitor", stop)
        with pytest.raises(StoppedError):
            cli.main(["--config", str(tmp_path / "export.yaml"), *flags])
        return caught[0]

    return run


COMPLETE = """
ckpt: runs/best.ckpt
frames: [day1, day2]
out: monitor
mc_samples: 32
input-size: [256, 512]
mean: [0.1, 0.2, 0.3]
tap: encoder
model: nets:Net
model-arg: {depth: 3, name: "a=b", sizes: [1, 2]}
drop-prob: 0.5
false-alarm-rate: 0.01
fuse: true
force: false
pca:
"""


SAME_BY_FLAGS = """
--ckpt runs/best.ckpt --frames day1 day2 --out monitor --mc-samples 32 --input-size 256 512 --mean 0.1 0.2 0.3
--tap encoder --model nets:Net --model-arg depth=3 --model-arg name='a=b' --model-arg sizes=[1,2]
--drop-prob 0.5 --false-alarm-rate 0.01 --fuse
"""


def test_config_file_with_all_kinds_of_values_gives_the_options_of_the_flags(resolved: Resolve) -> None:
    from_flags = resolved("{}", *SAME_BY_FLAGS.split())
    assert resolved(COMPLETE) == from_flags
    assert from_flags.model_args == {"depth": 3, "name": "a=b", "sizes": [1, 2]}
    assert from_flags.frames == (Path("day1"), Path("day2"))


def test_config_file_beside_flags_gives_way_to_them(resolved: Resolve) -> None:
    flags = "--mc-samples=8 --frames night --tap decoder --model-arg depth=4 --pca 5"
    options = resolved(COMPLETE, *flags.split())
    assert (options.mc_samples, options.frames, options.tap) == (8, (Path("night"),), ("decoder",))
    assert (options.model_args, options.calibration.pca, options.drop_prob) == ({"depth": 4}, 5, 0.5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mc-sample: 3", "did you mean mc-samples?"),
        ("colour: red", "got 'colour': leave it out (see python -m export --help)"),
        ("config: other.yaml", "got 'config'"),
        ("- 1", "expected a mapping of options"),
        ("a: [", "cannot read"),
        ("mc-samples: [1, 2]", "one value for mc-samples"),
        ("mc-samples: many", "invalid int value"),
        ("fuse: 1", "true or false for fuse"),
        ("frames: {a: b}", "list of plain values for frames"),
        ("model-arg: depth=3", "a mapping for model-arg"),
        ("model-arg: {day: 2026-01-02}", "numbers, strings, lists or mappings for --model-arg"),
        ("segmentation: boxes", "invalid choice"),
        ("mean: [1, 2]", "expected 3 arguments"),
    ],
)
def test_config_file_with_a_wrong_value_is_a_usage_error(
    text: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "export.yaml").write_text(text)
    with pytest.raises(SystemExit) as caught:
        cli.main(["--config", str(tmp_path / "export.yaml"), "--ckpt", "x", "--out", "z"])
    assert caught.value.code == 2
    assert message in capsys.readouterr().err.splitlines()[-1]


def test_config_file_that_is_missing_is_a_usage_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["--config", str(tmp_path / "none.yaml")])
    assert caught.value.code == 2
    assert "No such file" in capsys.readouterr().err


def test_config_option_that_stands_twice_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "export.yaml").write_text("mc-samples: 16\nmc-samples: 32\n")
    with pytest.raises(SystemExit):
        cli.main(["--config", str(tmp_path / "export.yaml")])
    assert "the name 'mc-samples' stands twice in one mapping" in capsys.readouterr().err
