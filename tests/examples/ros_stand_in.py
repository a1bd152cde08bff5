# SPDX-License-Identifier: Apache-2.0
"""A stand-in of rclpy and its messages that refuses what they refuse: other types, unknown fields, numbers out of range.

Generated message classes take keyword arguments alone, and assert the type of every field as it is set; publishers and
parameters are typed as well.
"""

import array
import sys
import types
from collections.abc import Callable
from typing import Any

import pytest

Check = Callable[[Any], bool]


def whole(low: int, high: int) -> Check:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def exactly(*kinds: type) -> Check:
    return lambda value: isinstance(value, kinds)


def listed(kind: str) -> Check:
    return lambda value: isinstance(value, list | tuple) and all(type(item).__name__ == kind for item in value)


UINT8, UINT32, INT32 = whole(0, 2**8 - 1), whole(0, 2**32 - 1), whole(-(2**31), 2**31 - 1)


def sequence_of_bytes(value: Any) -> bool:
    return (isinstance(value, array.array) and value.typecode == "B") or isinstance(value, bytes)


def one_byte(value: Any) -> bool:
    return isinstance(value, bytes) and len(value) == 1


FIELDS: dict[str, dict[str, Check]] = {
    "Time": {"sec": INT32, "nanosec": UINT32},
    "Header": {"stamp": lambda value: type(value).__name__ == "Time", "frame_id": exactly(str)},
    "Image": {
        "header": lambda value: type(value).__name__ == "Header",
        "height": UINT32,
        "width": UINT32,
        "encoding": exactly(str),
        "is_bigendian": UINT8,
        "step": UINT32,
        "data": sequence_of_bytes,
    },
    "CompressedImage": {
        "header": lambda value: type(value).__name__ == "Header",
        "format": exactly(str),
        "data": sequence_of_bytes,
    },
    "KeyValue": {"key": exactly(str), "value": exactly(str)},
    "DiagnosticStatus": {
        "level": one_byte,
        "name": exactly(str),
        "message": exactly(str),
        "hardware_id": exactly(str),
        "values": listed("KeyValue"),
    },
    "DiagnosticArray": {"header": lambda value: type(value).__name__ == "Header", "status": listed("DiagnosticStatus")},
    "Point2D": {"x": exactly(float), "y": exactly(float)},
    "Pose2D": {"position": lambda value: type(value).__name__ == "Point2D", "theta": exactly(float)},
    "BoundingBox2D": {
        "center": lambda value: type(value).__name__ == "Pose2D",
        "size_x": exactly(float),
        "size_y": exactly(float),
    },
    "ObjectHypothesis": {"class_id": exactly(str), "score": exactly(float)},
    "ObjectHypothesisWithPose": {"hypothesis": lambda value: type(value).__name__ == "ObjectHypothesis"},
    "Detection2D": {
        "header": lambda value: type(value).__name__ == "Header",
        "results": listed("ObjectHypothesisWithPose"),
        "bbox": lambda value: type(value).__name__ == "BoundingBox2D",
        "id": exactly(str),
    },
    "Detection2DArray": {"header": lambda value: type(value).__name__ == "Header", "detections": listed("Detection2D")},
    "Float64Stamped": {"stamp": lambda value: type(value).__name__ == "Time", "data": exactly(float)},
    "BoolStamped": {"stamp": lambda value: type(value).__name__ == "Time", "data": exactly(bool)},
    "StringStamped": {"stamp": lambda value: type(value).__name__ == "Time", "data": exactly(str)},
}


class Message:
    """Base of the messages: only the fields of its type, each of its type."""

    fields: dict[str, Check] = {}  # noqa: RUF012

    def __init__(self, **values: Any) -> None:
        unknown = values.keys() - self.fields.keys()
        assert not unknown, f"{type(self).__name__} has no {unknown}"
        for name, value in values.items():
            setattr(self, name, value)

    def __setattr__(self, name: str, value: Any) -> None:
        assert name in self.fields, f"{type(self).__name__} has no {name}"
        assert self.fields[name](value), f"{type(self).__name__}.{name} cannot be {value!r} of {type(value).__name__}"
        object.__setattr__(self, name, value)


MESSAGES: dict[str, Any] = {name: type(name, (Message,), {"fields": fields}) for name, fields in FIELDS.items()}
"""Message classes by name."""


