# SPDX-License-Identifier: Apache-2.0
"""The node over stand-ins of ROS 2 publishes what the Python runtime says of the same images."""

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from export.data.synthetic import SyntheticRoads
from export.frames.reading_options import ReadingOptions
from lsood_runtime import OoDMonitor, StreamAssessment, read_manifest
from tests.conftest import FRAME_SIZE
from tests.cpp.playing import same
from tests.lsood_runtime.answers_bundle import frame_of_level, write_answers_bundle
from tests.lsood_runtime.conftest import random_frames
from tests.lsood_runtime.parts_bundle import BROKEN, frame_breaking, write_parts_bundle
from tests.ros2.expected import TIMES, assessment_values, detection_values, time_values
from tests.ros2.playing import Player, Shot

START, STEP = 1_000_000_000_000, 100_000_000


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with every answer, for frames of 6 rows and 8 columns."""
    return write_answers_bundle(tmp_path_factory.mktemp("answers"), tiles=True, with_map=True, confidence=True)


def shots_of(frames: Iterable[NDArray[np.uint8]], camera: str = "camera", start: int = START) -> list[Shot]:
    return [Shot(frame, start + i * STEP, camera) for i, frame in enumerate(frames)]


def levels(count: int) -> list[NDArray[np.uint8]]:
    return [frame_of_level(level, seed) for seed, level in enumerate(np.linspace(0.02, 0.98, count))]


def results_of(
    bundle: Path, shots: Sequence[Shot], alarm: str = "3of5", quality_alarm: str | None = None, **options: Any
) -> list[StreamAssessment]:
    """The verdicts of the Python runtime."""
    with OoDMonitor(bundle, threads=1, **options) as monitor:
        stream = monitor.stream(alarm, quality_policy=quality_alarm)
        return [stream.assess(shot.pixels, stamp_ns=shot.stamp_ns, camera=shot.camera) for shot in shots]


def header_of(shot: Shot) -> dict[str, Any]:
    return {"stamp": time_values(shot.stamp_ns), "frame_id": f"{shot.camera}_optical"}


def without_names_of_tiles(expected: dict[str, Any]) -> dict[str, Any]:
    """The texts of the node, by those of Python: frozen tiles have no name, and invalid ones are counted."""
    mask, reason = expected["faulty_tiles"], expected["reason"]
    words = "; ".join(each for each in mask["words"].split("; ") if not each.startswith("frozen: "))
    if reason.startswith("expected a live picture in every tile"):
        how_long = re.search(r", for \d+ frames|, still for [\d.]+ s", reason)
        assert how_long is not None
        reason = (
            f"expected a live picture in every tile, got none in {sum(mask['faulty'])} of {len(mask['faulty'])} tiles"
            f"{how_long[0]}: a part of the camera, of its memory or of its transfer gives no picture"
        )
    else:
        reason = re.sub("; frozen: [^;]*$", "", reason)
    return expected | {"reason": reason, "faulty_tiles": mask | {"words": words}}


def assert_same(found: dict[str, Any], expected: dict[str, Any]) -> None:
    found = {name: value for name, value in found.items() if name not in TIMES}
    expected = without_names_of_tiles(expected)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert same(found[name], value), f"{name}: the node {found[name]!r}, Python {value!r}"


def assert_verdicts_of_python(
    player: Player, bundle: Path, shots: Sequence[Shot], python: dict[str, Any] | None = None, **parameters: Any
) -> list[dict[str, Any]]:
    """Play shots to the node and compare each field of each assessment with the Python runtime's; those of the node."""
    found = player.assessments(shots, bundle=bundle, **parameters)
    manifest = read_manifest(bundle)
    results = results_of(bundle, shots, **(python or {}))
    for message, shot, result in zip(found, shots, results, strict=True):
        assert_same(message, assessment_values(result, manifest, header_of(shot)))
        assert message["latency_ms"] > 0 <= message["wait_ms"]
    return found


