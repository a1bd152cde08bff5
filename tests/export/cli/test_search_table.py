# SPDX-License-Identifier: Apache-2.0
"""What a search prints."""

import csv
import io
import json
from pathlib import Path

import pytest

from export.cli.search_table import print_search, write_csv, write_json
from export.detectors.fitted import PartOptions
from export.evaluation.detector_ranking import CellFigures, Figures
from export.features.key import FeatureKey, FeatureKind
from export.search.candidates import SearchCandidate
from export.search.options import SearchOptions
from export.search.ranked import RankedCandidate
from export.search.search import SearchResult

OPTIONS = SearchOptions(Path("x.ckpt"), (Path("day"),))


def figures(**cells: tuple[float, bool]) -> Figures:
    return Figures(tuple(CellFigures(f"{kind} 3", kind, hurts, value, 0.25) for kind, (value, hurts) in cells.items()))


def of_one_part(key: FeatureKey, detector: str, pca: int | None = None) -> SearchCandidate:
    return SearchCandidate(detector, (PartOptions(detector, (key,), pca=pca),), "net.layer3", 16)


ENERGY = RankedCandidate(
    of_one_part(FeatureKey.output_score(FeatureKind.ENERGY), "output-score"),
    figures(fog=(0.75, True), mud=(0.25, True), snow=(0.5, False)),
)
BEST = RankedCandidate(
    of_one_part(FeatureKey.entropy("net.layer3", 16), "kde", 4),
    figures(fog=(1.0, True), mud=(0.5, True), snow=(0.75, False)),
    1.5,
)
GUIDE = figures(mud=(0.625, True))
RESULT = SearchResult((BEST, ENERGY), BEST, GUIDE, BEST.figures.over(["mud"]), OPTIONS)


def test_print_search_with_the_guide_compares_it_with_the_best(capsys: pytest.CaptureFixture[str]) -> None:
    print_search(RESULT)
    lines = capsys.readouterr().out.splitlines()
    cells = [[cell.strip() for cell in line.strip("│┃").replace("┃", "│").split("│")] for line in lines if "│" in line]
    assert ["layer3, S = 16", "kde", "4", "0.750", "mud 0.50", "0.750", "0.250", "1.5"] in cells
    assert ["energy", "output-score", "-", "0.500", "mud 0.25", "0.500", "0.250", "-"] in cells
    text = " ".join(" ".join(lines).split())
    assert "mean AUROC 0.625 over the 1 cells of other kinds; the best one: 0.500" in text
    assert "2 of 3 cells (a kind at a severity) rank" in text
    assert lines[-1].startswith("next: python -m export --ckpt x.ckpt ")
    assert "--pca 4" in lines[-1]


def test_print_search_without_an_exportable_candidate_names_none(capsys: pytest.CaptureFixture[str]) -> None:
    print_search(SearchResult((ENERGY,), None, None, None, OPTIONS))
    out = capsys.readouterr().out
    assert "energy" in out
    assert "next:" not in out


def test_print_search_without_a_cell_that_hurts_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    harmless = RankedCandidate(BEST.candidate, figures(fog=(0.5, False), mud=(0.25, False)))
    print_search(SearchResult((harmless,), harmless, None, None, OPTIONS))
    out = capsys.readouterr().out
    assert "none of the 2 cells" in out
    assert "mud 0.25" in out


def test_print_search_of_many_candidates_shows_the_best(capsys: pytest.CaptureFixture[str]) -> None:
    print_search(SearchResult((BEST, *[ENERGY] * 29), BEST, None, None, OPTIONS))
    out = capsys.readouterr().out
    assert out.count("energy") == 24
    assert "5 more candidates: --out or --json gives them all" in out


def test_print_search_of_taps_with_one_last_name_writes_them_in_full(capsys: pytest.CaptureFixture[str]) -> None:
    other = RankedCandidate(of_one_part(FeatureKey.entropy("head.layer3", 16), "kde"), figures(fog=(0.5, True)))
    print_search(SearchResult((BEST, other), BEST, None, None, OPTIONS))
    out = capsys.readouterr().out
    assert "net.layer3, S = 16" in out
    assert "head.layer3, S = 16" in out


def test_write_csv_and_json_of_a_result_hold_every_candidate() -> None:
    table, text = io.StringIO(), io.StringIO()
    write_csv(RESULT, table)
    write_json(RESULT, text)
    rows, objects = list(csv.DictReader(table.getvalue().splitlines())), json.loads(text.getvalue())
    assert [row["features"] for row in rows] == [one["features"] for one in objects] == ["net.layer3, S = 16", "energy"]
    assert objects[0]["auroc_fog 3"] == float(rows[0]["auroc_fog 3"]) == 1.0
    assert (objects[0]["hurting_auroc"], objects[0]["mean_auroc"], objects[1]["worst_kind"]) == (0.75, 0.75, "mud")
    assert (objects[0]["added_ms"], objects[1]["added_ms"], rows[1]["added_ms"]) == (1.5, None, "")
