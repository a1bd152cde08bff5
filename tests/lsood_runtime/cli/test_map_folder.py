# SPDX-License-Identifier: Apache-2.0
"""Anomaly maps where the commands show them: a folder of maps, thumbnails, table and files."""

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lsood_runtime import Assessment, OoDMonitor, UnknownObject
from lsood_runtime._cli.main import run
from lsood_runtime._cli.map_legend import add_map_legend
from lsood_runtime._cli.thumbnails import Thumbnails
from lsood_runtime._maps.map_picture import MapPictures
from lsood_runtime._media.source_frame import SourceFrame
from lsood_runtime._partial_file import PartialFile
from lsood_runtime._tiles.frame_edges import TileEdges
from tests.lsood_runtime.answers_bundle import OBJECT_LIMIT, frame_of_level, write_answers_bundle
from tests.lsood_runtime.conftest import HEIGHT, WIDTH

LEVELS = (0.3, 0.5, 0.7, 0.95)
EDGES = TileEdges(np.array([0.0, 3, 6]), np.array([0.0, 3, 6, 8]), HEIGHT, WIDTH)
"""Of a map of 2 x 3 cells, one for every third of 6 rows and of 8 columns."""


@pytest.fixture
def mapped(tmp_path: Path) -> Path:
    (folder := tmp_path / "mapped").mkdir()
    return write_answers_bundle(folder, with_map=True)


@pytest.fixture
def drive(tmp_path: Path) -> Path:
    (folder := tmp_path / "drive").mkdir()
    for place, level in enumerate(LEVELS):
        Image.fromarray(frame_of_level(level, seed=place)).save(folder / f"{place}.png")
    Image.fromarray(np.zeros((HEIGHT, WIDTH, 3), np.uint8)).save(folder / "1_black.png")
    return folder


def verdicts(bundle: Path) -> list[Assessment]:
    with OoDMonitor(bundle) as monitor:
        return [monitor.assess(frame_of_level(level, seed=place)) for place, level in enumerate(LEVELS)]


