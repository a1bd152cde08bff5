# SPDX-License-Identifier: Apache-2.0
"""Abnormal tiles beside the score: what a frame gets, where it is unknown, and where the commands show it."""

import csv
import dataclasses
import io
import json
import math
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lsood_runtime import BundleError, OoDMonitor, State, read_manifest
from lsood_runtime._answers import AnswerRule, answer_names
from lsood_runtime._bundle.answer_sentences import answer_sentences
from lsood_runtime._bundle.manifest import Manifest
from lsood_runtime._cli.main import run
from lsood_runtime._cli.thumbnails import Thumbnails
from lsood_runtime._media.source_frame import SourceFrame
from lsood_runtime._tiles.abnormal import abnormal_tiles
from tests.lsood_runtime.answers_bundle import (
    NEIGHBOR_LIMIT,
    TILE_LIMIT,
    answers_by_hand,
    answers_manifest,
    frame_of_level,
    write_answers_bundle,
)

LEVELS = (0.2, 0.5, 0.7, 0.95)


def _manifest() -> dict[str, Any]:
    return answers_manifest(tiles=True) | {"files": {}}


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    (folder := tmp_path / "monitor").mkdir()
    return write_answers_bundle(folder, tiles=True)


@pytest.fixture
def drive(tmp_path: Path) -> Path:
    (folder := tmp_path / "drive").mkdir()
    for place, level in enumerate(LEVELS):
        Image.fromarray(frame_of_level(level, place)).save(folder / f"{place}.png")
    return folder


def test_assess_tells_the_tiles_above_the_limit_and_their_neighbours(bundle: Path) -> None:
    counts = []
    with OoDMonitor(bundle) as monitor:
        for place, level in enumerate(LEVELS):
            frame = frame_of_level(level, place)
            verdict, expected = monitor.assess(frame), answers_by_hand(frame)["tiles"]
            assert verdict.tiles is not None
            assert verdict.tile_values is not None
            np.testing.assert_allclose(verdict.tile_values, expected / TILE_LIMIT, rtol=1e-6)
            np.testing.assert_array_equal(verdict.tiles, abnormal_tiles(expected, TILE_LIMIT, NEIGHBOR_LIMIT))
            assert not verdict.tiles.flags.writeable
            assert not verdict.tile_values.flags.writeable
            assert verdict.tile_words.endswith(f"({verdict.tiles.sum()} of 6 tiles)") or not verdict.tiles.any()
            counts.append(int(verdict.tiles.sum()))
    assert counts == [0, 0, 3, 6]


def test_assess_of_frames_in_a_batch_and_one_by_one_tells_the_same_tiles(bundle: Path) -> None:
    frames = [frame_of_level(level, place) for place, level in enumerate(LEVELS)]
    with OoDMonitor(bundle) as monitor:
        for together, frame in zip(monitor.assess_batch(frames), frames, strict=True):
            alone = monitor.assess(frame)
            np.testing.assert_array_equal(together.tiles, alone.tiles)
            np.testing.assert_array_equal(together.tile_values, alone.tile_values)


def test_tiles_of_a_frame_without_a_verdict_are_unknown(bundle: Path) -> None:
    with OoDMonitor(bundle) as monitor:
        for verdict in (monitor.assess(None), monitor.assess(np.zeros_like(frame_of_level(0.5)))):
            assert verdict.state is State.INVALID
            assert verdict.tiles is not None
            assert verdict.tile_values is not None
            assert not verdict.tiles.any()
            assert np.isnan(verdict.tile_values).all()
            assert "abnormal tiles: unknown" in str(verdict)
            values = json.loads(json.dumps(verdict.asdict(), allow_nan=False))
            assert (values["tiles"], values["tile_values"], values["tile_words"]) == ("", "", "")


