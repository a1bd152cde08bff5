# SPDX-License-Identifier: Apache-2.0
"""The node for ROS 2 over a fake of its packages, and the fleet's scores over Ray where it is installed."""

import importlib.util
import json
import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lsood_runtime import LsoodError, MediaError, OoDMonitor
from tests.lsood_runtime.conftest import random_frames, write_toy_bundle
from tests.lsood_runtime.stream.test_stream import shifted_frame
from tests.paths import EXAMPLES


def example(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    folder = tmp_path / "monitor"
    folder.mkdir()
    return write_toy_bundle(folder)


class FakeNode:
    """What the example asks of rclpy's Node; publishers keep what they were given."""

    parameters: dict[str, Any] = {}  # noqa: RUF012

    def __init__(self, name: str) -> None:
        self.name, self.published, self.errors = name, dict[str, list[Any]](), list[str]()
        self.subscriptions: list[Any] = []
        self.destroyed = False

    def declare_parameter(self, name: str, default: Any) -> Any:
        return SimpleNamespace(value=self.parameters.get(name, default))

    def create_publisher(self, _: Any, topic: str, __: int) -> Any:
        return SimpleNamespace(publish=self.published.setdefault(topic, []).append)

    def create_subscription(self, _: Any, topic: str, callback: Any, qos: Any) -> None:
        self.subscriptions.append((topic, callback, qos))

    def get_logger(self) -> Any:
        return SimpleNamespace(info=lambda _: None, error=self.errors.append)

    def destroy_node(self) -> None:
        self.destroyed = True


@pytest.fixture
def ros(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def message(name: str) -> type:
        return type(name, (SimpleNamespace,), {})

    modules: dict[str, dict[str, Any]] = {
        "rclpy": {},
        "rclpy.node": {"Node": FakeNode},
        "rclpy.qos": {
            "QoSProfile": message("QoSProfile"),
            "HistoryPolicy": SimpleNamespace(KEEP_LAST="last"),
            "ReliabilityPolicy": SimpleNamespace(BEST_EFFORT="best effort"),
        },
        "diagnostic_msgs": {},
        "diagnostic_msgs.msg": {name: message(name) for name in ("DiagnosticArray", "DiagnosticStatus", "KeyValue")},
        "sensor_msgs": {},
        "sensor_msgs.msg": {"Image": message("Image")},
        "autoware_internal_debug_msgs": {},
        "autoware_internal_debug_msgs.msg": {"Float64Stamped": message("Float64Stamped")},
    }
    for name, contents in modules.items():
        module = types.ModuleType(name)
        vars(module).update(contents)
        monkeypatch.setitem(sys.modules, name, module)
    yield
    FakeNode.parameters = {}


def image(frame: Any, number: int, encoding: str = "rgb8", padding: int = 0) -> Any:
    """A sensor_msgs/Image whose rows may be padded."""
    height, width, _ = frame.shape
    pixels = frame if encoding == "rgb8" else frame[..., ::-1]
    rows = np.pad(np.ascontiguousarray(pixels).reshape(height, -1), ((0, 0), (0, padding)))
    stamp = SimpleNamespace(sec=100 + number, nanosec=5)
    return SimpleNamespace(
        header=SimpleNamespace(stamp=stamp, frame_id="front"),
        height=height,
        width=width,
        encoding=encoding,
        step=rows.shape[1],
        data=rows.tobytes(),
    )


def test_ros_node_of_images_publishes_scores_and_diagnostics(toy: Path, ros: None) -> None:
    module = example("ros2_node")
    FakeNode.parameters = {"bundle": str(toy), "alarm": "2of2"}
    node = module.make_node()
    ((topic, callback, qos),) = node.subscriptions
    assert (topic, qos.depth, qos.history) == ("image", 1, "last")
    clean = random_frames(2, seed=1)
    messages = [
        image(clean[0], 0),
        image(clean[1], 1, "bgr8", padding=5),
        image(shifted_frame(1), 2),
        image(shifted_frame(2), 3),
    ]
    messages += [image(clean[0], 4, "mono8")]
    for message in messages:
        callback(message)
    with OoDMonitor(toy) as monitor:
        expected = [monitor.score(frame) for frame in (*clean, shifted_frame(1), shifted_frame(2))]
    scores, times = node.published["~/score"], node.published["~/debug/processing_time_ms"]
    assert [message.data for message in scores] == [*expected, float("inf")]
    assert [message.stamp.sec for message in scores] == [100, 101, 102, 103, 104]
    assert all(message.data > 0 for message in times)
    statuses = [array.status[0] for array in node.published["/diagnostics"]]
    levels = [status.level for status in statuses]
    assert levels[2:] == [module.WARN, module.ERROR, module.ERROR]
    assert levels[:2] == [module.OK if score <= monitor.threshold else module.WARN for score in expected[:2]]
    values = {pair.key: json.loads(pair.value) for pair in statuses[3].values}
    assert (values["alarm"], values["stamp_ns"], values["camera"]) == (True, 103 * 10**9 + 5, "front")
    assert statuses[3].message.startswith("alarm: ")
    assert len(node.errors) == 1
    node.destroy_node()
    assert node.destroyed


def test_ros_node_without_ros_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(sys.modules, "rclpy", None)
    assert example("ros2_node").main() == 2
    assert "needs ROS 2" in capsys.readouterr().err


def write_drives(folder: Path) -> list[Path]:
    drives = [folder / "monday", folder / "tuesday"]
    for seed, drive in enumerate(drives):
        drive.mkdir()
        for i, frame in enumerate(random_frames(3, seed)):
            Image.fromarray(frame).save(drive / f"{i}.png")
    (drives[1] / "9.png").write_bytes(b"no picture")
    return drives


def test_ray_scorer_of_a_batch_scores_as_the_monitor(toy: Path, tmp_path: Path) -> None:
    module = example("ray_score")
    drives = write_drives(tmp_path)
    images = module.find_images(drives)
    columns = module.Scorer(str(toy), "cpu", 1)({"path": np.array([row["path"] for row in images])})
    with OoDMonitor(toy) as monitor:
        expected = [monitor.score(frame) for seed in range(2) for frame in random_frames(3, seed)]
    assert columns["score"].tolist() == [*expected, float("inf")]
    assert columns["drive"].tolist() == ["monday"] * 3 + ["tuesday"] * 4
    assert columns["state"].tolist()[-1] == "invalid"
    assert "9.png" in columns["reason"].tolist()[-1]
    with pytest.raises(MediaError, match="found none"):
        module.find_images([tmp_path / "wednesday"])
    with pytest.raises(LsoodError):
        module.Scorer(str(tmp_path), "cpu", 1)


@pytest.mark.timeout(900)
def test_ray_score_over_two_actors_equals_one(toy: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="Ray is large and not among the development packages")
    import pyarrow.parquet

    drives, out = write_drives(tmp_path), tmp_path / "scores"
    command = [sys.executable, str(EXAMPLES / "ray_score.py"), str(toy), *map(str, drives), "--out", str(out)]
    done = subprocess.run([*command, "--actors", "2"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "7 frames of 2 drives" in done.stdout
    rows = {row["path"]: row["score"] for row in pyarrow.parquet.read_table(out).to_pylist()}
    with OoDMonitor(toy) as monitor:
        for path in sorted(drives[0].iterdir()):
            with Image.open(path) as picture:
                assert rows[str(path)] == monitor.score(np.asarray(picture))
    again = subprocess.run(command, capture_output=True, text=True, check=False)
    assert again.returncode == 2
    assert "expected a new folder" in again.stderr
