# SPDX-License-Identifier: Apache-2.0
"""``lsood select``: from scored frames to a list, a sheet and lists for tools, and what is refused before the first row."""

import csv
import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lsood_runtime import FrameSelector, MediaError
from lsood_runtime._cli.main import run
from lsood_runtime._cli.pick_lists import add_to_fiftyone
from lsood_runtime._cli.pick_sheet import draw_picks
from tests.lsood_runtime.conftest import HEIGHT, WIDTH, random_frames
from tests.lsood_runtime.parts_bundle import write_parts_bundle
from tests.lsood_runtime.select.rows import Rows, make_rows, write_csv, write_parquet


@pytest.fixture
def drives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for drive in range(3):
        (tmp_path / f"drive{drive}").mkdir()
        for number, frame in enumerate(random_frames(4, seed=drive)):
            Image.fromarray(frame).save(tmp_path / f"drive{drive}" / f"{number}.png")
    return tmp_path


def score(drives: Path, *outs: str) -> None:
    bundle = drives / "bundle"
    bundle.mkdir()
    write_parts_bundle(bundle)
    named = [word for out in outs for word in ("--out", out)]
    assert run(["score", "bundle", "drive0/", "drive1/", "drive2/", "--features", *named]) in (0, 1)


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_scored_frames_become_a_list_a_sheet_and_lists_for_tools(
    drives: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("pyarrow")
    score(drives, "rows.parquet", "rows.csv", "rows.jsonl")
    told = [json.loads(line)["features"] for line in (drives / "rows.jsonl").read_text().splitlines()]
    means = [random_frames(4, seed=drive).reshape(4, -1, 3).mean(axis=1) / 255 for drive in range(3)]
    np.testing.assert_allclose(told, np.concatenate(means), atol=1e-6)
    capsys.readouterr()
    words = ["--budget", "6", "--per-drive", "2", "--min-distance", "0"]
    extra = ["--sheet", "pick.png", "--coco", "pick.json", "--cvat", "pick.jsonl"]
    assert run(["select", "rows.parquet", *words, "--out", "pick.csv", *extra]) == 0
    said = capsys.readouterr().err
    assert "6 frames of 3 drives picked from 12 rows (0 invalid), among 12 candidates: pick.csv" in said
    assert run(["select", "rows.csv", *words, "--out", "again.csv"]) == 0
    assert (drives / "again.csv").read_text() == (drives / "pick.csv").read_text()
    picks = read(drives / "pick.csv")
    assert [pick["rank"] for pick in picks] == list("123456")
    assert {pick["drive"] for pick in picks} == {"rows: drive0", "rows: drive1", "rows: drive2"}
    assert picks[0]["distance"] == ""
    assert all(float(pick["distance"]) > 0 for pick in picks[1:])
    with Image.open(drives / "pick.png") as sheet:
        assert min(sheet.size) > 100
    coco = json.loads((drives / "pick.json").read_text())
    assert coco.keys() == {"info", "licenses", "images", "annotations", "categories"}
    for image, pick in zip(coco["images"], picks, strict=True):
        assert (image["id"], image["file_name"]) == (int(pick["rank"]), pick["frame"])
        assert (image["width"], image["height"]) == (WIDTH, HEIGHT)
    lines = [json.loads(line) for line in (drives / "pick.jsonl").read_text().splitlines()]
    assert lines[:2] == [{"version": "1.1"}, {"type": "images"}]
    assert [line["name"] + line["extension"] for line in lines[2:]] == [pick["frame"] for pick in picks]


def test_list_of_the_command_is_that_of_the_function(drives: Path) -> None:
    write_csv(drives / "rows.csv", make_rows(90, 7))
    assert run(["select", "rows.csv", "--budget", "9", "--out", "pick.csv"]) == 0
    selector = FrameSelector(9)
    selector.read("rows.csv")
    picks = selector.select().picks
    assert [pick["frame"] for pick in read(drives / "pick.csv")] == [pick.frame for pick in picks]
    assert [pick["why"] for pick in read(drives / "pick.csv")] == [pick.why for pick in picks]


def test_folder_of_rows_is_selected_from_as_one(drives: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("pyarrow")
    (drives / "rows").mkdir()
    rows = [{**row, "drive": row["frame"][:6]} for row in make_rows(60, 8)]
    write_csv(drives / "all.csv", rows)
    write_parquet(drives / "rows" / "a.parquet", rows[:20])
    write_csv(drives / "rows" / "b.csv", rows[20:])
    assert run(["select", "rows/", "--budget", "5", "--out", "pick.csv"]) == 0
    assert run(["select", "all.csv", "--budget", "5", "--out", "one.csv"]) == 0
    assert (drives / "pick.csv").read_text() == (drives / "one.csv").read_text()
    assert run(["select", "rows/", "rows/b.csv", "rows/*", "--budget", "5", "--out", "pick.csv"]) == 0
    assert capsys.readouterr().err.count("picked from 60 rows") == 3


def test_fewer_picks_than_the_budget_are_explained(drives: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_csv(drives / "rows.csv", make_rows(30, 1))
    assert (
        run(["select", "rows.csv", "--budget", "30", "--per-drive", "1", "--out", "pick.csv", "--sheet", "a.png"]) == 0
    )
    said = capsys.readouterr().err
    assert "fewer than 30: of the other candidates" in said
    assert "4 frames of 4 cannot be shown: no image file here" in said


def test_features_that_are_not_finite_and_names_that_look_alike_are_told(
    drives: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ["e\u0301.png", "\u00e9.png", "e.png", "f.png"]
    rows: Rows = [
        {"frame": name, "score": 1.0, "state": "ok", "features": [float(i), math.inf if name == "f.png" else 1.0]}
        for i, name in enumerate(names)
    ]
    write_csv(drives / "rows.csv", rows)
    assert run(["select", "rows.csv", "--budget", "3", "--per-drive", "3", "--out", "pick.csv"]) == 0
    said = capsys.readouterr().err
    assert "picked from 4 rows (0 invalid, 1 with features that are no finite numbers), among 3 candidates" in said
    assert "note: 1 frame picked beside one whose name differs by its Unicode form alone" in said


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["rows.csv", "--out", "pick.txt"], "expected a file that ends in .csv or .jsonl or .parquet, got pick.txt"),
        (["rows.csv", "--out", "rows.csv"], "expected another file than those that are read"),
        (["rows.csv", "--out", "no/pick.csv"], "expected the folder"),
        (["rows.csv", "--out", "pick.csv", "--coco", "pick.csv"], "ends in .json"),
        (["rows.csv", "--out", "pick.csv", "--sheet", "pick.txt"], "expected a picture that ends in"),
        (["nowhere/", "--out", "pick.csv"], "expected files of rows"),
        (["drive0/", "--out", "pick.csv"], "expected files of rows in drive0, found none"),
        (["rows.csv", "--out", "pick.csv", "--by", "quality"], "the columns expected_quality for the term quality"),
        (
            ["rows.csv", "--out", "pick.csv", "--coco", "pick.json"],
            "expected image files for COCO, found none at x/a.png",
        ),
        (["rows.csv", "--out", "pick.csv", "--candidates", "2000"], "expected candidates from 1 to 1,000, got 2000"),
        (["bad.csv", "--out", "pick.csv"], "1 row have none, 1 of them invalid, 0 without features, 0 with"),
        (["rows.csv", "--out", "pick.csv", "--cvat", "drive0/a.jsonl"], "expected images below"),
    ],
)
def test_what_cannot_be_done_is_refused_and_leaves_no_file(
    drives: Path, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    row: dict[str, Any] = {"frame": "drive1/0.png", "score": 1.0, "state": "ok", "features": [1.0]}
    rows = [row | {"frame": "x/a.png"}] if "--coco" in words else [row]
    write_csv(drives / "rows.csv", rows)
    write_csv(drives / "bad.csv", [row | {"state": "invalid"}])
    before = sorted(drives.rglob("*"))
    assert run(["select", *words, "--budget", "2"]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.startswith("lsood: error: ")
    assert said.count("\n") == 1
    assert sorted(drives.rglob("*")) == before


class _FiftyOne(SimpleNamespace):
    """The part of FiftyOne that is used: datasets by name, samples with fields."""

    def __init__(self, add_samples: Callable[[Any], None] | None = None) -> None:
        self.add_samples = add_samples
        datasets: dict[str, list[dict[str, Any]]] = {}

        def make(name: str, persistent: bool) -> SimpleNamespace:
            assert persistent
            datasets[name] = []
            return SimpleNamespace(add_samples=self.add_samples or datasets[name].extend)

        super().__init__(
            datasets=datasets,
            Dataset=make,
            Sample=dict,
            dataset_exists=datasets.__contains__,
            delete_dataset=datasets.pop,
        )


def test_picks_become_a_dataset_of_fiftyone(
    drives: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    row = {"frame": "drive1/0.png", "score": 1.0, "state": "ok", "features": [1.0]}
    write_csv(drives / "rows.csv", [row])
    words = ["select", "rows.csv", "--budget", "2", "--out", "pick.csv", "--fiftyone", "night"]
    monkeypatch.setitem(sys.modules, "fiftyone", None)
    assert run(words) == 2
    assert "pip install fiftyone" in capsys.readouterr().err
    stand_in = _FiftyOne()
    monkeypatch.setitem(sys.modules, "fiftyone", stand_in)
    assert run(words) == 0
    (sample,) = stand_in.datasets["night"]
    assert sample["filepath"] == str(drives / "drive1" / "0.png")
    assert (sample["rank"], sample["score"], sample["drive"], sample["tags"]) == (1, 1.0, "rows: drive1", ["to label"])
    assert None not in sample.values()
    assert run(words) == 2
    assert "night exists: choose another name" in capsys.readouterr().err


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()], ids=type)
def test_dataset_of_fiftyone_that_cannot_be_filled_is_deleted(
    error: BaseException, drives: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(samples: object) -> None:
        raise error

    stand_in = _FiftyOne(fail)
    monkeypatch.setitem(sys.modules, "fiftyone", stand_in)
    with pytest.raises(type(error)):
        add_to_fiftyone([], "night")
    assert stand_in.datasets == {}


def test_sheet_shows_at_most_sixty_frames(drives: Path) -> None:
    selector = FrameSelector(80, per_drive=80, min_distance=0)
    selector.read(write_csv(drives / "rows.csv", make_rows(90, 7, causes=("none",))))
    figure = draw_picks(selector.select().picks)
    titles = [axis.get_title() for axis in figure.axes if axis.get_title()]
    assert len(titles) == 60
    assert titles[0].startswith("1. 7_")
    assert figure.get_suptitle() == "the first 60 of 80 frames to label"


def test_help_teaches_where_rows_come_from(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run(["select", "--help"])
    assert "lsood score monitor/ drive/ --features --out" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words", [["--min-distance", "-1"], ["--min-distance", "x"], ["--seed", "-1"], ["--by", "fog"]]
)
def test_numbers_out_of_range_are_bad_usage(words: list[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        run(["select", "rows.csv", "--budget", "2", "--out", "a.csv", *words])
    assert stopped.value.code == 2


def test_one_of_the_images_that_cannot_be_read_is_named(drives: Path) -> None:
    (drives / "drive1" / "0.png").write_bytes(b"no image")
    write_csv(drives / "rows.csv", [{"frame": "drive1/0.png", "score": 1.0, "state": "ok", "features": [1.0]}])
    from lsood_runtime._cli.pick_lists import coco_list

    selector = FrameSelector(1)
    selector.read(drives / "rows.csv")
    with pytest.raises(MediaError, match=r"0\.png"):
        coco_list(selector.select().picks)
