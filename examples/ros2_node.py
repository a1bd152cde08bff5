# SPDX-License-Identifier: Apache-2.0
"""A ROS 2 node that watches cameras, in Python.

For the desk, and for images that the C++ node in ros2/ does not read, such as Bayer, YUV and those of 16 bits. In a vehicle
take that one; docs/how-to/ros2.md compares both.

    python examples/ros2_node.py --ros-args -p bundle:=monitor/ -p alarm:=cusum:1h@20 -r image:=/front/image_raw

Subscribes to `image` (sensor_msgs/Image), or to `image/compressed` with `-p image_transport:=compressed`; several cameras on
one topic are told apart by their frame_id. Publishes, with the stamp of the image:

    /diagnostics                    one status a camera: OK, WARN for a frame that is out of distribution, of low quality or
                                    late, ERROR for an alarm, an invalid frame, a camera that went silent, or a provider that
                                    failed
    ~/score, ~/p_value              Float64Stamped
    ~/state                         StringStamped: ok, late, low_quality, out_of_distribution, invalid
    ~/is_ood, ~/alarm               BoolStamped
    ~/expected_quality              Float64Stamped: of the segmentation, NaN where it is unknown; in /diagnostics its measure
                                    and interval; where the bundle tells it, as the next one
    ~/quality_alarm                 BoolStamped: the alarm on a fall of the expected quality, where `quality_alarm` is set
    ~/cause                         StringStamped: kind of degradation, none, or unknown
    ~/abnormal_tiles                StringStamped: the tiles that look abnormal in words, "lower left corner (1 of 32 tiles)";
                                    none, or unknown
    ~/unknown_objects               StringStamped: how many unknown objects there are, and where the clearest one is; none, or
                                    unknown; where the bundle tells them, as the next two
    ~/unknown_object_boxes          vision_msgs/Detection2DArray in pixels of the image: of each object its box, the class
                                    under it as class_id, and the peak of the anomaly map as score; with vision_msgs installed
    ~/anomaly_map                   sensor_msgs/Image (32FC1), while somebody listens; none of a frame without a known map
    ~/segmentation                  sensor_msgs/Image of class numbers (mono8), while somebody listens
    ~/debug/processing_time_ms      Float64Stamped, as Autoware's nodes do

Parameters: `bundle` (monitor/), `provider` (cpu), `operating_point`, `deadline_ms` and `min_quality` (0 for none),
`object_region` (frame, or road for the unknown objects on or beside the road alone), `max_age_s` after which a camera
is silent (1.0), `cameras` that must send (a list of frame_ids), and what images do not say themselves: `encodings`,
`grey`, `bits`, `yuv`, by default as the bundle's calibration read its own. `alarm` is `1/h` unless it is set: the rule
by the bundle's calibration for one false alarm an hour, of a camera with `frames_per_second` (10.0), chosen within
seconds at the start and logged; or a rule by its text, as `3of5`. `quality_alarm`, by default none, is such a rule on
the expected quality. Older images are dropped while one is scored.

Needs rclpy, std_msgs, sensor_msgs, diagnostic_msgs and autoware_internal_debug_msgs of a ROS 2 installation, and
lsood-runtime with the extras cpu or gpu, and media; vision_msgs for the boxes.
"""

import array
import json
import math
import sys
from typing import Any

from lsood_runtime import (
    Assessment,
    LsoodError,
    OoDMonitor,
    PixelRules,
    State,
    StreamAssessment,
    UnknownObject,
    decode_message,
)

OK, WARN, ERROR = b"\x00", b"\x01", b"\x02"
"""Levels of diagnostic_msgs/DiagnosticStatus."""


def is_alarmed(result: StreamAssessment) -> bool:
    """Whether score or expected quality raise an alarm."""
    return result.alarm or (result.quality is not None and result.quality.alarm)


def level_of(result: StreamAssessment) -> bytes:
    """How bad it is, in diagnostic_msgs' levels."""
    if is_alarmed(result) or result.verdict.state is State.INVALID:
        return ERROR
    return OK if result.verdict.state is State.OK else WARN


def text_of(value: object) -> str:
    """A value of a diagnostic as people read it: text without quotes, nothing for None, JSON otherwise."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)


def alarm_text(alarm: str, frames_per_second: float) -> str:
    """An alarm as :meth:`OoDMonitor.stream` takes it: a rate of false alarms such as 1/h with the camera's frame rate."""
    return f"{alarm}@{frames_per_second:g}" if alarm.endswith("/h") else alarm


