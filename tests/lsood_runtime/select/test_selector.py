# SPDX-License-Identifier: Apache-2.0
"""Selections are reproducible, keep their quotas, hold no near-duplicates, and do not depend on how rows are dealt."""

import json
import math
import pickle
from collections import Counter
from collections.abc import Callable
from itertools import cycle
from pathlib import Path
from typing import Any
from unicodedata import normalize

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from lsood_runtime import FrameSelector, MediaError
from lsood_runtime._text.json_values import finite_values
from tests.lsood_runtime.select.rows import Rows, make_rows, selected, write_csv, write_parquet


def naive_selection(
    rows: Rows, budget: int, candidates: int, per_drive: int, per_cause: int, least: float
) -> list[str]:
    """The same by sorting, in plain loops, for rows whose values and distances all differ; no cause but `none` and `fog`."""
    valid = [row for row in rows if row["state"] != "invalid"]
    values: dict[str, Callable[[dict[str, Any]], float | None]] = {
        "score": lambda row: row["score"],
        "quality": lambda row: 1.0 if row["expected_quality"] is None else 1 - row["expected_quality"],
        "objects": lambda row: row["largest_peak"] if row["object_count"] else None,
    }
    nominated: dict[str, list[dict[str, Any]]] = {}
    for term, value in values.items():
        nominated[term] = []
        for cause, most in (("none", budget), ("fog", per_cause)):
            taken: Counter[str] = Counter()
            own = [row for row in valid if row["cause"] == cause and value(row) is not None]
            kept = []
            for row in sorted(own, key=value, reverse=True):  # type: ignore[arg-type]
                drive = row["frame"].partition("/")[0]
                taken[drive] += 1
                if taken[drive] <= candidates * per_drive:
                    kept.append(row)
            nominated[term] += kept[: candidates * most]
    union = {row["frame"]: row for own in nominated.values() for row in own}
    features = np.array([row["features"] for row in union.values()])
    scaled = (features - features.mean(axis=0)) / features.std(axis=0) / math.sqrt(features.shape[1])
    places = {frame: place for place, frame in enumerate(union)}
    apart = cdist(scaled, scaled)
    picks: list[str] = []
    turns = list(values)
    while turns and len(picks) < budget:
        term = turns.pop(0)

        def is_open(row: dict[str, Any]) -> bool:
            drive = row["frame"].partition("/")[0]
            of_drive = sum(pick.startswith(f"{drive}/") for pick in picks)
            of_cause = sum(union[pick]["cause"] == row["cause"] for pick in picks)
            near = any(apart[places[pick], places[row["frame"]]] < least for pick in picks)
            full = of_drive == per_drive or (row["cause"] == "fog" and of_cause == per_cause)
            return not (near or full or row["frame"] in picks)

        left = [row for row in nominated[term] if is_open(row)]
        if left:
            turns.append(term)
            if picks:
                best = max(left, key=lambda row: min(apart[places[pick], places[row["frame"]]] for pick in picks))
            else:
                best = max(left, key=values[term])  # type: ignore[arg-type]
            picks.append(best["frame"])
    return picks