class StandInPublisher:
    """Keeps what was published; refuses messages of another type."""

    def __init__(self, kind: type) -> None:
        self.kind, self.published, self.listeners = kind, list[Any](), 0

    def publish(self, message: Any) -> None:
        assert isinstance(message, self.kind), f"expected {self.kind.__name__}, got {message!r}"
        self.published.append(message)

    def get_subscription_count(self) -> int:
        return self.listeners


class StandInLogger:
    def __init__(self) -> None:
        self.errors, self.infos = list[str](), list[str]()

    def info(self, text: str) -> None:
        assert isinstance(text, str)
        self.infos.append(text)

    def error(self, text: str) -> None:
        assert isinstance(text, str)
        self.errors.append(text)


class StandInNode:
    """The part of rclpy's Node that the example uses.

    Attributes:
        parameters: overrides, as of a command line; each must have the type of its default.
    """

    parameters: dict[str, Any] = {}  # noqa: RUF012

    def __init__(self, name: str) -> None:
        self.name, self.publishers, self.subscriptions, self.timers = name, dict[str, Any](), list[Any](), list[Any]()
        self.logger, self.destroyed = StandInLogger(), False

    def declare_parameter(self, name: str, default: Any) -> Any:
        value = self.parameters.get(name, default)
        assert type(value) is type(default), f"parameter {name}: {value!r} is not of {type(default).__name__}"
        assert default != [], "the type of an empty list is unknown"
        return types.SimpleNamespace(value=value)

    def create_publisher(self, kind: type, topic: str, depth: int) -> StandInPublisher:
        assert issubclass(kind, Message)
        assert isinstance(depth, int)
        assert topic not in self.publishers
        publisher = self.publishers[topic] = StandInPublisher(kind)
        return publisher

    def create_subscription(self, kind: type, topic: str, callback: Any, qos: Any) -> None:
        assert issubclass(kind, Message)
        assert isinstance(qos, QoSProfile)
        self.subscriptions.append((kind, topic, callback, qos))

    def create_timer(self, period_s: float, callback: Any) -> None:
        assert isinstance(period_s, float)
        assert period_s > 0
        self.timers.append((period_s, callback))

    def get_logger(self) -> StandInLogger:
        return self.logger

    def destroy_node(self) -> None:
        self.destroyed = True


class QoSProfile:
    def __init__(self, *, history: str, depth: int, reliability: str, durability: str) -> None:
        self.history, self.depth, self.reliability, self.durability = history, depth, reliability, durability


class ExternalShutdownException(Exception):  # noqa: N818  as rclpy names it
    pass


def install(monkeypatch: pytest.MonkeyPatch, **rclpy: Any) -> None:
    """Put the stand-in where Python imports ROS from; ``rclpy`` has its functions."""
    modules: dict[str, dict[str, Any]] = {
        "rclpy": rclpy,
        "rclpy.node": {"Node": StandInNode},
        "rclpy.executors": {"ExternalShutdownException": ExternalShutdownException},
        "rclpy.qos": {
            "QoSProfile": QoSProfile,
            "HistoryPolicy": types.SimpleNamespace(KEEP_LAST="last"),
            "ReliabilityPolicy": types.SimpleNamespace(BEST_EFFORT="best effort"),
            "DurabilityPolicy": types.SimpleNamespace(VOLATILE="volatile"),
        },
    }
    packages = {
        "builtin_interfaces": ["Time"],
        "std_msgs": ["Header"],
        "sensor_msgs": ["Image", "CompressedImage"],
        "diagnostic_msgs": ["DiagnosticArray", "DiagnosticStatus", "KeyValue"],
        "autoware_internal_debug_msgs": ["BoolStamped", "Float64Stamped", "StringStamped"],
        "vision_msgs": [
            "BoundingBox2D",
            "Detection2D",
            "Detection2DArray",
            "ObjectHypothesis",
            "ObjectHypothesisWithPose",
            "Point2D",
            "Pose2D",
        ],
    }
    for package, names in packages.items():
        modules |= {package: {}, f"{package}.msg": {name: MESSAGES[name] for name in names}}
    for name, contents in modules.items():
        module = types.ModuleType(name)
        vars(module).update(contents)
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(StandInNode, "parameters", {})