@pytest.mark.parametrize("value", [math.nan, math.inf, -1.0])
def test_tiles_of_a_number_that_is_no_distance_are_unknown(value: float) -> None:
    manifest = Manifest.from_json(json.dumps(_manifest()))
    rows = {name: np.asarray(values)[None] for name, values in answers_by_hand(frame_of_level(0.95)).items()}
    rows["tiles"][0, 1, 2] = value
    answers = AnswerRule(manifest.answers).answers(rows, 0)
    assert answers.tiles is not None
    assert not answers.tiles.any()
    assert answers.tile_values is not None
    assert np.isnan(answers.tile_values).all()
    assert answers.cause is not None


def test_abnormal_tiles_of_a_bundle_that_crops_are_named_by_their_place_in_the_frame(bundle: Path) -> None:
    manifest = read_manifest(bundle)
    rows = {name: np.asarray(values)[None] for name, values in answers_by_hand(frame_of_level(0.7, 2)).items()}
    contract, half = manifest.input, manifest.input.frame_height // 2
    for top, words in ((0, "upper half (3 of 6 tiles)"), (half, "lower half (3 of 6 tiles)")):
        cropped = dataclasses.replace(contract, crop=(top, 0, half, contract.frame_width))
        answers = AnswerRule(manifest.answers, cropped).answers(rows, 0)
        assert answers.tiles is not None
        assert (answers.tiles.tolist(), answers.tile_words) == ([[True] * 3, [False] * 3], words)


def test_verdict_with_tiles_survives_json_and_pickle(bundle: Path) -> None:
    with OoDMonitor(bundle) as monitor:
        verdict = monitor.assess(frame_of_level(0.7, 2))
    values = json.loads(json.dumps(verdict.asdict(), allow_nan=False))
    assert values["tiles"] == "111 000"
    assert values["tile_words"] == "upper half (3 of 6 tiles)"
    assert verdict.tile_values is not None
    numbers = [float(text) for text in values["tile_values"].split()]
    assert numbers == pytest.approx(verdict.tile_values.ravel().tolist(), rel=1e-3)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(verdict)).tiles, verdict.tiles)


def test_bundle_without_tiles_has_none(tmp_path: Path) -> None:
    write_answers_bundle(tmp_path)
    with OoDMonitor(tmp_path) as monitor:
        verdict = monitor.assess(frame_of_level(0.95))
    assert (verdict.tiles, verdict.tile_values, verdict.tile_words) == (None, None, "")
    assert "tiles" not in verdict.asdict()
    assert "abnormal tiles" not in str(verdict)
    assert "tile_values" not in answer_names(read_manifest(tmp_path).answers)


def test_bundle_of_tiles_alone_tells_the_same_tiles_and_nothing_else(bundle: Path, tmp_path: Path) -> None:
    (folder := tmp_path / "alone").mkdir()
    write_answers_bundle(folder, quality=False, cause=False, tiles=True)
    frame = frame_of_level(0.7, 2)
    with OoDMonitor(bundle) as every, OoDMonitor(folder) as alone:
        assert alone.self_test().passed
        first, second = every.assess(frame), alone.assess(frame)
    np.testing.assert_array_equal(second.tile_values, first.tile_values)
    assert (second.tile_words, second.cause, second.quality_measure) == (first.tile_words, None, None)
    assert "novelty" not in answer_sentences(read_manifest(folder).answers)["answers from"]


@pytest.mark.parametrize("told", [{"quality": True}, {"cause": True}])
def test_manifest_without_a_novelty_limit_for_quality_or_cause_is_refused(told: dict[str, bool]) -> None:
    manifest = answers_manifest(**{"quality": False, "cause": False, "tiles": True} | told) | {"files": {}}
    manifest["answers"]["novelty_limit"] = None
    with pytest.raises(BundleError, match=r"answers\.novelty_limit to be above 0, or null without quality and cause"):
        Manifest.from_json(json.dumps(manifest))


