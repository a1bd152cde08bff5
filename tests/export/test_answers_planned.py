# SPDX-License-Identifier: Apache-2.0
"""Answers in the plan of an export, and options that no export can follow."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from export.calibration.answer_options import AnswerOptions
from export.calibration.cutout_fit import cutout_passes
from export.calibration.degraded_rows import passes
from export.calibration.patched_rows import patched_passes
from export.errors import UsageError
from export.pipeline.export_monitor import ExportOptions, plan_export
from export.pipeline.resolve import check_options
from tests.export.answered_bundle import BOTH, CALIBRATION, EVERY, MAP, TILES, red_cutout


def test_map_that_is_asked_for_is_in_the_plan_with_its_cells_passes_and_layers(checkpoint: Path, drives: Path) -> None:
    options = ExportOptions(checkpoint, (drives,), Path("monitor-of-answers"), answers=MAP, calibration=CALIBRATION)
    found = {each.subject: each for each in plan_export(options).findings}
    told = f"{cutout_passes(48):,} passes of the network over calibration frames with pasted objects"
    assert found["answers"].reason == told
    assert found["anomaly map"].value == "16 x 32 cells"
    layers = ("layer2", "layer3", "drop_block1")  # of strides 8 and 16: the first one's is finer
    assert all(layer in found["anomaly map"].reason for layer in layers)
    assert "layer1" not in found["anomaly map"].reason


@pytest.mark.parametrize("number", [19, 200])
def test_plan_of_a_road_class_that_the_network_lacks_says_so(number: int, checkpoint: Path, drives: Path) -> None:
    answers = AnswerOptions(("map",), road_classes=(0, number))
    options = ExportOptions(checkpoint, (drives,), Path("monitor-of-answers"), answers=answers, calibration=CALIBRATION)
    (problem,) = plan_export(options).problems
    assert re.search(rf"expected --road-class of the \d+ classes .*, got {number}: name classes", str(problem))


@pytest.mark.parametrize(
    ("asked", "value", "reason"),
    [
        (BOTH, "cause and quality", f"{passes(48):,} passes of the network over degraded calibration frames"),
        (TILES, "tiles", f"{patched_passes(48):,} passes of the network over patched calibration frames"),
        (
            EVERY,
            "cause and map and quality and tiles",
            f"{passes(48) + patched_passes(48) + cutout_passes(48):,} passes of the network over degraded and patched "
            "calibration frames and calibration frames with pasted objects",
        ),
    ],
)
def test_answers_that_are_asked_for_are_in_the_plan_with_their_passes(
    asked: AnswerOptions, value: str, reason: str, checkpoint: Path, drives: Path
) -> None:
    options = ExportOptions(checkpoint, (drives,), Path("monitor-of-answers"), answers=asked, calibration=CALIBRATION)
    (finding,) = (each for each in plan_export(options).findings if each.subject == "answers")
    assert (finding.value, finding.reason) == (value, reason)
    assert finding.words == ("--answers", *sorted(asked.answers))


def test_plan_of_objects_that_cannot_be_used_names_the_file(checkpoint: Path, drives: Path, tmp_path: Path) -> None:
    red_cutout().save(tmp_path / "cut.png")
    Image.new("RGBA", (9, 9)).save(tmp_path / "clear.png")
    answers = AnswerOptions(("map",), objects=(tmp_path,))
    options = ExportOptions(checkpoint, (drives,), Path("monitor-of-answers"), answers=answers, calibration=CALIBRATION)
    (problem,) = plan_export(options).problems
    assert re.search(r"expected a cut-out that shows an object, got an alpha of 0 .*clear\.png", str(problem))


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("no folder", "expected a folder of labels, found none"),
        ("no file", "expected PNG labels in the folders given by --labels"),
        ("one missing", r"expected a label for every calibration frame, a_0000\.png has none"),
        ("colours", r"expected one byte a pixel in the label .*a_0000\.png"),
        ("no class", r"a_0000\.png: expected label ids below \d+ or ignored ones, got 200"),
    ],
)
def test_plan_of_labels_that_cannot_be_used_names_them_in_its_table(
    fault: str, message: str, checkpoint: Path, drives: Path, labels: Path
) -> None:
    first = labels / "a_0000.png"
    if fault in ("no folder", "no file"):
        for path in labels.iterdir():
            path.unlink()
    if fault == "no folder":
        labels.rmdir()
    elif fault == "one missing":
        first.unlink()
    elif fault == "colours":
        Image.fromarray(np.zeros((80, 160, 3), np.uint8)).save(first)
    elif fault == "no class":
        Image.fromarray(np.full((80, 160), 200, np.uint8)).save(first)
    answers = AnswerOptions(("quality",), labels=(labels,))
    plan = plan_export(
        ExportOptions(checkpoint, (drives,), labels.parent / "monitor", answers=answers, calibration=CALIBRATION)
    )
    (problem,) = plan.problems
    assert re.search(message, str(problem))
    (finding,) = (each for each in plan.findings if each.subject == "labels")
    assert (finding.origin, finding.reason) == ("missing", str(problem))


def test_plan_of_labels_that_can_be_used_has_no_problem(checkpoint: Path, drives: Path, labels: Path) -> None:
    answers = AnswerOptions(("quality",), labels=(labels,))
    options = ExportOptions(checkpoint, (drives,), labels.parent / "monitor", answers=answers, calibration=CALIBRATION)
    assert not plan_export(options).problems


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"answers": BOTH, "segmentation": "none"}, "expected a segmentation with --answers quality"),
        (
            {"answers": MAP, "segmentation": "none"},
            "expected a segmentation with --answers map, .* keep the segmentation",
        ),
        ({"answers": MAP, "format": "torchscript"}, "expected --answers none with --format torchscript"),
        ({"answers": AnswerOptions(road_classes=(0,))}, "expected --road-class with --answers map, got it alone"),
        ({"answers": AnswerOptions(objects=(Path("own"),))}, "expected --objects with --answers map, got it alone"),
        ({"answers": BOTH, "format": "torchscript"}, "expected --answers none with --format torchscript"),
        ({"answers": AnswerOptions(labels=(Path("labels"),))}, "expected --labels with --answers quality or map"),
        (
            {"answers": AnswerOptions(causes={"ice": (Path("ice"),)})},
            "expected --cause with --answers cause, got it alone",
        ),
    ],
)
def test_answers_that_a_form_cannot_give_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        check_options(ExportOptions(Path("x.ckpt"), (Path("frames"),), Path("monitor"), **given))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"answers": ("none", "cause")}, "expected --answers none alone"),
        ({"answers": ("cause",), "road_classes": (0,)}, "expected --road-class with --answers map"),
        ({"answers": ("cause",), "objects": (Path("own"),)}, "expected --objects with --answers map"),
        ({"answers": ("cause",), "labels": (Path("labels"),)}, "expected --labels with --answers quality or map"),
    ],
)
def test_answer_options_that_contradict_each_other_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        AnswerOptions(**given)
