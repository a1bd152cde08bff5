# SPDX-License-Identifier: Apache-2.0
"""The node for ROS 2 over a stand-in of rclpy that enforces the types of ROS."""

import array
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from lsood_runtime import OoDMonitor, ProviderError, choose_alarm, read_manifest
from tests.examples.loading import load_example
from tests.examples.ros_stand_in import MESSAGES, ExternalShutdownException, StandInNode, install
from tests.lsood_runtime.answers_bundle import answers_record, frame_of_level, write_answers_bundle
from tests.lsood_runtime.conftest import HEIGHT, WIDTH, edit_manifest, random_frames, write_toy_bundle
from tests.lsood_runtime.stream.test_stream import shifted_frame


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    folder = tmp_path / "monitor"
    folder.mkdir()
    return write_toy_bundle(folder)


@pytest.fixture
def ros(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch)


@pytest.fixture
def start(toy: Path, ros: None) -> Iterator[Any]:
    module, nodes = load_example("ros2_node"), list[Any]()

    def with_parameters(**parameters: Any) -> Any:
        StandInNode.parameters = {"bundle": str(toy), "alarm": "3of5"} | parameters
        nodes.append(module.make_node())
        return nodes[-1]

    yield with_parameters
    for node in nodes:
        node.destroy_node()


def header(number: int, camera: str = "front") -> Any:
    return MESSAGES["Header"](stamp=MESSAGES["Time"](sec=100 + number, nanosec=5), frame_id=camera)


def image(
    pixels: NDArray[Any], number: int, encoding: str, padding: int = 0, camera: str = "front", **other: Any
) -> Any:
    """A sensor_msgs/Image of rows of pixels, which may be padded."""
    rows = np.pad(np.ascontiguousarray(pixels).reshape(HEIGHT, -1).view(np.uint8), ((0, 0), (0, padding)))
    fields = {"height": HEIGHT, "width": WIDTH, "encoding": encoding, "step": rows.shape[1], "is_bigendian": 0} | other
    return MESSAGES["Image"](header=header(number, camera), data=array.array("B", rows.tobytes()), **fields)


def published(node: Any, topic: str) -> list[Any]:
    return [message.data for message in node.publishers[topic].published]


def statuses(node: Any) -> list[Any]:
    return [status for message in node.publishers["/diagnostics"].published for status in message.status]


def test_ros_node_of_images_publishes_each_answer_and_a_diagnostic(start: Any, toy: Path) -> None:
    module, node = load_example("ros2_node"), start(alarm="2of2")
    ((kind, topic, callback, qos),) = node.subscriptions
    assert (kind, topic, qos.depth, qos.reliability) == (MESSAGES["Image"], "image", 1, "best effort")
    clean = random_frames(2, seed=1)
    callback(image(clean[0], 0, "rgb8"))
    callback(image(clean[1][..., ::-1], 1, "bgr8", padding=5))
    callback(image(shifted_frame(1), 2, "rgb8"))
    callback(image(shifted_frame(2), 3, "rgb8", padding=1))
    callback(image(clean[0][..., :1], 4, "mono8"))
    with OoDMonitor(toy) as monitor:
        expected = [monitor.assess(frame) for frame in (*clean, shifted_frame(1), shifted_frame(2))]
    assert published(node, "~/score") == [*(verdict.score for verdict in expected), float("inf")]
    assert published(node, "~/p_value")[:4] == [verdict.p_value for verdict in expected]
    assert published(node, "~/state") == [*(verdict.state.value for verdict in expected), "invalid"]
    assert published(node, "~/is_ood") == [*(verdict.is_ood for verdict in expected), True]
    assert published(node, "~/alarm") == [False, False, False, True, True]
    assert all(time_ms >= 0 for time_ms in published(node, "~/debug/processing_time_ms"))
    assert [message.stamp.sec for message in node.publishers["~/score"].published] == [100, 101, 102, 103, 104]
    assert node.publishers["~/segmentation"].published == [], "nobody listens"
    levels = [status.level for status in statuses(node)]
    assert levels[2:] == [module.WARN, module.ERROR, module.ERROR]
    assert levels[:2] == [module.WARN if verdict.is_ood else module.OK for verdict in expected[:2]]
    values = {pair.key: pair.value for pair in statuses(node)[3].values}
    assert (values["alarm"], values["stamp_ns"], values["camera"]) == ("true", str(103 * 10**9 + 5), "front")
    assert values["state"] == "out_of_distribution"
    assert statuses(node)[3].message.startswith("alarm: ")
    assert "accept grey images with PixelRules(grey=True)" in statuses(node)[4].message
    assert len(node.logger.errors) == 1