def test_node_of_an_exported_bundle_says_what_python_says(player: Player, bundle: Path) -> None:
    source = SyntheticRoads(8, *FRAME_SIZE, seed=3)
    frames = [source[i][0] for i in range(8)]
    frames[3] = np.zeros_like(frames[3])
    for place in (4, 5, 6):
        frames[place] = frames[place].copy()
        frames[place][: FRAME_SIZE[0] // 2] = 0
    frames[7] = np.random.default_rng(0).integers(0, 256, frames[7].shape, np.uint8)
    found = assert_verdicts_of_python(player, bundle, shots_of(frames))
    assert {0, 4} <= {message["state"] for message in found}
    assert found[4]["faulty_tiles"]["is_told"]
    assert sum(found[4]["faulty_tiles"]["faulty"]) == 16


def test_node_gives_every_answer_of_a_bundle(player: Player, answers: Path) -> None:
    frames = [*levels(14), *random_frames(3, seed=4)]
    found = assert_verdicts_of_python(player, answers, shots_of(frames))
    assert {message["cause"]["cause"] for message in found} == {"none", "fog", "noise", "unknown"}
    assert {message["expected_quality"]["is_known"] for message in found} == {False, True}
    assert any(message["unknown_objects"]["objects"] for message in found)


def test_node_gives_the_parts_of_a_score_that_is_broken(player: Player, tmp_path: Path) -> None:
    bundle = tmp_path / "monitor"
    bundle.mkdir()
    write_parts_bundle(bundle)
    frames = [frame_breaking(), *map(frame_breaking, BROKEN), *random_frames(2, seed=5)]
    found = assert_verdicts_of_python(player, bundle, shots_of(frames))
    assert found[1]["state"] == 4
    assert found[0]["parts"]


@pytest.mark.parametrize("quality_alarm", ["3of4", "hysteresis:0.2:0.5"])
def test_alarms_rise_and_fall_as_those_of_python(player: Player, answers: Path, quality_alarm: str) -> None:
    frames = [*[frame_of_level(0.65, seed) for seed in range(4)], *levels(12), *random_frames(6, seed=2)]
    options = {"alarm": "2of3", "quality_alarm": quality_alarm, "min_quality": 0.35, "operating_point": "half"}
    found = assert_verdicts_of_python(player, answers, shots_of(frames), options, **options)
    for name in ("alarm", "quality_alarm"):
        assert [message[name]["is_onset"] for message in found].count(True) >= 1
    assert {message["alarm"]["is_active"] for message in found} == {False, True}


def test_two_cameras_are_followed_apart(player: Player, answers: Path) -> None:
    front, rear = shots_of(levels(5), "front"), shots_of(random_frames(5, seed=6), "rear", START + 7)
    shots = [shot for pair in zip(front, rear, strict=True) for shot in pair]
    found = assert_verdicts_of_python(player, answers, shots, cameras=["front", "rear"])
    assert [message["index"] for message in found] == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]


