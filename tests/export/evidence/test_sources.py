# SPDX-License-Identifier: Apache-2.0
"""Inputs of an evidence pack that are damaged, or of another bundle, are refused in one line and nothing is written."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from export.errors import ExportError, UsageError
from export.evidence.options import EvidenceOptions
from export.evidence.write_evidence import write_evidence
from lsood_runtime import BundleError, LsoodError
from tests.export.evidence.drawn_figures import plain_figures, write_figures
from tests.lsood_runtime.conftest import write_toy_bundle

Change = Callable[[dict[str, Any]], None]


def refused(tmp_path: Path, error: type[Exception], message: str, **options: Any) -> None:
    """Nothing is written, and what is said is one line with what was expected."""
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(error, match=message) as caught:
        write_evidence(EvidenceOptions(out=tmp_path / "pack", **options))
    assert isinstance(caught.value, ExportError | LsoodError)
    assert "\n" not in str(caught.value)
    assert "expected" in str(caught.value)
    assert sorted(tmp_path.rglob("*")) == before


def test_report_of_another_bundle_is_refused(report: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = write_toy_bundle(tmp_path / "other")
    refused(
        tmp_path, UsageError, "is of another, 'Toy': evaluate this bundle with --report", bundle=other, report=report
    )


def of_another_threshold(figures: dict[str, Any]) -> None:
    figures["threshold"] += 1e-9


def of_another_point(figures: dict[str, Any]) -> None:
    figures["operating_point"] = "strict"


def of_a_list_of_points(figures: dict[str, Any]) -> None:
    figures["operating_point"] = ["5%"]


def of_an_older_version(figures: dict[str, Any]) -> None:
    del figures["bundle_files"]


def of_nothing(figures: dict[str, Any]) -> None:
    figures.clear()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (of_another_threshold, "is of another"),
        (of_another_point, "is of another"),
        (of_a_list_of_points, "is of another"),
        (of_an_older_version, "is of an older version: evaluate"),
        (of_nothing, "got another document"),
    ],
)
def test_report_that_does_not_fit_is_refused(
    change: Change, message: str, toy: Path, report: Path, tmp_path: Path
) -> None:
    figures = json.loads((report / "figures.json").read_text())
    change(figures)
    (report / "figures.json").write_text(json.dumps(figures))
    refused(tmp_path, UsageError, message, bundle=toy, report=report)


@pytest.mark.parametrize("text", ["{", "[]", '{"a": 1, "a": 2}', "NaN", "[" * 100_000])
def test_report_of_damaged_json_is_refused(text: str, toy: Path, report: Path, tmp_path: Path) -> None:
    (report / "figures.json").write_text(text)
    refused(tmp_path, UsageError, "figures of a report", bundle=toy, report=report)


@pytest.mark.parametrize("name", ["figures.json", "index.html"])
def test_folder_that_is_no_report_is_refused(name: str, toy: Path, report: Path, tmp_path: Path) -> None:
    (report / name).unlink()
    refused(tmp_path, UsageError, f"cannot read .*{name}: No such file", bundle=toy, report=report)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("ind/false_alarm_rate", [0.1, 0.2, 0.3]),
        ("ind/false_alarm_rate", [0.1, 0.0]),
        ("ind/false_alarm_rate", [0.1, 0.0, None]),
        ("ind/false_alarm_rate", [None, 0.0, 0.1]),
        ("ind/false_alarm_rate", ["0.1", None, None]),
        ("ind/false_alarm_rate", "0.1"),
        ("ind/false_alarm_rate", True),
        ("ind/frames", -1),
        ("ind/frames", 1.5),
        ("ind/drives", {"a": 1}),
        ("ind/drives", [{"drive": "a", "frames": 3, "flagged": 4}]),
        ("ind/drives", [{"drive": "a", "frames": 0, "flagged": 0}]),
        ("ind/calibration_frames", "none"),
        ("shifts", [1]),
        ("shifts/0/hurting_share", "all"),
        ("shifts/0/missed_of_hurting", [1]),
        ("hurting/hurting_frames/frames", "12"),
        ("hurting/hurting_frames/auroc", {}),
        ("blind", [{"name": "fog 3", "missed": "all"}]),
        ("failures", [{"spearman": []}]),
    ],
)
def test_figure_that_was_changed_is_refused_and_named(place: str, value: object, toy: Path, tmp_path: Path) -> None:
    figures = plain_figures()
    *parts, last = [int(part) if part.isdigit() else part for part in place.split("/")]
    inner: Any = figures
    for part in parts:
        inner = inner[part]
    inner[last] = value
    report = write_figures(tmp_path / "report", toy, figures)
    refused(
        tmp_path, UsageError, f"at /{place}.* of report/figures.json.*was changed, evaluate", bundle=toy, report=report
    )


def test_certificate_of_another_bundle_is_refused(certificate: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = write_toy_bundle(tmp_path / "other")
    refused(tmp_path, UsageError, "expected a certificate of this bundle", bundle=other, certificate=certificate)


def test_certificate_that_was_changed_is_refused(toy: Path, certificate: Path, tmp_path: Path) -> None:
    values = json.loads(certificate.read_text())
    values["decisions"]["flipped"] = 3
    (tmp_path / "c.json").write_text(json.dumps(values))
    refused(tmp_path, LsoodError, "expected of the certificate", bundle=toy, certificate=tmp_path / "c.json")


@pytest.mark.parametrize("option", ["certificate", "junit", "requirements"])
def test_pipe_in_place_of_a_file_is_refused_and_not_waited_for(option: str, toy: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    refused(tmp_path, UsageError, "a pipe, a socket or a device", bundle=toy, **{option: tmp_path / "pipe"})


def test_bundle_that_was_changed_is_refused(toy: Path, tmp_path: Path) -> None:
    shutil.copytree(toy, tmp_path / "own")
    contents = bytearray((tmp_path / "own" / "detector.onnx").read_bytes())
    contents[-1] ^= 1
    (tmp_path / "own" / "detector.onnx").write_bytes(contents)
    refused(tmp_path, BundleError, "expected detector.onnx with sha256", bundle=tmp_path / "own")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("claims: {R-FRA-1: {limit: 1}}", "did you mean R-FAR-1\\?"),
        ("claims: {SYS-1: {limit: 1}}", "stand under own"),
        ("claims: {AoU-CAM-1: {limit: 1}}", "it has no figure, leave them out"),
        ("claims: {R-VAL-1: {by: bound}}", "it has no figure, leave them out"),
        ("claims: {H-IND-1: {accepted: so be it}}", "put the words under note"),
        (
            "own: {R-FAR-1: {statement: x, figure: 'manifest.json#/parity/frames', at_most: 1}}",
            "which the catalogue has: take another",
        ),
        (
            "own: {S: {statement: x, figure: 'manifest.json#/name', at_most: 1}}",
            "expected a figure for S, .* name a number",
        ),
        ("alarm: {per_hour: -1, frames_per_second: 10}", "cannot work with this bundle: expected a rate above 0"),
        ("alarm: {policy: 3of5, frames_per_second: -3}", "cannot work with this bundle: expected"),
    ],
)
def test_team_file_that_does_not_fit_the_bundle_is_refused(text: str, message: str, toy: Path, tmp_path: Path) -> None:
    (tmp_path / "team.yaml").write_text(text)
    refused(tmp_path, UsageError, message, bundle=toy, requirements=tmp_path / "team.yaml")


def test_folder_of_something_else_is_kept(toy: Path, tmp_path: Path) -> None:
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "notes.txt").write_text("mine")
    refused(tmp_path, UsageError, "expected an evidence pack or nothing", bundle=toy)
    shutil.rmtree(tmp_path / "pack")
    refused(tmp_path, UsageError, "cannot read .*, a folder|cannot read", bundle=toy, report=tmp_path / "none")


def test_pack_that_is_read_is_not_replaced(toy: Path, report: Path, tmp_path: Path) -> None:
    write_evidence(EvidenceOptions(toy, tmp_path / "pack", report=report))
    refused(
        tmp_path,
        UsageError,
        "expected inputs outside .*, which is replaced",
        bundle=toy,
        report=tmp_path / "pack" / "report",
    )
