# SPDX-License-Identifier: Apache-2.0
"""The anomaly map and the unknown objects beside the score: what a frame gets, where they are unknown and where they show."""

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
from numpy.typing import NDArray
from PIL import Image

from lsood_runtime import Assessment, BundleError, OoDMonitor, State, read_manifest
from lsood_runtime._answers import AnswerRule, answer_names
from lsood_runtime._bundle.manifest import Manifest
from lsood_runtime._cli.main import run
from lsood_runtime._maps.cell_classes import cell_classes
from lsood_runtime._maps.objects import objects_of
from tests.lsood_runtime.answers_bundle import (
    OBJECT_LIMIT,
    SMALLEST_OBJECT,
    answers_by_hand,
    answers_manifest,
    frame_of_level,
    write_answers_bundle,
)
from tests.lsood_runtime.conftest import HEIGHT, WIDTH

LEVELS = (0.2, 0.5, 0.7, 0.95)
NO_ARRAYS = ("anomaly_map", "objects", "object_count", "object_words")


def _manifest() -> dict[str, Any]:
    return answers_manifest(with_map=True) | {"files": {}}


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    (folder := tmp_path / "monitor").mkdir()
    return write_answers_bundle(folder, with_map=True)


def _same(one: Assessment, other: Assessment) -> None:
    np.testing.assert_array_equal(one.anomaly_map, other.anomaly_map)
    assert [getattr(one, name) for name in NO_ARRAYS[1:]] == [getattr(other, name) for name in NO_ARRAYS[1:]]


def test_assess_gives_the_map_and_the_regions_above_the_limit_with_the_classes_under_them(bundle: Path) -> None:
    counts = []
    with OoDMonitor(bundle) as monitor:
        edges = monitor.manifest.input.cell_edges(2, 3, HEIGHT, WIDTH)
        for place, level in enumerate(LEVELS):
            frame = frame_of_level(level, place)
            verdict, expected = monitor.assess(frame), answers_by_hand(frame)["anomaly_map"]
            assert verdict.anomaly_map is not None
            assert verdict.anomaly_map.dtype == np.float32
            assert not verdict.anomaly_map.flags.writeable
            np.testing.assert_allclose(verdict.anomaly_map, expected, rtol=1e-6)
            assert verdict.segmentation is not None
            classes = cell_classes(verdict.segmentation, 2, 3)
            found = objects_of(verdict.anomaly_map, OBJECT_LIMIT, SMALLEST_OBJECT, edges, classes, (0,))
            is_far = math.isnan(verdict.expected_quality or 0)
            count = None if is_far and not found.objects else found.count
            assert (verdict.objects, verdict.object_count) == (found.objects, count)
            assert (verdict.object_words in ("none", "unknown")) == (not found.objects)
            counts.append(count)
            if found.objects:
                assert found.objects[0].class_id == int(
                    np.bincount(classes[verdict.anomaly_map > OBJECT_LIMIT]).argmax()
                )
    assert counts == [
        None,
        0,
        1,
        1,
    ]  # the darkest is far from everything seen; bright frames alone are above the limit, in the upper row


@pytest.mark.parametrize(("height", "width"), [(2, 3), (6, 8), (9, 13), (64, 128)])
@pytest.mark.parametrize("crop", [None, (10, 20, 30, 50)])
@pytest.mark.parametrize("pad", [(0, 0), (8, 16)])
def test_cells_lie_in_the_frame_where_the_rows_and_columns_that_they_read_begin(
    height: int, width: int, crop: tuple[int, ...] | None, pad: tuple[int, int]
) -> None:
    contract = Manifest.from_json(json.dumps(_manifest())).input
    contract = dataclasses.replace(contract, frame_height=60, frame_width=100, crop=crop, pad=pad)
    top, left, tall, broad = crop or (0, 0, 60, 100)
    edges = contract.cell_edges(2, 3, height, width)
    for ends, cells, pixels, start, length in (
        (edges.down, 2, height, top, tall),
        (edges.across, 3, width, left, broad),
    ):
        stride = math.ceil(pixels / cells)
        expected = [start + min(place * stride / pixels, 1) * length for place in range(cells + 1)]
        np.testing.assert_allclose(ends, expected)
        assert ends[-1] == start + length