@pytest.mark.parametrize(
    ("parameters", "rule"),
    [
        ({}, "1/h@10"),
        ({"frames_per_second": 30.0}, "1/h@30"),
        ({"alarm": "2/h", "frames_per_second": 12.5}, "2/h@12.5"),
        ({"alarm": "0.5/h@20"}, "0.5/h@20"),
        ({"alarm": "duration:0.5"}, "duration:0.5"),
    ],
)
def test_ros_node_alarm_is_chosen_by_the_calibration_unless_a_rule_is_named(
    toy: Path, ros: None, monkeypatch: pytest.MonkeyPatch, parameters: dict[str, Any], rule: str
) -> None:
    """The node asks for what ``lsood watch`` asks for by default; the choice itself is tested where it is made."""
    asked: list[str] = []
    stream = OoDMonitor.stream

    def ask(monitor: OoDMonitor, policy: str, *, quality_policy: str | None) -> Any:
        asked.append(policy)
        assert quality_policy is None
        return stream(monitor, "2of7")

    monkeypatch.setattr(OoDMonitor, "stream", ask)
    StandInNode.parameters = {"bundle": str(toy)} | parameters
    node = load_example("ros2_node").make_node()
    assert asked == [rule]
    assert node.logger.infos[-1].endswith(f"alarm {parameters.get('alarm', '1/h')}: 2of7")
    node.destroy_node()


def test_ros_node_without_a_rule_has_that_of_one_false_alarm_an_hour(start: Any, toy: Path) -> None:
    node = start(alarm="1/h")
    assert node.stream.policy == choose_alarm(read_manifest(toy), frames_per_second=10).policy


def test_ros_node_of_a_bundle_that_answers_publishes_quality_and_cause(start: Any, tmp_path: Path) -> None:
    (folder := tmp_path / "answering").mkdir()
    node = start(bundle=str(write_answers_bundle(folder)), min_quality=0.9)
    ((_, _, callback, _),) = node.subscriptions
    frames = [frame_of_level(0.5), frame_of_level(0.95)]
    for number, frame in enumerate(frames):
        callback(image(frame, number, "rgb8"))
    with OoDMonitor(folder, min_quality=0.9) as monitor:
        expected = [monitor.assess(frame) for frame in frames]
    np.testing.assert_array_equal(published(node, "~/expected_quality"), [each.expected_quality for each in expected])
    assert published(node, "~/cause") == [each.cause for each in expected]
    assert published(node, "~/state") == ["low_quality", "low_quality"]
    values = {value.key: value.value for value in statuses(node)[0].values}
    assert (values["quality_measure"], values["cause"]) == ("miou", expected[0].cause)


def test_ros_node_of_a_bundle_with_a_map_publishes_objects_boxes_and_the_map(start: Any, tmp_path: Path) -> None:
    (folder := tmp_path / "mapped").mkdir()
    node = start(bundle=str(write_answers_bundle(folder, with_map=True)))
    frames = [frame_of_level(level) for level in (0.2, 0.7, 0.9)]
    for i, frame in enumerate(frames):
        node.publishers["~/anomaly_map"].listeners = i
        node.on_image(image(frame, i, "rgb8"))
    node.on_image(image(np.zeros_like(frames[0]), 3, "rgb8"))
    with OoDMonitor(folder) as monitor:
        expected = [monitor.assess(frame) for frame in frames]
    words = [verdict.object_words for verdict in expected]
    assert published(node, "~/unknown_objects") == [*words, "unknown"]
    assert len(set(words)) > 1
    boxes = node.publishers["~/unknown_object_boxes"].published
    known = [verdict for verdict in expected if verdict.object_count is not None]
    assert 0 < len(known) < len(expected)
    assert len(boxes) == len(known), "none of a frame of which they are unknown"
    for message, verdict in zip(boxes, known, strict=True):
        assert len(message.detections) == len(verdict.objects)
        for found, each in zip(message.detections, verdict.objects, strict=True):
            centre, hypothesis = found.bbox.center.position, found.results[0].hypothesis
            assert (centre.x - found.bbox.size_x / 2, centre.y - found.bbox.size_y / 2) == (each.x, each.y)
            assert (found.bbox.size_x, found.bbox.size_y) == (each.width, each.height)
            assert (hypothesis.class_id, hypothesis.score) == (str(each.class_id), each.peak)
    maps = node.publishers["~/anomaly_map"].published
    assert len(maps) == 2, "of the frames while somebody listens, but for that of which it is unknown"
    for message, verdict in zip(maps, expected[1:], strict=True):
        assert (message.encoding, message.height, message.width, message.step) == ("32FC1", 2, 3, 12)
        values = np.frombuffer(message.data, np.float32).reshape(2, 3)
        np.testing.assert_array_equal(values, verdict.anomaly_map)