def test_manifest_that_says_nothing_of_tiles_is_read() -> None:
    manifest = _manifest()
    del manifest["answers"]["tiles"]
    record = Manifest.from_json(json.dumps(manifest)).answers
    assert record is not None
    assert record.tiles is None


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"rows": 0}, "answers.tiles.rows to be rows and columns from 1 to 16"),
        ({"columns": 17}, "answers.tiles.rows to be rows and columns from 1 to 16"),
        ({"layers": []}, "answers.tiles.layers to be one or more layers"),
        ({"neighbor_limit": 0.0}, "answers.tiles.limit to be above 0"),
        ({"neighbor_limit": 0.7}, "answers.tiles.limit to be above 0"),
        ({"guarantee": "roads"}, "answers.tiles.guarantee to be drives or frames"),
        ({"false_alarm_rate": 1.0}, "answers.tiles.false_alarm_rate to be between 0 and 1"),
        ({"limit_frames": 3}, "answers.tiles.limit_frames to be 0, or as many as limit_drives"),
        (
            {"limit_frames": 9, "limit_drives": 2, "false_alarm_rate": 0.05},
            "answers.tiles.false_alarm_rate to be what 2 drives can promise",
        ),
        ({"clean_kept": 1.5}, "answers.tiles.clean_kept to be from 0 to 1"),
    ],
)
def test_manifest_of_tiles_out_of_range_is_refused(fields: dict[str, Any], message: str) -> None:
    manifest = _manifest()
    manifest["answers"]["tiles"] |= fields
    with pytest.raises(BundleError, match=message):
        Manifest.from_json(json.dumps(manifest))


def test_score_shows_abnormal_tiles_in_table_and_csv(
    bundle: Path, drive: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(["score", str(bundle), str(drive)])
    shown = capsys.readouterr().out
    assert "abnormal tiles: none" in shown
    assert "abnormal tiles: upper half (3 of 6 tiles)" in shown
    run(["score", str(bundle), str(drive), "--csv"])
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["tiles"] for row in rows] == ["000 000", "000 000", "111 000", "111 111"]
    assert rows[2]["tile_words"] == "upper half (3 of 6 tiles)"


def test_selftest_of_tiles_that_are_off_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_answers_bundle(tmp_path, quality=False, cause=False, tiles=True, off=0.006)
    assert run(["selftest", str(tmp_path)]) == 1
    assert "answers 0 off by 1.00% of their ranges, of 0.50%: WRONG" in capsys.readouterr().out


def test_inspect_and_diff_tell_of_tiles(bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["inspect", str(bundle)]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "2 x 3, read from layer1; at most 5% of clean frames of a new drive" in shown
    assert "97.0% had none" in shown
    (other := tmp_path / "other").mkdir()
    write_answers_bundle(other)
    assert run(["diff", str(bundle), str(other)]) == 1
    assert "answers.tiles" in capsys.readouterr().out


def test_thumbnails_put_a_border_into_abnormal_tiles_and_name_them(bundle: Path) -> None:
    pytest.importorskip("matplotlib")
    from matplotlib.collections import LineCollection

    thumbnails, frame = Thumbnails(2), frame_of_level(0.7, 2)
    with OoDMonitor(bundle) as monitor:
        verdict = dataclasses.replace(monitor.assess(frame), segmentation=None)
    thumbnails.add(SourceFrame("0.png", "camera", 0, None, ""), frame, verdict)
    (axis,) = thumbnails.figure().axes
    assert "abnormal tiles: upper half (3 of 6 tiles)" in axis.get_title()
    (lines,) = axis.collections
    assert isinstance(lines, LineCollection)
    height, width = frame.shape[:2]
    assert len(lines.get_segments()) == 3
    middles = sorted(tuple(segment[:4].mean(axis=0)) for segment in lines.get_segments())
    assert middles == [pytest.approx(((column + 0.5) * width / 3 - 0.5, height / 4 - 0.5)) for column in range(3)]