@pytest.mark.parametrize("seed", range(6))
def test_selection_is_that_of_a_naive_implementation(tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = make_rows(150, seed, drives=6, causes=("none", "fog"))
    for row in rows:  # all values differ: order among equals is a matter of the seed
        row["score"] = None if row["score"] is None else float(rng.random())
        row["expected_quality"] = float(rng.random())
        row["largest_peak"] = float(rng.random()) if row["object_count"] else None
    got = selected(tmp_path, rows, budget=14, candidates=2, per_drive=4, per_cause=5, min_distance=0.3)
    assert [pick.frame for pick in got.picks] == naive_selection(rows, 14, 2, 4, 5, 0.3)


@given(st.integers(0, 10**6), st.integers(1, 5), st.randoms(use_true_random=False))
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_merged_selectors_select_what_one_selects_from_all_rows(
    tmp_path: Path, seed: int, parts: int, random: Any
) -> None:
    """Rows that name their drive, dealt to files and processes in any way."""
    rows = [{**row, "drive": row["frame"][:6]} for row in make_rows(80, seed)]
    whole = selected(tmp_path, rows, seed=seed)
    random.shuffle(rows)
    joined = FrameSelector(10, min_distance=0.0, seed=seed)
    for part in range(parts):
        own = FrameSelector(10, min_distance=0.0, seed=seed)
        own.read(write_csv(tmp_path / "part.csv", rows[part::parts]))
        joined.merge(pickle.loads(pickle.dumps(own)))
    assert joined.select() == whole


@given(st.integers(0, 10**6), st.integers(1, 4), st.randoms(use_true_random=False))
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_files_dealt_to_processes_in_any_way_give_the_selection_of_one(
    tmp_path: Path, seed: int, parts: int, random: Any
) -> None:
    """Files of vehicles whose frames have the same names."""
    files = []
    for vehicle in range(6):
        rows = make_rows(15, seed + vehicle)
        for number, row in enumerate(rows):
            row["frame"] = f"images/{number}.png"
        files.append(write_csv(tmp_path / f"car-{vehicle}.csv", rows))
    whole, joined = FrameSelector(10, seed=seed), FrameSelector(10, seed=seed)
    for file in files:
        whole.read(file)
    random.shuffle(files)
    for part in range(parts):
        own = FrameSelector(10, seed=seed)
        for file in files[part::parts]:
            own.read(file)
        joined.merge(pickle.loads(pickle.dumps(own)))
    assert joined.select() == whole.select()


@pytest.mark.parametrize("rule", [None, "folder", "prefix", "camera"])
def test_frames_of_two_vehicles_with_the_same_names_are_all_candidates(tmp_path: Path, rule: str | None) -> None:
    selector = FrameSelector(100, per_drive=3, min_distance=0.0, group_by=rule)
    for vehicle in range(2):
        rows = [
            {"frame": f"images/a_{i}.png", "camera": "front", "score": i, "state": "ok", "features": [vehicle, i]}
            for i in range(50)
        ]
        selector.read(write_csv(tmp_path / f"car-{vehicle}.csv", rows))
    got = selector.select()
    assert got.candidates == 2 * 3 * 3  # of each vehicle three times its quota
    first = {pick.drive for pick in got.picks if pick.drive.startswith(f"{tmp_path.as_posix()}/car-0: ")}
    assert Counter(pick.drive in first for pick in got.picks) == {True: 3, False: 3}
    whole = FrameSelector(100, per_drive=100, min_distance=0.0, group_by=rule)
    for vehicle in range(2):
        whole.read(tmp_path / f"car-{vehicle}.csv")
    assert len(whole.select().picks) == 100


def test_valid_rows_without_features_are_counted(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    rows = make_rows(60, 3)
    valid = [row for row in rows if row["state"] != "invalid"]
    for row in valid[:7]:
        row["features"] = None
    for row in valid[7:9]:
        row["features"] = []
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    files = [write_csv(tmp_path / "rows.csv", rows), write_parquet(tmp_path / "rows.parquet", rows)]
    for file in (*files, tmp_path / "rows.jsonl"):
        one, other = FrameSelector(5), FrameSelector(5)
        one.read(file)
        other.read(file)
        assert (one.select().rows, one.select().without_features) == (60, 9)
        one.merge(other)
        assert one.select().without_features == 18


def test_rows_with_a_feature_that_is_no_finite_number_are_counted_and_never_picked(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    rng = np.random.default_rng(0)
    rows = make_rows(200, 3, width=5)
    valid = [row for row in rows if row["state"] != "invalid"]
    faults = rng.choice(len(valid), 30, replace=False)
    for fault, value in zip(faults, cycle([math.nan, math.inf, -math.inf, 1e39, -4e38]), strict=False):
        valid[fault]["features"][rng.integers(5)] = value
        valid[fault]["score"] = 99.0  # which would be picked first
    faulty = {valid[fault]["frame"] for fault in faults}
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(finite_values(row)) + "\n" for row in rows))
    files = [write_csv(tmp_path / "rows.csv", rows), write_parquet(tmp_path / "rows.parquet", rows)]
    for file in (*files, tmp_path / "rows.jsonl"):
        selector, clean = FrameSelector(20), FrameSelector(20)
        selector.read(file)
        got = selector.select()
        assert (got.rows, got.not_finite, got.without_features) == (200, 30, 0)
        clean.read(write_csv(tmp_path / "rows.csv", [row for row in rows if row["frame"] not in faulty]))
        assert [pick.frame for pick in got.picks] == [pick.frame for pick in clean.select().picks]
        write_csv(tmp_path / "rows.csv", rows)
        clean.read(file)
        selector.merge(clean)
        assert selector.select().not_finite == 60


def test_names_that_differ_by_unicode_form_are_two_frames_unless_their_features_are_alike(tmp_path: Path) -> None:
    """As on a disk of Linux, where both may be; one file whose name was read in two forms gives the same features twice."""
    composed, decomposed = (normalize(form, "drive/\u00e9.png") for form in ("NFC", "NFD"))
    for second, count in ((2.0, 2), (1.0, 1)):
        rows = [
            {"frame": name, "score": 1.0, "state": "ok", "features": [value, 0.0]}
            for name, value in ((composed, 1.0), (decomposed, second))
        ]
        got = selected(tmp_path, rows, min_distance=0.2, per_drive=5)
        assert (len(got.picks), got.near_duplicates) == (count, 2 - count)


def test_numbers_as_names_are_the_texts_that_csv_has(tmp_path: Path) -> None:
    rows = [
        {"frame": i, "drive": i % 2, "score": float(i), "state": "ok", "features": [float(i), 1.0]} for i in range(8)
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    lines = FrameSelector(10, min_distance=0.0)
    lines.read(tmp_path / "rows.jsonl")
    assert {pick.drive for pick in lines.select().picks} == {"0", "1"}
    assert lines.select() == selected(tmp_path, rows)


def test_merge_with_too_many_causes_leaves_the_selector_as_it_was(tmp_path: Path) -> None:
    def of_causes(first: int, last: int) -> FrameSelector:
        rows = [
            {"frame": f"{n}", "score": n, "state": "ok", "cause": f"c{n:02}", "features": [float(n)]}
            for n in range(first, last)
        ]
        selector = FrameSelector(5)
        selector.read(write_csv(tmp_path / "rows.csv", rows))
        return selector

    one, other = of_causes(0, 40), of_causes(30, 70)
    before = one.select()
    with pytest.raises(MediaError, match="expected at most 64 causes in all rows, got more, 'c40' too"):
        one.merge(other)
    assert one.select() == before
    one.merge(of_causes(30, 64))
    assert len({cause for _, cause in one._lists}) == 64


@pytest.mark.parametrize("seed", range(4))
def test_selection_keeps_its_quotas_and_its_least_distance(tmp_path: Path, seed: int) -> None:
    rows = make_rows(300, seed, drives=12)
    got = selected(tmp_path, rows, budget=40, per_drive=5, per_cause=6, min_distance=0.4, candidates=5)
    by_frame = {row["frame"]: row for row in rows}
    assert len({pick.frame for pick in got.picks}) == len(got.picks)
    assert max(Counter(pick.drive for pick in got.picks).values()) <= 5
    causes = Counter(pick.cause for pick in got.picks)
    assert max(causes[cause] for cause in causes if cause != "none") <= 6
    assert all(by_frame[pick.frame]["state"] != "invalid" for pick in got.picks)
    assert got.picks[0].distance == math.inf
    assert min(pick.distance for pick in got.picks) >= 0.4
    assert [pick.rank for pick in got.picks] == list(range(1, len(got.picks) + 1))
    assert (got.rows, got.invalid) == (300, sum(row["state"] == "invalid" for row in rows))
    left = got.candidates - len(got.picks)
    assert got.near_duplicates + got.over_quota == left or len(got.picks) == 40


def test_seed_settles_which_of_equally_relevant_frames_come_first(tmp_path: Path) -> None:
    rows = make_rows(60, 1)
    for row in rows:
        row |= {"score": 1.0, "state": "ok", "features": row["features"] or [0.0, 0.0, 0.0]}
    first = selected(tmp_path, rows, by=["score"], seed=1)
    assert selected(tmp_path, rows[::-1], by=["score"], seed=1) == first
    assert selected(tmp_path, rows, by=["score"], seed=2) != first


def test_frame_that_comes_twice_is_picked_once(tmp_path: Path) -> None:
    rows = make_rows(30, 2)
    changed = [{**row, "features": None if row["features"] is None else [9.0, 9.0, 9.0]} for row in rows[:5]]
    got = selected(tmp_path, rows + rows + changed, budget=60, per_drive=60, per_cause=60, candidates=3)
    assert len({pick.frame for pick in got.picks}) == len(got.picks) == 30 - got_invalid(rows)


def got_invalid(rows: Rows) -> int:
    return sum(row["state"] == "invalid" for row in rows)


def test_why_names_the_term_the_value_and_the_place(tmp_path: Path) -> None:
    rows = make_rows(40, 3)
    words = [pick.why for pick in selected(tmp_path, rows, budget=6, per_cause=6, per_drive=6).picks]
    assert words[0].startswith("high score ")
    assert ", number 1 of cause " in words[0]
    assert words[1].startswith(("low expected quality 0", "unknown quality"))
    assert words[2].startswith("unknown objects ")
    bare = [{name: row[name] for name in ("frame", "score", "state", "features")} for row in rows]
    assert all(pick.why.startswith("high score") and "cause" not in pick.why for pick in selected(tmp_path, bare).picks)


@pytest.mark.parametrize(
    ("rule", "expected"), [(None, "drive"), ("prefix", "3"), ("camera", "front"), ("folder", "drive")]
)
def test_drives_are_told_apart_by_the_rule(tmp_path: Path, rule: str | None, expected: str) -> None:
    got = selected(tmp_path, make_rows(30, 3), group_by=rule, budget=3)
    assert all(pick.drive.startswith(f"{tmp_path.as_posix()}/rows: {expected}") for pick in got.picks)
    named = [{**row, "drive": f"{row['frame'][:6]} on Monday"} for row in make_rows(30, 3)]
    assert all(pick.drive.endswith("on Monday") for pick in selected(tmp_path, named, budget=3).picks)


def test_frames_of_a_recording_are_of_the_drive_of_its_file(tmp_path: Path) -> None:
    rows = make_rows(9, 4)
    for number, row in enumerate(rows):
        row["frame"] = f"a_1/front.mp4#{number:06d}"
    assert {pick.drive for pick in selected(tmp_path, rows).picks} == {f"{tmp_path.as_posix()}/rows: a_1/front.mp4"}
    assert {pick.drive for pick in selected(tmp_path, rows, group_by="prefix").picks} == {
        f"{tmp_path.as_posix()}/rows: front"
    }


def test_selectors_that_differ_are_not_joined(tmp_path: Path) -> None:
    one, other = FrameSelector(5), FrameSelector(5)
    with pytest.raises(ValueError, match="got other seed"):
        one.merge(FrameSelector(5, seed=1))
    one.read(write_csv(tmp_path / "a.csv", make_rows(20, 1)))
    other.read(write_csv(tmp_path / "b.csv", make_rows(20, 1, width=4)))
    with pytest.raises(ValueError, match="expected frames of 3 features, got 4"):
        one.merge(other)


def test_no_rows_and_none_with_features_select_nothing(tmp_path: Path) -> None:
    assert FrameSelector(5).select().picks == ()
    rows = [{"frame": "a", "score": 1.0, "state": "ok", "features": [math.nan]}] * 2
    assert selected(tmp_path, rows).candidates == 0