def test_ros_node_without_vision_msgs_publishes_no_boxes(
    start: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "vision_msgs", None)
    monkeypatch.setitem(sys.modules, "vision_msgs.msg", None)
    (folder := tmp_path / "mapped").mkdir()
    node = start(bundle=str(write_answers_bundle(folder, with_map=True)))
    node.on_image(image(frame_of_level(0.7), 0, "rgb8"))
    assert "~/unknown_object_boxes" not in node.publishers
    assert len(published(node, "~/unknown_objects")) == 1


@pytest.mark.parametrize("rule", ["2of2", "1of3"])
def test_ros_node_with_a_rule_on_the_quality_publishes_its_alarm(start: Any, tmp_path: Path, rule: str) -> None:
    module = load_example("ros2_node")
    record = answers_record()
    record["quality"]["clean_low"] = [0.44 + number / 1000 for number in range(90)]
    (folder := tmp_path / "answering").mkdir()
    node = start(bundle=str(write_answers_bundle(folder, answers=record)), quality_alarm=rule)
    ((_, _, callback, _),) = node.subscriptions
    levels = [0.6, 0.4, 0.4, 0.6, 0.4]
    with OoDMonitor(folder) as monitor:
        stream = monitor.stream("3of5", quality_policy=rule)
        expected = [
            stream.assess(frame_of_level(level), stamp_ns=(100 + number) * 10**9 + 5, camera="front")
            for number, level in enumerate(levels)
        ]
    for number, level in enumerate(levels):
        callback(image(frame_of_level(level), number, "rgb8"))
    alarms = [each.quality is not None and each.quality.alarm for each in expected]
    assert set(alarms) == {False, True}
    assert published(node, "~/quality_alarm") == alarms
    assert [status.level == module.ERROR for status in statuses(node)] == [
        alarm or each.alarm for alarm, each in zip(alarms, expected, strict=True)
    ]


def test_ros_node_of_a_bundle_without_answers_publishes_none(start: Any) -> None:
    node = start()
    ((_, _, callback, _),) = node.subscriptions
    callback(image(random_frames(1, seed=1)[0], 0, "rgb8"))
    assert published(node, "~/expected_quality") == published(node, "~/cause") == []


def test_ros_node_with_a_listener_publishes_the_class_map(start: Any, toy: Path) -> None:
    node = start()
    node.publishers["~/segmentation"].listeners = 1
    (frame,) = random_frames(1, seed=4)
    node.on_image(image(frame, 0, "rgb8"))
    (message,) = node.publishers["~/segmentation"].published
    assert (message.encoding, message.height, message.width, message.step) == ("mono8", HEIGHT, WIDTH, WIDTH)
    np.testing.assert_array_equal(np.frombuffer(message.data, np.uint8).reshape(HEIGHT, WIDTH), frame.argmax(axis=2))


@pytest.mark.parametrize(
    ("parameters", "encoding", "make"),
    [
        ({}, "bgra8", lambda frame: np.dstack([frame[..., ::-1], frame[..., :1]])),
        ({"encodings": ["bgr8"]}, "8UC3", lambda frame: frame[..., ::-1]),
        ({"bits": 12}, "rgb16", lambda frame: np.round(frame * (4095 / 255)).astype("<u2")),
    ],
)
def test_ros_node_reads_what_parameters_say_of_an_encoding(
    start: Any, toy: Path, parameters: dict[str, Any], encoding: str, make: Any
) -> None:
    node = start(**parameters)
    (frame,) = random_frames(1, seed=5)
    node.on_image(image(make(frame), 0, encoding, padding=3 if encoding != "rgb16" else 4))
    with OoDMonitor(toy) as monitor:
        assert published(node, "~/score") == [monitor.score(frame)]


@pytest.mark.parametrize(
    ("stated", "encoding", "make"),
    [
        ({"grey": True}, "mono8", lambda frame: frame[..., 0]),
        ({"bits": 12}, "rgb16", lambda frame: np.round(frame * (4095 / 255)).astype("<u2")),
        ({"encodings": ["bgr8"]}, "8UC3", lambda frame: frame[..., ::-1]),
    ],
)
def test_ros_node_reads_images_as_the_bundle_states_unless_a_parameter_does(
    start: Any, toy: Path, stated: dict[str, Any], encoding: str, make: Any
) -> None:
    nothing = {"encodings": [], "grey": False, "bits": None, "yuv": None}
    edit_manifest(toy, lambda manifest: manifest.update(pixels=nothing | stated))
    (frame,) = random_frames(1, seed=5)
    if "grey" in stated:
        frame = np.repeat(frame[..., :1], 3, axis=2)
    node = start()
    node.on_image(image(make(frame), 0, encoding, padding=3 if encoding != "rgb16" else 4))
    with OoDMonitor(toy) as monitor:
        assert published(node, "~/score") == [monitor.score(frame)]
    other = start(**({"bits": 16} if "bits" in stated else {}))
    other.on_image(image(make(frame), 1, encoding, padding=3 if encoding != "rgb16" else 4))
    assert (published(other, "~/score") == published(node, "~/score")) == ("bits" not in stated)