def csv_rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_score_with_maps_writes_a_picture_and_the_map_of_each_frame_that_has_one(
    mapped: Path, drive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "maps"
    assert run(["score", str(mapped), str(drive), "--maps", str(out)]) == 1
    words, said = capsys.readouterr()
    assert f"\n4 anomaly maps in {out}, each as .png, .npy and .json\n" in f"\n{said}"
    numbers = {0: 0, 1: 1, 3: 2, 4: 3}  # the black frame is the third one
    names = [f"{number:06d}_{place}" for number, place in numbers.items()]
    assert sorted(path.name for path in out.iterdir()) == sorted(
        f"{name}{end}" for name in names for end in (".json", ".npy", ".png")
    )
    pictures = MapPictures(EDGES, OBJECT_LIMIT)
    for name, place, verdict in zip(names, range(len(LEVELS)), verdicts(mapped), strict=True):
        values = np.load(out / f"{name}.npy")
        assert values.dtype == np.float32
        np.testing.assert_array_equal(values, verdict.anomaly_map)
        drawn = pictures.draw(frame_of_level(LEVELS[place], seed=place), values, verdict.objects)
        with Image.open(out / f"{name}.png") as picture:
            shown = np.asarray(picture)
        np.testing.assert_array_equal(shown[:HEIGHT, :WIDTH], drawn)
        np.testing.assert_array_equal(shown, add_map_legend(drawn, values, OBJECT_LIMIT, verdict.object_words))
        assert f"unknown objects: {verdict.object_words}" in words
        told = json.loads((out / f"{name}.json").read_text())
        assert (told["frame"], told["object_count"]) == (str(drive / f"{place}.png"), verdict.object_count)
        assert (told["object_words"], told["object_limit"]) == (verdict.object_words, OBJECT_LIMIT)
        assert (told["state"], told["reason"]) == (verdict.state.value, verdict.reason)
        assert told["largest_value"] == values.max()
        assert [UnknownObject(**each) for each in told["objects"]] == list(verdict.objects)
    assert "unknown objects: unknown" in words
    assert len({verdict.object_words for verdict in verdicts(mapped)}) > 1, "with and without objects"


def test_score_with_maps_of_frames_without_one_says_that_none_is_written(
    mapped: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.fromarray(np.zeros((HEIGHT, WIDTH, 3), np.uint8)).save(tmp_path / "black.png")
    assert run(["score", str(mapped), str(tmp_path / "black.png"), "--maps", str(tmp_path / "maps")]) == 1
    assert f"no anomaly map is written to {tmp_path / 'maps'}: no frame has one\n" in capsys.readouterr().err
    assert not (tmp_path / "maps").exists()


def test_maps_of_a_bundle_without_a_map_are_refused_with_a_remedy_that_works(
    toy_bundle: Path, mapped: Path, drive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "maps"
    assert run(["score", str(toy_bundle), str(drive), "--maps", str(out)]) == 2
    err = capsys.readouterr().err
    assert re.search(r"expected a bundle that gives an anomaly map with --maps, .* gives none: export it with", err)
    assert "--answers map, or leave --maps out" in err
    assert not out.exists()
    assert run(["score", str(toy_bundle), str(drive)]) == 1


@pytest.mark.parametrize("command", ["score", "watch"])
def test_maps_go_into_a_new_or_an_empty_folder_alone(
    command: str, mapped: Path, drive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.read_bytes() for path in drive.iterdir()}
    for place, message in (
        (drive, "expected a new or an empty folder, got .*drive, which holds something: name another one"),
        (drive / "0.png", "expected a folder or nothing there, got .*, a file; choose another"),
        (tmp_path / "no" / "maps", "expected the folder .*no to exist; make it"),
    ):
        assert run([command, str(mapped), str(drive), "--maps", str(place)]) == 2
        assert re.search(message, capsys.readouterr().err)
    assert {path: path.read_bytes() for path in drive.iterdir()} == before
    (empty := tmp_path / "empty").mkdir()
    assert run([command, str(mapped), str(drive), "--maps", str(empty)]) in (0, 1)
    assert len(list(empty.iterdir())) == 3 * len(LEVELS)


def test_run_whose_maps_cannot_be_written_goes_on_without_them(
    mapped: Path, drive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("lsood_runtime._cli.map_folder.PartialFile", full)
    out = tmp_path / "scores.csv"
    frames = [str(drive / f"{place}.png") for place in range(len(LEVELS))]
    assert run(["score", str(mapped), *frames, "--maps", str(tmp_path / "maps"), "--out", str(out)]) == 4
    assert capsys.readouterr().err.count("No space left on device; choose another folder") == 1
    assert len(csv_rows(out)) == len(LEVELS)


@pytest.mark.parametrize("exists", [True, False])
def test_maps_into_a_folder_that_cannot_be_written_into_are_refused_before_the_first_frame(
    exists: bool,
    mapped: Path,
    drive: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (closed := tmp_path / "closed").mkdir()
    place = closed if exists else closed / "maps"
    monkeypatch.setattr("os.access", lambda path, _: Path(path) != closed)  # a superuser may write into any folder
    assert run(["score", str(mapped), str(drive), "--maps", str(place), "--out", str(tmp_path / "scores.csv")]) == 2
    assert f"expected to be able to write into {closed}; choose another folder" in capsys.readouterr().err
    assert list(closed.iterdir()) == []
    assert not (tmp_path / "scores.csv").exists()


@pytest.mark.parametrize("failing", range(3))
def test_frame_of_which_one_file_cannot_be_written_has_none(
    failing: int, mapped: Path, drive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Path] = []

    class Full(PartialFile):
        def __init__(self, place: Path) -> None:
            made.append(place)
            if len(made) == 4 + failing:  # of the second frame
                raise OSError(28, "No space left on device")
            super().__init__(place)

    monkeypatch.setattr("lsood_runtime._cli.map_folder.PartialFile", Full)
    (drive / "1_black.png").unlink()
    assert run(["score", str(mapped), str(drive), "--maps", str(tmp_path / "maps")]) == 4
    assert {path.name for path in (tmp_path / "maps").iterdir()} == {
        f"000000_0{end}" for end in (".json", ".npy", ".png")
    }


def test_run_that_can_write_no_map_leaves_no_folder(
    mapped: Path, drive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("lsood_runtime._cli.map_folder.PartialFile", full)
    (drive / "1_black.png").unlink()
    assert run(["score", str(mapped), str(drive), "--maps", str(tmp_path / "maps")]) == 4
    assert not (tmp_path / "maps").exists()


def test_verdicts_in_files_have_the_number_of_objects_and_the_words(mapped: Path, drive: Path, tmp_path: Path) -> None:
    outs = [tmp_path / f"scores.{suffix}" for suffix in ("csv", "jsonl", "parquet")]
    run(["score", str(mapped), str(drive), *(word for out in outs for word in ("--out", str(out)))])
    rows = [json.loads(line) for line in outs[1].read_text().splitlines()]
    assert pytest.importorskip("pyarrow.parquet").read_table(outs[2]).to_pylist() == rows
    for row, plain in zip(rows, csv_rows(outs[0]), strict=True):
        assert plain["object_words"] == row["object_words"]
        assert plain["object_count"] == ("" if row["object_count"] is None else str(row["object_count"]))
    of_frame = {row["frame"]: row for row in rows}
    for place, verdict in enumerate(verdicts(mapped)):
        row = of_frame[str(drive / f"{place}.png")]
        assert row["object_count"] == verdict.object_count
        assert row["largest_peak"] == (verdict.objects[0].peak if verdict.objects else None)
    black = of_frame[str(drive / "1_black.png")]
    assert (black["object_count"], black["largest_peak"], black["object_words"]) == (None, None, "unknown")


def test_thumbnails_show_the_map_over_each_frame_and_the_objects_in_words(mapped: Path) -> None:
    pytest.importorskip("matplotlib")
    maps = MapPictures(EDGES, OBJECT_LIMIT)
    thumbnails = Thumbnails(len(LEVELS), maps=maps)
    shown = {}
    for place, verdict in enumerate(verdicts(mapped)):
        image = frame_of_level(LEVELS[place], seed=place)
        thumbnails.add(SourceFrame(f"{place}.png", "camera", place * 10**10, image), image, verdict)
        assert verdict.anomaly_map is not None
        shown[f"{place}.png"] = maps.draw(image, verdict.anomaly_map, verdict.objects), verdict.object_words
    axes = [axis for axis in thumbnails.figure().axes if axis.images]
    assert len(axes) == len(LEVELS)
    for axis in axes:
        name, *lines = axis.get_title().splitlines()
        drawn, words = shown[name]
        np.testing.assert_array_equal(np.asarray(axis.images[0].get_array())[:, :WIDTH], drawn)
        assert f"unknown objects: {words}" in lines
