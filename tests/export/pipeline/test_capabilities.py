# SPDX-License-Identifier: Apache-2.0
"""The table of formats, masks, precisions and detectors against what an export accepts."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from export.calibration.answer_options import AnswerOptions
from export.calibration.options import CalibrationOptions, detector_choices
from export.errors import UsageError
from export.layers.mask_mode import Mode
from export.pipeline.capabilities import FORMATS, capability_table, format_help, format_names, wanted_formats
from export.pipeline.options import ExportOptions
from export.pipeline.resolve import check_options
from export.precision.options import PrecisionOptions
from lsood_runtime.offline import PRECISIONS
from tests.conftest import write_scenes

PRODUCT = list(
    itertools.product(("onnx", "torchscript"), (False, True), get_args(Mode), PRECISIONS, detector_choices())
)


def refusal(format_: str, masks: str, precision: str, detector: str) -> str | None:
    """The message of each combination that cannot be made, written down by hand."""
    if format_ == "onnx":
        return None
    if detector in ("kde-classifier", "auto"):
        return (
            "expected --detector fused, kde, mahalanobis, mahalanobis-l2, knn, vim, neco or output-score with "
            f"--format torchscript, got {detector}: choose one of the two"
        )
    if precision != "fp32":
        return (
            f"expected --precision fp32 with --format torchscript, got {precision}: libtorch has its own quantisation; "
            "choose one of the two"
        )
    if masks == "fresh":
        return (
            "expected --masks fixed or input with --format torchscript, got fresh: a traced module that draws its own masks "
            "cannot be compared with PyTorch"
        )
    return None


def options_of(
    format_: str, fuse: bool, masks: Mode, precision: str, detector: str, calibration: CalibrationOptions | None = None
) -> ExportOptions:
    return ExportOptions(
        Path("x.ckpt"),
        (Path("x"),),
        Path("out"),
        masks=masks,
        calibration=calibration or CalibrationOptions(detector=detector),
        fuse=fuse,
        format=format_,
        precision=PrecisionOptions(precision),
    )


def test_check_options_over_the_whole_product_refuses_what_cannot_be_made() -> None:
    for format_, fuse, masks, precision, detector in PRODUCT:
        expected = refusal(format_, masks, precision, detector)
        if expected is None:
            check_options(options_of(format_, fuse, masks, precision, detector))
        else:
            with pytest.raises(UsageError) as raised:
                check_options(options_of(format_, fuse, masks, precision, detector))
            assert str(raised.value) == expected


def test_capability_table_over_the_whole_product_says_what_is_refused() -> None:
    """The page's own cells, read back."""
    _, _, *lines = capability_table().splitlines()
    rows = {}
    for line in lines:
        flag, _, _, *cells, _ = [cell.strip() for cell in line.strip("|").split("|")]
        rows[flag.strip("`")] = [{name.strip("` ") for name in cell.split(",")} for cell in cells]
    for format_, fuse, masks, precision, detector in PRODUCT:
        wanted = ["--format onnx", *(["--fuse"] if fuse else []), f"--format {format_}"]
        accepted = all(
            value in cell
            for flag in wanted
            for value, cell in zip((masks, precision, "none", detector), rows[flag], strict=True)
        )
        assert accepted == (refusal(format_, masks, precision, detector) is None)


@pytest.mark.parametrize("answer", ["quality", "cause", "none"])
def test_capability_table_says_which_forms_have_answers(answer: str) -> None:
    for row in FORMATS:
        refused = row.name == "torchscript" and answer != "none"
        assert (answer in row.answers.names()) == (not refused)
        format_ = row.name if row.name == "torchscript" else "onnx"
        options = options_of(format_, row.name == "fused", "fixed", "fp32", "kde")
        asked = replace(options, answers=AnswerOptions((answer,)))
        if refused:
            with pytest.raises(UsageError, match=r"expected --answers none with --format torchscript"):
                check_options(asked)
        else:
            check_options(asked)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format_": "tflite"}, "expected --format onnx or torchscript, got tflite"),
        ({"masks": "none"}, "expected --masks fixed, fresh or input with --format onnx, got none"),
        ({"precision": "fp8"}, "expected --precision fp32, fp16, int8 or int8-tensorrt with --format onnx, got fp8"),
        (
            {"detector": "svm"},
            "expected --detector fused, kde, kde-classifier, mahalanobis, mahalanobis-l2, knn, vim, neco, output-score or",
        ),
    ],
)
def test_check_options_of_a_name_that_is_none_lists_those_there_are(change: dict[str, str], message: str) -> None:
    chosen = {"format_": "onnx", "masks": "fixed", "precision": "fp32", "detector": "kde"} | change
    with pytest.raises(UsageError, match=message):
        check_options(options_of(fuse=False, **chosen))  # type: ignore[arg-type]


def test_help_of_formats_names_what_each_goes_together_with() -> None:
    assert format_names() == ("onnx", "torchscript")
    detectors = "--detector fused, kde, mahalanobis, mahalanobis-l2, knn, vim, neco or output-score"
    assert f"torchscript: monitor.pt as well, for libtorch, with {detectors}, --precision fp32" in format_help()


@pytest.mark.slow
@pytest.mark.parametrize(("i", "masks"), list(enumerate(get_args(Mode))))
@pytest.mark.parametrize(("j", "precision"), list(enumerate(PRECISIONS)))
def test_accepted_combinations_are_exported_with_the_files_of_their_formats(
    i: int, masks: Mode, j: int, precision: str, export_small: Callable[..., Path], tmp_path: Path
) -> None:
    """Masks x precision, with detectors and formats taken in turn."""
    detector = detector_choices()[(i + j) % len(detector_choices())]
    ood = (write_scenes(tmp_path / "ood", 20, seed=7),) if detector == "kde-classifier" else ()
    format_ = "onnx" if refusal("torchscript", masks, precision, detector) else "torchscript"
    folder = export_small(
        fuse=True,
        format=format_,
        masks=masks,
        precision=PrecisionOptions(precision, max_flips=1, max_auroc_loss=1, max_pixel_changes=1),
        calibration=CalibrationOptions(detector=detector, rates={"10%": 0.1}, ood_frames=ood),
    )
    written = {path.name for path in folder.iterdir()}
    assert {name for row in FORMATS for name in row.files} & written == {
        name for row in wanted_formats(format_, fuse=True) for name in row.files
    }
