# SPDX-License-Identifier: Apache-2.0
"""What a search prints."""

import csv
import io
import json
from pathlib import Path

import pytest

from export.cli.search_table import print_search, write_csv, write_json
from export.features.key import FeatureKey, FeatureKind
from export.search.options import SearchOptions
from export.search.ranking import Candidate, RankedCandidate
from export.search.search import SearchResult

OPTIONS = SearchOptions(Path("x.ckpt"), (Path("day"),))
ENERGY = RankedCandidate(
    Candidate(FeatureKey.output_score(FeatureKind.ENERGY), "output"), {"fog": 0.75, "mud": 0.25}, 0.5
)
BEST = RankedCandidate(Candidate(FeatureKey.entropy("net.layer3", 16), "kde", 4), {"fog": 1.0, "mud": 0.5}, 0.25, 1.5)
GUIDE = RankedCandidate(Candidate(FeatureKey.entropy("net.drop", 10, "fresh"), "guide"), {"mud": 0.625}, 0.5)
RESULT = SearchResult((BEST, ENERGY), BEST, GUIDE, BEST.over(["mud"]))


def test_print_search_with_the_guide_compares_it_with_the_best(capsys: pytest.CaptureFixture[str]) -> None:
    print_search(RESULT, OPTIONS)
    lines = capsys.readouterr().out.splitlines()
    cells = [[cell.strip() for cell in line.strip("│┃").replace("┃", "│").split("│")] for line in lines if "│" in line]
    assert ["layer3, S = 16", "kde", "4", "0.750", "mud 0.50", "0.250", "1.5"] in cells
    assert ["energy", "output", "-", "0.500", "mud 0.25", "0.500", "-"] in cells
    text = " ".join(" ".join(lines).split())
    assert "mean AUROC 0.625 over the 1 other shifts; the best one: 0.500" in text
    assert lines[-1].startswith("next: python -m export --ckpt x.ckpt ")
    assert "--pca 4" in lines[-1]


def test_print_search_without_an_exportable_candidate_names_none(capsys: pytest.CaptureFixture[str]) -> None:
    print_search(SearchResult((ENERGY,), None, None, None), OPTIONS)
    out = capsys.readouterr().out
    assert "energy" in out
    assert "next:" not in out


def test_print_search_of_taps_with_one_last_name_writes_them_in_full(capsys: pytest.CaptureFixture[str]) -> None:
    other = RankedCandidate(Candidate(FeatureKey.entropy("head.layer3", 16), "kde"), {"fog": 0.5}, 0.5)
    print_search(SearchResult((BEST, other), BEST, None, None), OPTIONS)
    out = capsys.readouterr().out
    assert "net.layer3, S = 16" in out
    assert "head.layer3, S = 16" in out


def test_write_csv_and_json_of_a_result_hold_every_candidate() -> None:
    table, text = io.StringIO(), io.StringIO()
    write_csv(RESULT, table)
    write_json(RESULT, text)
    rows, objects = list(csv.DictReader(table.getvalue().splitlines())), json.loads(text.getvalue())
    assert [row["features"] for row in rows] == [one["features"] for one in objects] == ["net.layer3, S = 16", "energy"]
    assert objects[0]["auroc_fog"] == float(rows[0]["auroc_fog"]) == 1.0
    assert (objects[0]["added_ms"], objects[1]["added_ms"], rows[1]["added_ms"]) == (1.5, None, "")
