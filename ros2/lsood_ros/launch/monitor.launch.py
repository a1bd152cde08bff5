# SPDX-License-Identifier: Apache-2.0
"""Start the monitor in a process of its own; the launch ends where the node cannot start, or ends later.

ros2 launch lsood_ros monitor.launch.py bundle:=MONITOR/ params_file:=cameras.yaml
"""

from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, Shutdown
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue


def generate_launch_description() -> LaunchDescription:
    """Arguments, and the node; `ros2 launch` calls this."""
    own_file = Path(get_package_share_directory("lsood_ros")) / "config" / "monitor.yaml"
    bundle = ParameterValue(LaunchConfiguration("bundle"), value_type=str)
    return LaunchDescription(
        [
            DeclareLaunchArgument("bundle", description="folder of the bundle"),
            DeclareLaunchArgument("params_file", default_value=str(own_file), description="all other parameters"),
            DeclareLaunchArgument("namespace", default_value="", description="of the node and its topics"),
            Node(
                package="lsood_ros",
                executable="monitor_node",
                name="lsood_monitor",
                namespace=LaunchConfiguration("namespace"),
                parameters=[LaunchConfiguration("params_file"), {"bundle": bundle}],
                output="screen",
                on_exit=Shutdown(reason="lsood_monitor ended"),
            ),
        ]
    )