def test_ros_node_of_compressed_images_scores_what_opencv_decodes(start: Any, toy: Path) -> None:
    node = start(image_transport="compressed")
    ((kind, topic, callback, _),) = node.subscriptions
    assert (kind, topic) == (MESSAGES["CompressedImage"], "image/compressed")
    (frame,) = random_frames(1, seed=6)
    encoded = cv2.imencode(".png", np.ascontiguousarray(frame[..., ::-1]))[1].tobytes()
    message = MESSAGES["CompressedImage"]
    callback(message(header=header(0), format="bgr8; png compressed bgr8", data=array.array("B", encoded)))
    callback(message(header=header(1), format="png", data=array.array("B", encoded[: len(encoded) // 2])))
    with OoDMonitor(toy) as monitor:
        assert published(node, "~/score") == [monitor.score(frame), float("inf")]
    assert published(node, "~/state")[1] == "invalid"


def test_ros_node_of_several_cameras_has_a_status_for_each(start: Any) -> None:
    node = start()
    (frame,) = random_frames(1, seed=7)
    for camera in ("front", "rear", ""):
        node.on_image(image(frame, 0, "rgb8", camera=camera))
    named = [(status.name, status.hardware_id) for status in statuses(node)]
    assert named == [(f"lsood: out-of-distribution monitor: {name}", name) for name in ("front", "rear", "camera")]


def test_ros_node_whose_cameras_stop_reports_them_by_its_timer(start: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    module, node = load_example("ros2_node"), start(cameras=["front", "rear"], max_age_s=0.5, alarm="1of1")
    ((period_s, on_timer),) = node.timers
    assert period_s == 0.25
    node.on_image(image(random_frames(1, seed=8)[0], 0, "rgb8"))
    on_timer()
    assert [status.hardware_id for status in statuses(node)[1:]] == ["rear"], "it never began"
    now = time.monotonic()
    monkeypatch.setattr("time.monotonic", lambda: now + 10)
    on_timer()
    silent = statuses(node)[2:]
    assert [(status.hardware_id, status.level) for status in silent] == [
        ("front", module.ERROR),
        ("rear", module.ERROR),
    ]
    assert "none came for 10.0 s: the camera, its cable or its driver stopped" in silent[0].message


def test_ros_node_whose_provider_fails_reports_it_and_goes_on(start: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    module, node = load_example("ros2_node"), start()
    frames = random_frames(2, seed=9)

    def fail(*_: Any, **__: Any) -> None:
        raise ProviderError("CUDAExecutionProvider failed while it ran segmentation.onnx: out of memory")

    with monkeypatch.context() as broken:
        broken.setattr(node.monitor, "assess_since", fail)
        node.on_image(image(frames[0], 0, "rgb8"))
    node.on_image(image(frames[1], 1, "rgb8"))
    first, second = statuses(node)
    assert first.level == module.ERROR
    assert "out of memory" in first.message
    assert published(node, "~/state")[0] == "invalid"
    assert second.level in (module.OK, module.WARN)


@pytest.mark.parametrize("ending", [KeyboardInterrupt, ExternalShutdownException])
def test_ros_node_told_to_stop_ends_without_an_error(
    toy: Path, monkeypatch: pytest.MonkeyPatch, ending: type[BaseException]
) -> None:
    calls: list[str] = []
    spun: list[Any] = []

    def spin(node: Any) -> None:
        spun.append(node)
        raise ending

    install(monkeypatch, init=lambda: calls.append("init"), spin=spin, try_shutdown=lambda: calls.append("shutdown"))
    StandInNode.parameters = {"bundle": str(toy), "alarm": "3of5"}
    assert load_example("ros2_node").main() == 0
    assert calls == ["init", "shutdown"]
    assert spun[0].destroyed


def test_ros_node_of_a_missing_bundle_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls: list[str] = []
    install(monkeypatch, init=lambda: None, try_shutdown=lambda: calls.append("shutdown"))
    StandInNode.parameters = {"bundle": str(tmp_path / "nothing")}
    assert load_example("ros2_node").main() == 2
    assert calls == ["shutdown"]
    assert capsys.readouterr().err.startswith("lsood: ")


def test_ros_node_without_ros_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "rclpy", None)
    assert load_example("ros2_node").main() == 2
    assert "needs ROS 2" in capsys.readouterr().err
