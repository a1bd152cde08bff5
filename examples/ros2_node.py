# SPDX-License-Identifier: Apache-2.0
"""A ROS 2 node that watches one camera.

    python examples/ros2_node.py --ros-args -p bundle:=monitor/ -p alarm:=cusum:1h@20 -r image:=/front/image_raw

Subscribes to `image` (rgb8 or bgr8). Publishes, with the stamp of the image: `/diagnostics` (OK, WARN for a frame that is out
of distribution or late, ERROR for an alarm or an invalid frame), `~/score`, and `~/debug/processing_time_ms` as Autoware's
nodes do. Older images are dropped while one is scored. Needs rclpy, diagnostic_msgs and autoware_internal_debug_msgs of a
ROS 2 installation, and lsood-runtime[cpu] or [gpu].
"""

import json
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsood_runtime import OoDMonitor, State, StreamAssessment, parse_policy

OK, WARN, ERROR = b"\x00", b"\x01", b"\x02"
"""Levels of diagnostic_msgs/DiagnosticStatus."""

_ORDERS = {"rgb8": slice(None), "bgr8": slice(None, None, -1)}


def image_of(message: Any, channels: str) -> NDArray[np.uint8] | None:
    """The pixels of a sensor_msgs/Image as ``(H, W, 3)`` uint8 in the order ``channels``, rows without padding; None where
    its encoding or length makes it none, which the monitor then calls invalid.
    """
    order = _ORDERS.get(message.encoding)
    pixels = np.frombuffer(message.data, np.uint8)
    if order is None or pixels.size != message.height * message.step or message.step < 3 * message.width:
        return None
    rows = pixels.reshape(message.height, message.step)[:, : 3 * message.width]
    frame = rows.reshape(message.height, message.width, 3)[..., order]
    return frame if channels == "rgb" else frame[..., ::-1]


def level_of(result: StreamAssessment) -> bytes:
    """How bad it is, in diagnostic_msgs' levels."""
    if result.alarm or result.verdict.state is State.INVALID:
        return ERROR
    return OK if result.verdict.state is State.OK else WARN


def make_node() -> Any:
    """The node; rclpy must have been initialised."""
    from autoware_internal_debug_msgs.msg import Float64Stamped
    from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
    from rclpy.node import Node
    from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
    from sensor_msgs.msg import Image

    class MonitorNode(Node):  # type: ignore[misc]
        """Scores each image as it comes, in the thread of the executor."""

        def __init__(self) -> None:
            super().__init__("lsood_monitor")
            bundle = self.declare_parameter("bundle", "monitor/").value
            provider = self.declare_parameter("provider", "cpu").value
            deadline_ms = self.declare_parameter("deadline_ms", 0.0).value
            alarm = self.declare_parameter("alarm", "3of5").value
            self.monitor = OoDMonitor(bundle, providers=[provider], deadline_ms=deadline_ms or None)
            self.stream = self.monitor.stream(parse_policy(alarm))
            latest = QoSProfile(
                history=HistoryPolicy.KEEP_LAST, depth=1, reliability=ReliabilityPolicy.BEST_EFFORT
            )  # an image that waited is worth less than the next
            self.diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 1)
            self.score = self.create_publisher(Float64Stamped, "~/score", 1)
            self.processing_time = self.create_publisher(Float64Stamped, "~/debug/processing_time_ms", 1)
            self.create_subscription(Image, "image", self.on_image, latest)
            self.get_logger().info(f"watching with {bundle} on {self.monitor.provider}")

        def on_image(self, message: Any) -> None:
            stamp = message.header.stamp
            result = self.stream.assess(
                image_of(message, self.monitor.manifest.input.channels),
                stamp_ns=stamp.sec * 1_000_000_000 + stamp.nanosec,
                camera=message.header.frame_id or "camera",
            )
            verdict = result.verdict
            self.score.publish(Float64Stamped(stamp=stamp, data=verdict.score))
            self.processing_time.publish(Float64Stamped(stamp=stamp, data=verdict.latency_ms))
            values = [KeyValue(key=key, value=json.dumps(value)) for key, value in result.asdict().items()]
            status = DiagnosticStatus(
                level=level_of(result),
                name="lsood: out-of-distribution monitor",
                message=("alarm: " if result.alarm else "") + (verdict.reason or verdict.state.value),
                hardware_id=result.camera,
                values=values,
            )
            self.diagnostics.publish(DiagnosticArray(header=message.header, status=[status]))
            if result.onset:
                self.get_logger().error(str(result))

        def destroy_node(self) -> None:
            self.monitor.close()
            super().destroy_node()

    return MonitorNode()


def main() -> int:
    """Spin until the node is told to stop."""
    try:
        import rclpy
    except ImportError:
        print("this example needs ROS 2: source its setup.bash first", file=sys.stderr)
        return 2
    rclpy.init()
    node = make_node()
    try:
        rclpy.spin(node)
    except KeyboardInterrupt:
        pass
    finally:
        node.destroy_node()
        rclpy.try_shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