def test_assess_of_frames_in_a_batch_and_one_by_one_gives_the_same_map(bundle: Path) -> None:
    frames = [frame_of_level(level, place) for place, level in enumerate(LEVELS)]
    with OoDMonitor(bundle) as monitor:
        for together, frame in zip(monitor.assess_batch(frames), frames, strict=True):
            _same(together, monitor.assess(frame))


def test_map_of_a_frame_without_a_verdict_is_unknown(bundle: Path) -> None:
    with OoDMonitor(bundle) as monitor:
        for verdict in (monitor.assess(None), monitor.assess(np.zeros_like(frame_of_level(0.5)))):
            assert verdict.state is State.INVALID
            assert [getattr(verdict, name) for name in NO_ARRAYS] == [None, (), None, "unknown"]
            assert "unknown objects: unknown" in str(verdict)
            values = json.loads(json.dumps(verdict.asdict(), allow_nan=False))
            assert (values["object_count"], values["largest_peak"], values["object_words"]) == (None, None, "unknown")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_map_with_a_cell_that_is_no_number_is_unknown(value: float) -> None:
    manifest = Manifest.from_json(json.dumps(_manifest()))
    rows = {name: np.asarray(values)[None] for name, values in answers_by_hand(frame_of_level(0.95)).items()}
    rows["anomaly_map"] = rows["anomaly_map"].copy()
    rows["anomaly_map"][0, 1, 2] = value
    answers = AnswerRule.of_bundle(manifest).answers(rows, 0)
    assert [getattr(answers, name) for name in NO_ARRAYS] == [None, (), None, "unknown"]
    assert answers.cause is not None


@pytest.mark.parametrize("level", LEVELS)
def test_no_object_in_a_frame_far_from_everything_seen_is_unknown_and_one_that_is_found_is_told(level: float) -> None:
    manifest = Manifest.from_json(json.dumps(_manifest()))
    assert manifest.answers is not None
    assert manifest.answers.novelty_limit is not None
    rows = {name: np.asarray(values)[None] for name, values in answers_by_hand(frame_of_level(level)).items()}
    for far, novelty in (
        (False, manifest.answers.novelty_limit),
        (True, manifest.answers.novelty_limit + 1),
        (True, math.nan),
    ):
        answers = AnswerRule.of_bundle(manifest).answers(rows | {"novelty": np.array([novelty])}, 0)
        assert answers.anomaly_map is not None
        assert bool(answers.objects) == (level > 0.6)
        if answers.objects:
            assert (answers.object_count, answers.object_words[:2]) == (1, "1,")
        else:
            assert (answers.object_count, answers.object_words) == ((None, "unknown") if far else (0, "none"))
    alone = dataclasses.replace(
        manifest, answers=dataclasses.replace(manifest.answers, quality=None, cause=None, novelty_limit=None)
    )
    answers = AnswerRule.of_bundle(alone).answers(rows, 0)
    assert (answers.object_words == "none") == (level < 0.6), "the map alone does not tell how far a frame is"


@pytest.mark.parametrize("place", range(4))
@pytest.mark.parametrize(("number", "kind"), [(0, ValueError), (-3, ValueError), (2.0, TypeError), (True, TypeError)])
def test_edges_of_no_cells_are_refused(place: int, number: Any, kind: type[Exception]) -> None:
    contract = Manifest.from_json(json.dumps(_manifest())).input
    numbers: list[Any] = [2, 3, 32, 64]
    numbers[place] = number
    name = ("rows", "columns", "height", "width")[place]
    with pytest.raises(
        kind, match=rf"^expected {name} of the cells and the segmentation of 1 or more, got {number}: take"
    ):
        contract.cell_edges(*numbers)
    if place < 2:
        with pytest.raises(kind, match=rf"^expected {name} of the tiles of 1 or more, got {number}: take"):
            contract.tile_edges(*numbers[:2])