def box_of(each: UnknownObject, header: Any, vision: Any) -> Any:
    """An unknown object as a message of vision_msgs."""
    hypothesis = vision.ObjectHypothesis(class_id="" if each.class_id is None else str(each.class_id), score=each.peak)
    centre = vision.Point2D(x=each.x + each.width / 2, y=each.y + each.height / 2)
    box = vision.BoundingBox2D(center=vision.Pose2D(position=centre), size_x=each.width, size_y=each.height)
    return vision.Detection2D(header=header, results=[vision.ObjectHypothesisWithPose(hypothesis=hypothesis)], bbox=box)


def make_node() -> Any:
    """The node; rclpy must have been initialised."""
    from autoware_internal_debug_msgs.msg import BoolStamped, Float64Stamped, StringStamped
    from builtin_interfaces.msg import Time
    from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
    from rclpy.node import Node
    from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
    from sensor_msgs.msg import CompressedImage, Image
    from std_msgs.msg import Header

    try:
        import vision_msgs.msg as vision
    except ImportError:
        vision = None

    class MonitorNode(Node):  # type: ignore[misc]
        """Scores each image as it comes, in the thread of the executor."""

        def __init__(self) -> None:
            super().__init__("lsood_monitor")
            bundle = self._parameter("bundle", "monitor/")
            self._max_age_s: float = self._parameter("max_age_s", 1.0)
            self._expected = [name for name in self._parameter("cameras", [""]) if name]
            self.monitor = OoDMonitor(
                bundle,
                providers=[self._parameter("provider", "cpu")],
                operating_point=self._parameter("operating_point", "") or None,
                deadline_ms=self._parameter("deadline_ms", 0.0) or None,
                min_quality=self._parameter("min_quality", 0.0) or None,
                object_region=self._parameter("object_region", "frame"),
            )
            stated = self.monitor.manifest.pixels  # at export and calibration: what no parameter says
            self._rules = PixelRules(
                encodings=(*(name for name in self._parameter("encodings", [""]) if name), *stated.encodings),
                grey=self._parameter("grey", False) or stated.grey,
                bits=self._parameter("bits", 0) or stated.bits,
                yuv=self._parameter("yuv", "") or stated.yuv,
            )
            asked, rate = self._parameter("alarm", "1/h"), self._parameter("frames_per_second", 10.0)
            watched = self._parameter("quality_alarm", "")
            self.stream = self.monitor.stream(
                alarm_text(asked, rate), quality_policy=alarm_text(watched, rate) if watched else None
            )
            self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
            self._numbers = {
                name: self.create_publisher(Float64Stamped, f"~/{name}", 1) for name in ("score", "p_value")
            }
            self._flags = {name: self.create_publisher(BoolStamped, f"~/{name}", 1) for name in ("is_ood", "alarm")}
            self._state = self.create_publisher(StringStamped, "~/state", 1)
            self._quality = self.create_publisher(Float64Stamped, "~/expected_quality", 1)
            self._quality_alarm = self.create_publisher(BoolStamped, "~/quality_alarm", 1)
            self._cause = self.create_publisher(StringStamped, "~/cause", 1)
            self._tiles = self.create_publisher(StringStamped, "~/abnormal_tiles", 1)
            self._objects = self.create_publisher(StringStamped, "~/unknown_objects", 1)
            self._boxes = None
            if vision is not None:
                self._boxes = self.create_publisher(vision.Detection2DArray, "~/unknown_object_boxes", 1)
            self._map = self.create_publisher(Image, "~/anomaly_map", 1)
            self._segmentation = self.create_publisher(Image, "~/segmentation", 1)
            self._processing_time = self.create_publisher(Float64Stamped, "~/debug/processing_time_ms", 1)
            compressed = self._parameter("image_transport", "raw") == "compressed"
            latest = QoSProfile(  # that of sensors, but for the depth: an image that waited is worth less than the next
                history=HistoryPolicy.KEEP_LAST,
                depth=1,
                reliability=ReliabilityPolicy.BEST_EFFORT,
                durability=DurabilityPolicy.VOLATILE,
            )
            kind, topic = (CompressedImage, "image/compressed") if compressed else (Image, "image")
            self.create_subscription(kind, topic, self.on_image, latest)
            self.create_timer(self._max_age_s / 2, self.on_timer)
            self.get_logger().info(
                f"watching with {bundle} on {self.monitor.provider}, alarm {asked}: {self.stream.policy}"
            )

        def _parameter(self, name: str, default: Any) -> Any:
            return self.declare_parameter(name, default).value

        def on_image(self, message: Any) -> None:
            """Score an image; one that cannot be read, and a provider that fails, count as INVALID."""
            stamp, camera = message.header.stamp, message.header.frame_id or "camera"
            stamp_ns = stamp.sec * 1_000_000_000 + stamp.nanosec
            try:
                frame = decode_message(message, self.monitor.manifest.input.channels, self._rules)
                result = self.stream.assess(frame, stamp_ns=stamp_ns, camera=camera)
            except LsoodError as error:
                result = self.stream.report_invalid(str(error), stamp_ns=stamp_ns, camera=camera)
            self._publish(result, message.header)

        def on_timer(self) -> None:
            """Report the cameras that have stopped, and those that never began."""
            for camera in self.stream.silent(max_age_s=self._max_age_s, expected=self._expected):
                result = self.stream.report_silent(camera)
                sec, nanosec = divmod(result.verdict.stamp_ns, 1_000_000_000)
                self._publish(result, Header(stamp=Time(sec=sec, nanosec=nanosec), frame_id=camera))

        def _publish(self, result: StreamAssessment, header: Any) -> None:
            verdict, stamp = result.verdict, header.stamp
            for name, number in (("score", verdict.score), ("p_value", verdict.p_value)):
                self._numbers[name].publish(Float64Stamped(stamp=stamp, data=number))
            for name, flag in (("is_ood", verdict.is_ood), ("alarm", result.alarm)):
                self._flags[name].publish(BoolStamped(stamp=stamp, data=flag))
            self._state.publish(StringStamped(stamp=stamp, data=verdict.state.value))
            if verdict.expected_quality is not None:
                self._quality.publish(Float64Stamped(stamp=stamp, data=verdict.expected_quality))
            if result.quality is not None:
                self._quality_alarm.publish(BoolStamped(stamp=stamp, data=result.quality.alarm))
            if verdict.cause is not None:
                self._cause.publish(StringStamped(stamp=stamp, data=verdict.cause))
            if verdict.tile_values is not None:
                nothing = "unknown" if math.isnan(verdict.tile_values.max()) else "none"
                self._tiles.publish(StringStamped(stamp=stamp, data=verdict.tile_words or nothing))
            if verdict.object_words:
                self._publish_objects(verdict, header)
            self._processing_time.publish(Float64Stamped(stamp=stamp, data=verdict.latency_ms))
            classes = verdict.segmentation
            if classes is not None and classes.ndim == 2 and self._segmentation.get_subscription_count():
                height, width = classes.shape
                pixels = array.array("B", classes.tobytes())
                image = Image(header=header, height=height, width=width, encoding="mono8", step=width, data=pixels)
                self._segmentation.publish(image)
            status = DiagnosticStatus(
                level=level_of(result),
                name=f"lsood: out-of-distribution monitor: {result.camera}",
                message=("alarm: " if is_alarmed(result) else "") + (verdict.reason or verdict.state.value),
                hardware_id=result.camera,
                values=[KeyValue(key=key, value=text_of(value)) for key, value in result.asdict().items()],
            )
            self._diagnostics.publish(DiagnosticArray(header=header, status=[status]))
            if result.onset or (result.quality is not None and result.quality.onset):
                self.get_logger().error(str(result))

        def _publish_objects(self, verdict: Assessment, header: Any) -> None:
            """Publish the unknown objects, and the map that they were found in."""
            self._objects.publish(StringStamped(stamp=header.stamp, data=verdict.object_words))
            if self._boxes is not None and verdict.object_count is not None:
                boxes = [box_of(each, header, vision) for each in verdict.objects]
                self._boxes.publish(vision.Detection2DArray(header=header, detections=boxes))
            if verdict.anomaly_map is not None and self._map.get_subscription_count():
                height, width = verdict.anomaly_map.shape
                image = Image(
                    header=header,
                    height=height,
                    width=width,
                    encoding="32FC1",
                    is_bigendian=int(sys.byteorder == "big"),
                    step=4 * width,
                    data=array.array("B", verdict.anomaly_map.tobytes()),
                )
                self._map.publish(image)

        def destroy_node(self) -> None:
            self.monitor.close()
            super().destroy_node()

    return MonitorNode()


def main() -> int:
    """Spin until the node is told to stop."""
    try:
        import rclpy
        from rclpy.executors import ExternalShutdownException
    except ImportError:
        print("this example needs ROS 2: source its setup.bash first", file=sys.stderr)
        return 2
    rclpy.init()
    try:
        node = make_node()
    except (LsoodError, ValueError) as error:
        print(f"lsood: {error}", file=sys.stderr)
        rclpy.try_shutdown()
        return 2
    try:
        rclpy.spin(node)
    except (KeyboardInterrupt, ExternalShutdownException):
        pass  # Ctrl-C, or a launch file that ends
    finally:
        node.destroy_node()
        rclpy.try_shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
