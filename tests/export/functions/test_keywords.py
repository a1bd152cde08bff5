# SPDX-License-Identifier: Apache-2.0
"""``export.write_evidence`` and ``export.merge_fleet``: keywords become the options that flags become."""

from pathlib import Path
from typing import Any

import pytest

import export
from export.errors import UsageError
from export.evidence.options import EvidenceOptions
from export.fleet.merge import merge_files
from export.fleet.options import FleetOptions
from export.functions import merging, writing_evidence
from lsood_runtime import write_summaries
from tests.lsood_runtime.fleet.drawn_summaries import drawn_frames, summary_of


def test_keywords_of_evidence_are_its_options(monkeypatch: pytest.MonkeyPatch) -> None:
    got: list[Any] = []
    monkeypatch.setattr(writing_evidence, "write_pack", lambda *arguments: got.append(arguments))
    export.write_evidence(Path("monitor"), out="pack", report="report/", requirements=Path("team.yaml"))
    assert got[0][0] == EvidenceOptions(
        Path("monitor"), Path("pack"), report=Path("report"), requirements=Path("team.yaml")
    )
    with pytest.raises(UsageError, match="got 'reprot': did you mean report"):
        export.write_evidence("monitor", out="pack", reprot="r")
    with pytest.raises(UsageError, match="expected bundle beside the keyword arguments"):
        export.write_evidence("monitor", out="pack", bundle="m")


def test_keywords_of_a_fleet_are_its_options(monkeypatch: pytest.MonkeyPatch) -> None:
    got: list[Any] = []
    monkeypatch.setattr(merging, "write_fleet", lambda *arguments: got.append(arguments))
    export.merge_fleet(["a/", Path("b.parquet")], out="fleet", rate=0.01, min_frames=7)
    options, command, _, merge = got[0]
    assert options == FleetOptions((Path("a"), Path("b.parquet")), Path("fleet"), 0.01, 7)
    assert (command, merge) == ("export.merge_fleet", merge_files)
    with pytest.raises(UsageError, match=r"^expected summaries, got none: name it$"):
        export.merge_fleet([], out="fleet")
    with pytest.raises(UsageError, match="expected --min-frames of at least 1, got 0"):
        export.merge_fleet("a/", out="fleet", min_frames=0)


@pytest.mark.parametrize(
    ("function", "given", "message"),
    [
        ("evaluate_monitor", {"ind": []}, "expected ind, got none: name it"),
        ("benchmark_monitor", {"root": "sets/", "ind": "", "out": "b"}, "expected ind, got none: name it"),
        ("search_detectors", {"frames": []}, "expected frames, got none: name it"),
        ("merge_fleet", {"out": "f", "min_frames": "few"}, "min_frames: invalid int value: 'few'"),
        (
            "evaluate_monitor",
            {"ind": "d/", "synthetic": "none", "ignore_label": "sky"},
            "ignore_label: invalid int value",
        ),
    ],
)
def test_errors_name_keywords_and_no_flags(function: str, given: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=f"^{message}"):
        getattr(export, function)("monitor", **given)


@pytest.mark.parametrize("function", ["evaluate_monitor", "benchmark_monitor", "recalibrate_monitor", "write_evidence"])
def test_several_bundles_are_refused(function: str) -> None:
    given = {
        "evaluate_monitor": {"ind": "d/"},
        "benchmark_monitor": {"root": "r", "ind": "i", "out": "o"},
        "write_evidence": {"out": "o"},
    }
    with pytest.raises(UsageError, match=r"^expected a path, got list: pass text or a Path"):
        getattr(export, function)(["a", "b"], **given.get(function, {"frames": "f/"}))


def test_paths_that_begin_with_a_dash_are_no_flags(monkeypatch: pytest.MonkeyPatch) -> None:
    got: list[Any] = []
    monkeypatch.setattr(merging, "write_fleet", lambda *arguments: got.append(arguments))
    export.merge_fleet(["--rate=0.5", "-q.parquet", "--", "x"], out="-fleet")
    paths = tuple(map(Path, ("--rate=0.5", "-q.parquet", "--", "x")))
    assert got[0][0] == FleetOptions(paths, Path("-fleet"))


@pytest.mark.parametrize(
    ("summaries", "out", "message"),
    [
        (None, "fleet", "expected a path or several, got NoneType: pass text"),
        (3, "fleet", "expected a path or several, got int"),
        (["a", None], "fleet", "expected a path, got NoneType: pass text or a Path"),
        (["a", ""], "fleet", "expected a path, got an empty one: name a file"),
        ("a", "", "expected a path, got an empty one"),
        ("a", None, "expected a path, got NoneType"),
    ],
)
def test_what_is_no_path_is_told_as_such(summaries: Any, out: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        export.merge_fleet(summaries, out=out)


def test_fleet_is_merged_by_what_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("export.fleet.fleet_page.render_fleet", lambda _, command: command)  # no charts
    write_summaries([summary_of(drawn_frames(0, 200))], tmp_path / "one.parquet")
    merged: list[Any] = []

    def merge(paths: Any, out: Path, reporter: Any) -> int:
        merged.extend(paths)
        return merge_files(paths, out, reporter)

    figures = export.merge_fleet(tmp_path / "one.parquet", out=tmp_path / "fleet", min_frames=10, merge=merge)
    assert (merged, figures.summaries) == ([tmp_path / "one.parquet"], 1)
    assert (tmp_path / "fleet" / "index.html").read_text() == "export.merge_fleet"