def test_verdict_with_a_map_survives_json_and_pickle(bundle: Path) -> None:
    with OoDMonitor(bundle) as monitor:
        verdict = monitor.assess(frame_of_level(0.7, 2))
    values = json.loads(json.dumps(verdict.asdict(), allow_nan=False))
    assert values["object_count"] == 1
    assert values["largest_peak"] == pytest.approx(verdict.objects[0].peak)
    assert values["object_words"] == verdict.object_words
    assert "anomaly_map" not in values
    assert "objects" not in values
    _same(pickle.loads(pickle.dumps(verdict)), verdict)


def _of_one_class(level: float, number: int) -> NDArray[np.uint8]:
    """A frame whose every pixel is segmented as one class: that of its brightest channel."""
    frame = np.minimum(frame_of_level(level), 250)
    frame[..., number] = frame.max(axis=-1) + 1
    return frame


def test_assess_of_the_road_alone_tells_objects_where_it_is_and_nothing_where_it_is_not(bundle: Path) -> None:
    with OoDMonitor(bundle, object_region="road") as monitor, OoDMonitor(bundle) as plain:
        for level in LEVELS:
            road, other = _of_one_class(level, 0), _of_one_class(level, 1)
            verdict, everywhere = monitor.assess(road), plain.assess(road)
            assert (verdict.objects, verdict.object_count) == (everywhere.objects, everywhere.object_count)
            assert verdict.object_words == {0: "none on or beside the road", None: "unknown"}.get(
                everywhere.object_count, everywhere.object_words.replace("1,", "1 on or beside the road,")
            )
            roadless = monitor.assess(other)
            assert roadless.anomaly_map is not None
            assert [getattr(roadless, name) for name in NO_ARRAYS[1:]] == [(), None, "unknown, no road in sight"]
            values = json.loads(json.dumps(roadless.asdict(), allow_nan=False))
            assert (values["object_count"], values["largest_peak"]) == (None, None)
            assert plain.assess(other).object_count == everywhere.object_count
            _same(pickle.loads(pickle.dumps(monitor)).assess(other), roadless)


def test_road_of_a_bundle_that_does_not_know_it_is_refused_at_load(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.fromarray(frame_of_level(0.5)).save(frame := tmp_path / "frame.png")
    for name in ("plain", "unnamed"):
        (tmp_path / name).mkdir()
    write_answers_bundle(tmp_path / "plain")
    answers = answers_manifest(with_map=True)["answers"]
    write_answers_bundle(
        tmp_path / "unnamed", with_map=True, answers=answers | {"map": answers["map"] | {"road_classes": []}}
    )
    for name, message in (
        ("plain", "expected a bundle that gives an anomaly map with object_region road, this one gives none"),
        (
            "unnamed",
            "expected a bundle that names the classes of the road with object_region road, this one names none",
        ),
    ):
        with pytest.raises(BundleError, match=message):
            OoDMonitor(tmp_path / name, object_region="road")
        with OoDMonitor(tmp_path / name, object_region="frame") as monitor:
            assert monitor.assess(frame_of_level(0.95)).object_words == (
                "" if name == "plain" else "1, with a peak of 1.0, in the upper half"
            )
        assert run(["score", str(tmp_path / name), str(frame), "--object-region", "road"]) == 2
        assert message in capsys.readouterr().err


def test_bundle_without_a_map_has_none(tmp_path: Path) -> None:
    write_answers_bundle(tmp_path)
    with OoDMonitor(tmp_path) as monitor:
        verdict = monitor.assess(frame_of_level(0.95))
    assert [getattr(verdict, name) for name in NO_ARRAYS] == [None, (), None, ""]
    assert "object_count" not in verdict.asdict()
    assert "unknown objects" not in str(verdict)
    assert "object_count" not in answer_names(read_manifest(tmp_path).answers)


def test_manifest_that_says_nothing_of_a_map_is_read() -> None:
    manifest = _manifest()
    del manifest["answers"]["map"]
    record = Manifest.from_json(json.dumps(manifest)).answers
    assert record is not None
    assert record.map is None


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"rows": 0}, "answers.map.rows to be rows and columns of at most those of the segmentation"),
        ({"columns": WIDTH + 1}, "answers.map.rows to be rows and columns of at most those of the segmentation"),
        ({"slopes": {}}, "answers.map.slopes to be one or more scores"),
        ({"smoothing": 4}, "answers.map.smoothing to be an odd side"),
        ({"smallest_object": 0}, "answers.map.smallest_object to be 1 or more"),
        ({"guarantee": "roads"}, "answers.map.guarantee to be drives or frames"),
        ({"false_alarm_rate": 0.0}, "answers.map.false_alarm_rate to be rates between 0 and 1"),
        ({"limit_frames": 3}, "answers.map.limit_frames to be 0, or as many as limit_drives"),
        (
            {"limit_frames": 9, "limit_drives": 2, "false_alarm_rate": 0.05},
            "answers.map.false_alarm_rate to be what 2 drives can promise",
        ),
        ({"fpr95": 1.5}, "answers.map to be shares from 0 to 1"),
        ({"own_objects": -1}, "answers.map.own_objects to be 0 or more"),
        ({"road_classes": [3]}, "answers.map.road_classes to be classes of the segmentation"),
    ],
)
def test_manifest_of_a_map_out_of_range_is_refused(fields: dict[str, Any], message: str) -> None:
    manifest = _manifest()
    manifest["answers"]["map"] |= fields
    with pytest.raises(BundleError, match=message):
        Manifest.from_json(json.dumps(manifest))


