# SPDX-License-Identifier: Apache-2.0
"""The report of a run that the suite might have written."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from benchmarks.measure import Difference, Latency, Paced, Ratio, as_json, latency
from benchmarks.report import main
from benchmarks.results import TARGETS, Target, read_results

RNG = np.random.default_rng(0)
Facts = dict[str, Any]


def figure(name: str, value: Ratio | Difference | Latency | Paced, **facts: Any) -> Facts:
    return {"name": name, "kind": type(value).__name__.lower(), **as_json(value), **facts}


def frame_figures(monitored: float) -> list[Facts]:
    figures = []
    for samples, size in [(16, (256, 512)), (128, (256, 512)), (16, (128, 256))]:
        where = f"resnet50 {size[0]}x{size[1]} S={samples}"
        value = Ratio(monitored, monitored - 0.01, monitored + 0.01, 40)
        facts = {"backbone": "resnet50", "samples": samples, "size": list(size)}
        figures += [
            figure(f"{what} / alone, {where}", value, what=what, **facts)
            for what in ("monitored (entropies)", "monitored (fused)")
        ]
    times = RNG.lognormal(-1, 0.1, 300)
    milliseconds = (1e3 * times).tolist()
    figures.append(figure("monitored, resnet50", latency(times, [10]), what="monitored", milliseconds=milliseconds))
    for points in (200, 1000):
        value_of = latency(RNG.random(40), ())
        figures.append(figure(f"detector, N={points}", value_of, what="detector", points=points, dimensions=58))
    figures.append(figure("monitored before a camera", Paced(10, 100, 70, 0.5, 0.2, 0.4), what="monitored"))
    figures.append(figure("int8: AUROC lost, demo", Difference(monitored - 0.999, -0.01, 0.01, 42), what="auroc"))
    for what in ("score", "score and map"):
        value = Ratio(monitored, monitored - 0.01, monitored + 0.01, 40)
        facts = {"backbone": "resnet50", "size": [256, 512], "samples": 16, "over": "network alone"}
        figures.append(figure(f"answers: {what} / alone, resnet50 256x512 S=16", value, what=what, **facts))
    figures.append({"name": "memory, MiB", "kind": "values", "what": "memory", "10": 100.0})
    return figures


def write(path: Path, figures: list[Facts], **machine: Any) -> Path:
    described = {"processor": "A", "cores": 2, "provider": "cpu", "threads": 2, "versions": {"onnxruntime": "1"}}
    contents = {
        "machine_info": described | machine,
        "commit_info": {"id": "0123456789", "dirty": False},
        "datetime": "2026-01-02T03:04:05",
        "benchmarks": [{"extra_info": {"figures": figures}}, {"extra_info": {}}],
    }
    path.write_text(json.dumps(contents))
    return path


def test_report_of_a_run_shows_every_figure_and_judges_the_targets(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = write(tmp_path / "a.json", frame_figures(1.03))
    assert main([str(results), "--out", str(tmp_path / "out")]) == 0
    text = (tmp_path / "out" / "report.md").read_text()
    assert capsys.readouterr().out.strip() == str(tmp_path / "out" / "report.md")
    assert all(str(row["name"]) in text for row in read_results(results).figures)
    lines = text.splitlines()
    (s16,) = (line for line in lines if line.startswith("| monitored (entropies) / alone, resnet50 256x512 S=16 | <="))
    (s128,) = (
        line for line in lines if line.startswith("| monitored (entropies) / alone, resnet50 256x512 S=128 | <=")
    )
    assert "**no**" in s16
    assert "yes" in s128
    assert "| monitored (fused) / alone, resnet50 256x512 S=16 | <= 1.03 | 1.03 | 1.02 to 1.04 | yes |" in lines
    assert "| int8: AUROC lost, demo | <= 0.005 | 0.031 | -0.01 to 0.01 | **no** |" in lines
    assert "| monitored (entropies) / alone, resnet101 256x512 S=16 | <= 1.02 | not measured |" in text
    assert "Nothing here was run on a GPU" in text
    for name in ("latency.png", "samples.png", "resolution.png", "answers.png", "points.png"):
        assert f"({name})" in text
        with Image.open(tmp_path / "out" / name) as picture:
            assert np.asarray(picture.convert("L")).std() > 5


def test_report_of_300_frames_leaves_p999_empty(tmp_path: Path) -> None:
    results = write(tmp_path / "a.json", frame_figures(1.0))
    main([str(results), "--out", str(tmp_path)])
    (row,) = (line for line in (tmp_path / "report.md").read_text().splitlines() if line.startswith("| monitored, res"))
    cells = [cell.strip() for cell in row.split("|")]
    assert cells[2] == "300"
    assert "<=" in cells[5]
    assert cells[6] == ""


def test_report_against_a_run_within_its_intervals_shows_no_change(tmp_path: Path) -> None:
    now = write(tmp_path / "now.json", frame_figures(1.05), processor="B")
    before = write(tmp_path / "before.json", frame_figures(1.0))
    main([str(now), "--against", str(before), "--out", str(tmp_path)])
    text = (tmp_path / "report.md").read_text()
    assert "S=128 | 1.05 | 1 | +5.0% |" in text
    assert "differ in processor" in text
    main([str(before), "--against", str(before), "--out", str(tmp_path)])
    compared = [row for row in frame_figures(1.0) if row["kind"] in ("ratio", "difference")]
    assert (tmp_path / "report.md").read_text().count("the same within the intervals") == len(compared)


@pytest.mark.parametrize(
    "contents", ["", "[]", "{}", '{"benchmarks": []}', '{"machine_info": {}, "benchmarks": [{"extra_info": 3}]}']
)
def test_report_of_another_file_is_refused_and_writes_nothing(
    contents: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "x.json").write_text(contents)
    assert main([str(tmp_path / "x.json"), "--out", str(tmp_path / "out")]) == 2
    assert "as `make bench` writes them" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_report_without_figures_or_file_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(write(tmp_path / "none.json", [])), "--out", str(tmp_path / "out")]) == 2
    assert "did its benchmarks run?" in capsys.readouterr().err
    assert main([str(tmp_path / "missing.json"), "--out", str(tmp_path / "out")]) == 2
    assert "missing.json" in capsys.readouterr().err


def test_report_of_two_parts_is_one_if_the_machine_is_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = frame_figures(1.0)[:1], frame_figures(1.0)[1:]
    parts = [str(write(tmp_path / "1.json", first)), str(write(tmp_path / "2.json", second))]
    assert main([*parts, "--out", str(tmp_path / "out")]) == 0
    text = (tmp_path / "out" / "report.md").read_text()
    assert all(str(row["name"]) in text for row in [*first, *second])
    repeated = str(write(tmp_path / "again.json", frame_figures(1.5)[:1]))
    assert main([*parts, repeated, "--out", str(tmp_path / "again")]) == 0
    lines = (tmp_path / "again" / "report.md").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith(f"| {first[0]['name']} | 1"))
    assert "| 1.5 |" in line
    elsewhere = str(write(tmp_path / "3.json", second, cores=4))
    assert main([parts[0], elsewhere, "--out", str(tmp_path / "none")]) == 2
    assert "--against" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


def test_target_of_an_upper_or_a_lower_bound_is_reached_within_it() -> None:
    more, less = ({"kind": "ratio", "median": value} for value in (2.5, 1.5))
    assert Target("x", 2, at_least=True).reached(more)
    assert not Target("x", 2, at_least=True).reached(less)
    assert Target("x", 2).reached(less)
    assert not Target("x", 2).reached({"kind": "difference", "mean": 2.1})
    assert not Target("a / b", 1, holds="S=1 ").judges({"name": "a / b, S=16"})
    assert len({(target.prefix, target.holds) for target in TARGETS}) == len(TARGETS)
