# SPDX-License-Identifier: Apache-2.0
"""``python -m export fleet``: a small simulated fleet from files to a page that opens offline, and refusals in one line."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from export.cli.fleet import main
from export.fleet import fleet_page
from export.fleet.fleet_figures import fleet_figures
from export.fleet.options import FleetOptions
from export.fleet.vehicle_days import SHARES, populations
from lsood_runtime import SummaryCounts, read_summaries, write_summaries
from tests.examples.loading import load_example
from tests.lsood_runtime.fleet.drawn_summaries import drawn_frames, summary_of


@pytest.fixture(scope="module")
def simulation() -> Any:
    return load_example("fleet_simulation")


@pytest.fixture(scope="module")
def summaries(simulation: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A folder with two files of a fleet of 40 vehicles on 12 days, and what is planted in it."""
    folder = tmp_path_factory.mktemp("fleet")
    drawn, planted = simulation.simulated(40, 12, 0, frames=400, shift=2.0)
    every = list(drawn)
    write_summaries(every[::2], folder / "a.parquet")
    write_summaries(every[1::2], folder / "b.parquet")
    return folder, planted


def test_fleet_names_what_is_planted_on_a_page_that_needs_no_net(
    summaries: tuple[Path, Any],
    simulation: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder, planted = summaries
    out = tmp_path / "fleet"
    monkeypatch.setattr(fleet_page, "_MOST_CHARTS", 2)  # each takes a tenth of a second
    monkeypatch.setattr(fleet_page, "_BY_DAY", ("alarms", "expected quality"))
    assert main([str(folder), "--out", str(out)]) == 0
    assert sorted(path.name for path in out.iterdir()) == ["fleet.json", "index.html", "summaries.parquet"]
    figures = json.loads((out / "fleet.json").read_text())
    assert (figures["files"], figures["summaries"]) == (2, 480)
    found = simulation.judged(figures, planted)
    assert found["vehicles found"] == len(planted.vehicles) == 1
    assert found["days found"] == len(planted.days) == 1
    assert found["dead days found"] == len(planted.dead) == 1
    assert found["vehicles by chance"] + found["days by chance"] <= 1
    page = (out / "index.html").read_text()
    assert not re.search(r"<script|<link|@import|https?://(?!www\.w3\.org|purl\.org|creativecommons\.org)", page)
    (vehicle,) = planted.vehicles
    assert vehicle in page
    assert page.count("<svg") == 6
    assert figures["populations"][0]["figures"] == COUNTED
    assert "unknown objects" not in page, "no bundle tells any"
    assert "$" not in page
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    printed = capsys.readouterr().out
    assert "Differ from the rest: 1 vehicle, " in printed
    assert "Lost half of their frames or more: 1 single day" in printed
    ((car, day),) = planted.dead
    assert f"{car} on {day}, front: lost 100 % of its frames" in printed
    assert vehicle in printed
    merged = list(read_summaries(out / "summaries.parquet"))
    assert sum(summary.counts.frames + summary.counts.dropped for summary in merged) == 480 * 400
    again = fleet_figures(FleetOptions((out / "summaries.parquet",), tmp_path), tmp_path / "again.parquet")
    assert again.asdict()["differences"] == figures["differences"]
    assert (tmp_path / "again.parquet").read_bytes() == (out / "summaries.parquet").read_bytes()


COUNTED = ["alarms", "out of distribution", "p-value", "expected quality", "unknown quality"]
COUNTED += ["unavailable", "invalid", "late", "dropped", "cause: fog"]
"""Figures of the simulated fleet, whose frames tell no unknown objects."""


def test_figure_of_few_frames_is_left_out_and_the_day_that_lost_the_others_stays() -> None:
    whole, lost, few = (summary_of(drawn_frames(seed, 300), f"car-{seed}") for seed in range(3))
    lost.counts = SummaryCounts(dropped=500)
    few.counts = SummaryCounts(dropped=9)
    (population,) = populations([whole, lost, few], min_frames=10)
    assert population.vehicles == ("car-0", "car-1")
    assert population.shares("unavailable")[1, 0] == 1
    for figure in set(population.figures) - {"unavailable", "dropped"}:
        assert np.isnan(population.shares(figure)[1, 0]), figure
        assert np.isnan(population.sums[figure][1, 0]), figure


def test_file_that_is_named_and_found_counts_once(tmp_path: Path) -> None:
    write_summaries([summary_of(drawn_frames(0, 200))], tmp_path / "one.parquet")
    options = FleetOptions((tmp_path, tmp_path / "one.parquet", tmp_path / "*.parquet"), tmp_path, min_frames=10)
    figures = fleet_figures(options, tmp_path / "merged.out")
    assert figures.files == 1
    assert (tmp_path / "merged.out").read_bytes() == (tmp_path / "one.parquet").read_bytes()


def test_small_fleet_is_drawn_and_nothing_is_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    drawn = [summary_of(drawn_frames(0, 200)), summary_of(drawn_frames(1, 5), "few")]
    write_summaries(drawn, tmp_path / "one.parquet")
    assert main([str(tmp_path / "one.parquet"), "--out", str(tmp_path / "fleet"), "--min-frames", "10"]) == 0
    printed = capsys.readouterr().out
    assert "Nothing was compared: that takes at least 10 vehicles" in printed
    assert "Left out: 1 day of vehicles and cameras with fewer than 10 frames." in printed
    assert json.loads((tmp_path / "fleet" / "fleet.json").read_text())["days_left_out"] == 1


@pytest.mark.parametrize(
    ("words", "message", "code"),
    [
        (["none/"], "expected files of daily summaries or a folder of them, found nothing at none", 2),
        (["one.parquet", "--rate", "2"], "expected a share of chance findings between 0 and 1, got 2", 2),
        (["one.parquet", "--min-frames", "1000"], "expected days of at least 1000 frames, found none", 2),
        (["damaged.parquet"], "expected a whole file of daily summaries, got damaged.parquet", 1),
    ],
)
def test_fleet_refuses_in_one_line_and_writes_nothing(
    words: list[str],
    message: str,
    code: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    write_summaries([summary_of(drawn_frames(0, 20))], "one.parquet")
    Path("damaged.parquet").write_bytes(Path("one.parquet").read_bytes()[:500])
    assert main([*words, "--out", "fleet", "--quiet"]) == code
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["damaged.parquet", "one.parquet"]


def test_folder_of_something_else_is_not_replaced(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_summaries([summary_of(drawn_frames(0, 20))], tmp_path / "one.parquet")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    assert main([str(tmp_path / "one.parquet"), "--out", str(tmp_path / "mine")]) == 2
    assert "found something else: choose another --out" in capsys.readouterr().err


def test_figures_of_a_day_are_those_of_its_counts() -> None:
    made = [summary_of(drawn_frames(seed, 150), f"car-{seed}") for seed in range(3)]
    (population,) = populations(made, min_frames=10)
    assert population.vehicles == ("car-0", "car-1", "car-2")
    for row, summary in enumerate(made):
        counts = summary.counts
        assert population.shares("out of distribution")[row, 0] == pytest.approx(
            counts.states["out_of_distribution"] / (counts.frames - counts.states["invalid"])
        )
        assert population.shares("alarms")[row, 0] == pytest.approx(counts.alarms / counts.followed)
        lost = counts.states["invalid"] + counts.dropped
        assert population.shares("unavailable")[row, 0] == pytest.approx(lost / (counts.frames + counts.dropped))
        told_objects = counts.objects_known or np.nan
        assert population.shares("unknown objects")[row, 0] == pytest.approx(
            counts.object_frames / told_objects, nan_ok=True
        )
        told = sum(counts.causes.values())
        assert population.shares("cause: fog")[row, 0] == pytest.approx(counts.causes.get("fog", 0) / told)
        middles = np.convolve([0, *(i / 20 for i in range(1, 21))], [0.5, 0.5], "valid")
        expected = np.average(middles, weights=counts.qualities)
        assert population.shares("expected quality")[row, 0] == pytest.approx(expected)
    assert set(population.figures) <= {*SHARES, "cause: fog", "cause: mud", "cause: unknown"}
    assert population.p_values[0].tolist() == np.sum([each.counts.p_values for each in made], axis=0).tolist()