def test_manifest_of_a_map_without_a_segmentation_is_refused() -> None:
    manifest = answers_manifest(quality=False, with_map=True) | {"files": {}}
    manifest["segmentation"] = {"kind": "none", "num_classes": None, "height": None, "width": None}
    with pytest.raises(BundleError, match=r"answers\.map to be null without a segmentation"):
        Manifest.from_json(json.dumps(manifest))


def test_score_shows_objects_in_table_and_csv(bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (drive := tmp_path / "drive").mkdir()
    for place, level in enumerate(LEVELS):
        Image.fromarray(frame_of_level(level, place)).save(drive / f"{place}.png")
    run(["score", str(bundle), str(drive)])
    shown = capsys.readouterr().out
    assert "unknown objects: none" in shown
    assert "unknown objects: 1, with a peak of" in shown
    for command in ("score", "watch"):
        alarm, verdicts = ["--alarm", "3of5"] * (command == "watch"), tmp_path / f"{command}.csv"
        run([command, str(bundle), str(drive), *alarm, "--object-region", "road", "--out", str(verdicts)])
        assert "1 on or beside the road, with a peak of" in verdicts.read_text()
    capsys.readouterr()
    run(["score", str(bundle), str(drive), "--csv"])
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["object_count"] for row in rows] == ["", "0", "1", "1"]
    assert [float(row["largest_peak"]) > OBJECT_LIMIT for row in rows if row["largest_peak"]] == [True, True]


@pytest.mark.parametrize("kind", [np.float64, np.float16])
def test_golden_maps_of_another_type_are_refused(bundle: Path, kind: type[np.floating]) -> None:
    from tests.lsood_runtime.conftest import seal

    arrays = dict(np.load(bundle / "golden.npz"))
    np.savez(bundle / "golden.npz", **(arrays | {"anomaly_map": arrays["anomaly_map"].astype(kind)}))
    seal(bundle, answers_manifest(with_map=True))
    with pytest.raises(BundleError, match=r"expected anomaly_map \(2, 2, 3\) float32, finite"):
        OoDMonitor(bundle)


def test_selftest_of_a_map_that_is_off_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_answers_bundle(tmp_path, quality=False, cause=False, with_map=True, off=0.006)
    assert run(["selftest", str(tmp_path)]) == 1
    assert "of 0.50%: WRONG" in capsys.readouterr().out


def test_inspect_and_diff_tell_of_the_map(bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["inspect", str(bundle)]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert (
        "regions of 2 cells or more above 0.6 in a map of 2 x 3 cells, by energy, head (of the logits and layer1)"
        in shown
    )
    assert "at most 1% of clean frames of a new drive are expected to have one" in shown
    assert "average precision 0.48 (best single score, maximum logit, 0.32)" in shown
    (other := tmp_path / "other").mkdir()
    write_answers_bundle(other)
    assert run(["diff", str(bundle), str(other)]) == 1
    assert "answers.map" in capsys.readouterr().out