def test_frozen_tiles_are_those_of_python_and_no_text_names_them(player: Player, bundle: Path) -> None:
    """As the page says: the mask and the verdict are Python's, in words the other tiles alone are."""
    frames = np.random.default_rng(1).integers(0, 256, (12, *FRAME_SIZE, 3), np.uint8)
    half = FRAME_SIZE[1] // 2
    frames[:, :, :half] = frames[0, :, :half]
    frames[3:, -FRAME_SIZE[0] // 4 :, half:] = 0
    shots = shots_of(frames)
    found = player.assessments(shots, bundle=bundle, frozen_after_s=0.2)
    with OoDMonitor(bundle, threads=1) as monitor:
        stream = monitor.stream("3of5", frozen_after_s=0.2)
        results = [stream.assess(shot.pixels, stamp_ns=shot.stamp_ns, camera=shot.camera) for shot in shots]
    manifest = read_manifest(bundle)
    for message, shot, result in zip(found, shots, results, strict=True):
        assert_same(message, assessment_values(result, manifest, header_of(shot)))
    assert "frozen: left half (16 of 32 tiles)" in results[-1].verdict.tile_faults
    assert found[-1]["faulty_tiles"]["words"].startswith("black: ")
    assert sum(found[-1]["faulty_tiles"]["faulty"]) == 20
    assert "got none in 20 of 32 tiles, still for " in found[-1]["reason"]
    named = [each.verdict.reason for each in results if "; frozen: " in each.verdict.reason]
    assert any(not reason.startswith("expected a live picture") for reason in named)


def test_frozen_camera_is_invalid_and_nothing_of_it_is_known(player: Player, answers: Path) -> None:
    frames = [*random_frames(2, seed=7), *[frame_of_level(0.5)] * 14, *random_frames(2, seed=8)]
    found = assert_verdicts_of_python(player, answers, shots_of(frames))
    frozen = [message for message in found if "the camera is frozen" in message["reason"]]
    assert frozen
    assert all(message["state"] == 4 and message["cause"]["cause"] == "unknown" for message in frozen)
    assert not any(message["expected_quality"]["is_known"] for message in frozen)


def test_clocks_are_judged_as_by_python(player: Player, answers: Path) -> None:
    frames = random_frames(9, seed=9)
    stamps = [
        START,
        START + STEP,
        START + STEP,
        START,
        -5,
        START + 60_000_000_000,
        5_000_000_000,
        5_100_000_000,
        5_200_000_000,
    ]
    shots = [Shot(frame, stamp) for frame, stamp in zip(frames, stamps, strict=True)]
    shots[2] = Shot(frames[1], START + STEP)
    found = assert_verdicts_of_python(player, answers, shots)
    assert {0, 1, 3, 4, 5} <= {message["history"] for message in found}
    assert "expected a stamp from 0" in found[4]["reason"]


def test_deadline_is_kept(player: Player, answers: Path) -> None:
    (late,) = player.assessments(shots_of(random_frames(1, seed=1)), bundle=answers, deadline_ms=1e-6)
    assert late["is_late"]
    assert "the deadline is 1e-06 ms" in late["reason"]


def test_maps_are_published_while_somebody_listens(player: Player, answers: Path) -> None:
    shots = shots_of([frame_of_level(0.7), frame_of_level(0.72)])
    quiet, _ = player.run([shots[0], "wait 1"], bundle=answers)
    assert [each.topic.split("/")[-1] for each in quiet] == ["bundle", "objects", "assessment"]
    topics = {name: f"/lsood_monitor/camera/{name}" for name in ("anomaly_map", "segmentation", "objects")}
    listened = [f"listen {topics[name]} 1" for name in ("anomaly_map", "segmentation")]
    published, _ = player.run([*listened, shots[0], "wait 1", shots[1], "wait 2"], bundle=answers)
    found = {name: [each for each in published if each.topic == topic] for name, topic in topics.items()}
    for i, result in enumerate(results_of(answers, shots)):
        verdict, header = result.verdict, header_of(shots[i])
        assert verdict.anomaly_map is not None
        assert verdict.segmentation is not None
        plain = {"header": header, "is_bigendian": 0}
        rows, columns = verdict.anomaly_map.shape
        cells = {"encoding": "32FC1", "step": 4 * columns, "data": verdict.anomaly_map.astype("<f4").tobytes()}
        assert found["anomaly_map"][i].message == plain | {"height": rows, "width": columns} | cells
        rows, columns = verdict.segmentation.shape
        classes = {"encoding": "mono8", "step": columns, "data": verdict.segmentation.tobytes()}
        assert found["segmentation"][i].message == plain | {"height": rows, "width": columns} | classes
        assert verdict.objects
        assert found["objects"][i].message == detection_values(verdict, header)
    assert {each.type for each in found["objects"]} == {"vision_msgs/Detection2DArray"}


def test_unknown_objects_are_not_published_as_none(player: Player, answers: Path) -> None:
    black = np.zeros_like(frame_of_level(0.5))
    published, _ = player.run([Shot(black, START), "wait 1"], bundle=answers)
    assert not [each for each in published if each.topic.endswith("objects")]
    assert published[-1].message["unknown_objects"]["words"] == "unknown"


@pytest.mark.parametrize("options", [(), ("--intra-process",)], ids=["between processes", "within the process"])
def test_description_of_the_bundle_is_there_for_late_subscribers(
    player: Player, answers: Path, options: tuple[str, ...]
) -> None:
    (published,), _ = player.run([], options=options, bundle=answers, quality_alarm="2of4", deadline_ms=80.0)
    assert (published.topic, published.qos) == ("/lsood_monitor/bundle", "last 1, reliable, transient local")
    manifest = read_manifest(answers)
    told = manifest.answers
    assert told is not None
    assert told.quality is not None
    assert told.cause is not None
    with OoDMonitor(answers) as monitor:
        point = manifest.operating_points[monitor.operating_point]
        expected = {
            "name": manifest.name,
            "created": manifest.created,
            "manifest_sha256": (answers / "manifest.sha256").read_text().split()[0],
            "schema": manifest.schema,
            "provider": monitor.provider,
            "operating_point": monitor.operating_point,
            "threshold": point.value,
            "false_alarm_rate": point.false_alarm_rate,
        }
    expected |= {"alarm": "3of5", "quality_alarm": "2of4", "deadline_ms": 80.0, "frame_height": 6, "frame_width": 8}
    expected |= {"parts": [], "segmentation_rows": 6, "segmentation_columns": 8, "map_rows": 2, "map_columns": 3}
    expected |= {"tile_rows": 2, "tile_columns": 3, "quality_measure": told.quality.measure}
    expected |= {"quality_coverage": told.quality.coverage, "causes": list(told.cause.names)}
    assert published.message == expected


def test_older_images_are_dropped_while_one_is_scored(player: Player, answers: Path) -> None:
    shots = shots_of(random_frames(5, seed=10))
    # The thread is held where it publishes the first image; of the next four the last one waits.
    commands: list[str | Shot] = ["hold", shots[0], "sleep 100", *shots[1:], "release", "wait 2", "diagnose"]
    published, _ = player.run(commands, bundle=answers)
    found = [each.message for each in published if each.type == "lsood_msgs/Assessment"]
    assert [message["header"] for message in found] == [header_of(shots[0]), header_of(shots[4])]
    assert found[1]["wait_ms"] > 0
    (status,) = published[-1].message["status"]
    assert {"key": "dropped", "value": "3"} in status["values"]
    assert {"key": "frames", "value": "2"} in status["values"]


def test_silent_cameras_are_reported_by_a_timer(player: Player, answers: Path) -> None:
    shot = shots_of(random_frames(1, seed=11), "front")[0]
    commands: list[str | Shot] = ["sleep 60", shot, "wait 1", "tick", "wait 2", "sleep 60", "tick", "wait 4"]
    commands.append("diagnose")
    published, log = player.run(commands, bundle=answers, cameras=["front", "rear"], max_age_s=0.05, alarm="1of1")
    never, front, rear = [each.message for each in published if each.type == "lsood_msgs/Assessment"][1:]
    assert [message["camera"] for message in (never, front, rear)] == ["rear", "front", "rear"]
    assert all(
        message["state"] == 4 and message["is_ood"] and message["wait_ms"] == 0 for message in (never, front, rear)
    )
    assert "expected frames of rear, none came yet" in never["reason"]
    assert "expected frames of front, none came for 0.1 s" in front["reason"]
    assert front["header"]["frame_id"] == "front_optical"
    assert never["alarm"]["is_onset"]
    assert "ALARM of rear: invalid expected frames" in log
    levels_told = [status["level"] for status in published[-1].message["status"]]
    assert levels_told == [2, 2]


def test_camera_whose_image_waits_for_its_turn_is_not_silent(player: Player, answers: Path) -> None:
    """Though its last verdict is older than max_age_s, as where a cycle of many cameras takes longer."""
    front, rear = (shots_of(random_frames(2, seed=15), name) for name in ("front", "rear"))
    # The thread is held where it publishes the second image, for longer than max_age_s.
    commands: list[str | Shot] = [front[0], "wait 1", "hold", rear[0], "sleep 350", "tick", front[1], rear[1]]
    published, _ = player.run(
        [*commands, "release", "wait 4"], bundle=answers, cameras=["front", "rear"], max_age_s=0.3
    )
    found = [each.message for each in published if each.type == "lsood_msgs/Assessment"]
    assert [message["camera"] for message in found] == ["front", "rear", "front", "rear"]
    assert [message["header"] for message in found[2:]] == [header_of(front[1]), header_of(rear[1])]


def test_camera_that_never_sent_is_not_silent_before_its_time(player: Player, answers: Path) -> None:
    shot = shots_of(random_frames(1, seed=16), "front")[0]
    commands: list[str | Shot] = ["tick", shot, "wait 1"]
    published, _ = player.run(commands, bundle=answers, cameras=["front", "rear"], max_age_s=60.0)
    assert [each.message["camera"] for each in published if each.type == "lsood_msgs/Assessment"] == ["front"]


def test_verdict_that_cannot_be_published_is_told_in_the_diagnostics(player: Player, answers: Path) -> None:
    """Of an image and of a silent camera; in the log, once for all frames of a second."""
    front, rear = (shots_of(random_frames(3, seed=17), name) for name in ("front", "rear"))
    fail = "fail /lsood_monitor/front/assessment"
    commands: list[str | Shot] = [front[0], "wait 1", "diagnose", fail, front[1], rear[0], "wait 2", "diagnose"]
    commands += [front[2], rear[1], "wait 3", "diagnose"]
    options: dict[str, Any] = {"bundle": answers, "cameras": ["front", "rear"]}
    published, log = player.run(commands, max_age_s=60.0, **options)
    failed = (2, "assessment: failed to publish message")
    assert [_told_of_front(each.message) for each in published if each.topic == "/diagnostics"][1:] == [failed, failed]
    assert log.count("[ERROR] [lsood_monitor]: front: assessment: failed to publish message") == 1
    # The silent front is reported before the silent rear.
    published, log = player.run([fail, "sleep 250", "tick", "wait 1", "diagnose"], max_age_s=0.2, **options)
    assert _told_of_front(published[-1].message) == failed
    assert "front: assessment: failed to publish message" in log


@pytest.mark.parametrize("topic", ["objects", "anomaly_map", "segmentation", "assessment"])
def test_message_that_cannot_be_published_holds_no_other_back(player: Player, answers: Path, topic: str) -> None:
    front, rear = (shots_of(random_frames(3, seed=18), name) for name in ("front", "rear"))
    topics = {name: f"/lsood_monitor/front/{name}" for name in ("objects", "anomaly_map", "segmentation", "assessment")}
    commands: list[str | Shot] = [f"listen {topics[name]} 1" for name in ("anomaly_map", "segmentation")]
    commands += [f"fail {topics[topic]}"]
    for i in range(3):
        commands += [front[i], rear[i], f"wait {(i + 1) * (1 if topic == 'assessment' else 2)}"]
    published, _ = player.run([*commands, "diagnose"], bundle=answers, cameras=["front", "rear"], max_age_s=60.0)
    seen = [each.topic for each in published]
    assert {name: seen.count(path) for name, path in topics.items()} == dict.fromkeys(topics, 3) | {topic: 0}
    status = published[-1].message["status"][0]
    assert (status["level"], status["message"]) == (2, f"{topic}: failed to publish message")
    values = {each["key"]: each["value"] for each in status["values"]}
    assert (values["errors"], values["last_error"], values["frames"]) == ("3", status["message"], "3")


def _told_of_front(message: dict[str, Any]) -> tuple[int, str]:
    status = message["status"][0]
    assert status["name"] == "lsood_monitor: front"
    return status["level"], status["message"]


def test_diagnostics_tell_the_worst_since_the_last_time(player: Player, answers: Path) -> None:
    shots = shots_of([*random_frames(1, seed=12), np.zeros((6, 8, 3), np.uint8), *random_frames(2, seed=13)])
    first, invalid, *others = shots
    commands: list[str | Shot] = ["diagnose", first, "wait 1", "diagnose", invalid, "wait 2", others[0], "wait 3"]
    commands += ["diagnose", others[1], "wait 4", "diagnose"]
    published, _ = player.run(commands, bundle=answers, alarm="4of5", max_age_s=60.0)
    told = [each.message["status"][0] for each in published if each.topic == "/diagnostics"]
    states = [each.verdict.state.value for each in results_of(answers, shots, alarm="4of5")]
    assert states == ["ok", "invalid", "ok", "ok"]
    assert [(status["level"], status["message"][:8]) for status in told] == [
        (2, "no frame"),
        (0, "ok"),
        (2, "expected"),
        (0, "ok"),
    ]
    assert {(status["name"], status["hardware_id"]) for status in told} == {("lsood_monitor: camera", "lsood Toy")}
    assert {"key": "invalid", "value": "1"} in told[-1]["values"]


def test_node_that_gets_no_verdict_any_more_says_so(player: Player, answers: Path) -> None:
    """Neither for an image nor for a silent camera, as where a provider hangs."""
    shot = shots_of(random_frames(1, seed=14))[0]
    published, _ = player.run([shot, "wait 1", "sleep 70", "diagnose"], bundle=answers, max_age_s=0.05)
    (status,) = published[-1].message["status"]
    assert status["level"] == 2
    found = re.match(r"no verdict for (\d+\.\d) s: scoring hangs", status["message"])
    assert found
    assert float(found[1]) >= 0.1, "70 ms, rounded, or more on a busy machine"


def test_grey_and_coloured_cameras_go_together(player: Player, export_small: Callable[..., Path]) -> None:
    bundle = export_small(fuse=True, reading=ReadingOptions(grey=True))
    colour = SyntheticRoads(1, *FRAME_SIZE, seed=5)[0][0]
    grey = np.ascontiguousarray(colour[..., 1])
    shots = [Shot(colour, START, "front"), Shot(grey, START, "rear", "mono8", padding=3)]
    found = player.assessments(shots, bundle=bundle, cameras=["front", "rear"])
    as_colour = [shots[0], Shot(np.repeat(grey[..., None], 3, axis=-1), START, "rear")]
    for message, result in zip(found, results_of(bundle, as_colour), strict=True):
        assert message["score"] == result.verdict.score
        assert message["state"] == result.verdict.state.gravity
