# SPDX-License-Identifier: Apache-2.0
"""Start the monitor in a process of its own.

ros2 launch lsood_ros monitor.launch.py bundle:=MONITOR/ params_file:=cameras.yaml

A launch of others that includes this one goes on where the monitor ends: its topics and diagnostics are missing then. To end
all of it give on_exit_shutdown:=true, and respawn:=true to start the monitor again.
"""

from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction, Shutdown
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue


def monitor_node(context: LaunchContext) -> list[Node]:
    """The node by the arguments' values, which hold still after the launch that includes this one has ended theirs."""
    is_respawned = LaunchConfiguration("respawn").perform(context) == "true"
    ends_all = LaunchConfiguration("on_exit_shutdown").perform(context) == "true"
    bundle = ParameterValue(LaunchConfiguration("bundle"), value_type=str)
    return [
        Node(
            package="lsood_ros",
            executable="monitor_node",
            name="lsood_monitor",
            namespace=LaunchConfiguration("namespace"),
            parameters=[LaunchConfiguration("params_file"), {"bundle": bundle}],
            output="screen",
            respawn=is_respawned,
            respawn_delay=2.0,
            on_exit=Shutdown(reason="lsood_monitor ended") if ends_all and not is_respawned else None,
        )
    ]


def generate_launch_description() -> LaunchDescription:
    """Arguments, and the node; `ros2 launch` calls this."""
    own_file = Path(get_package_share_directory("lsood_ros")) / "config" / "monitor.yaml"
    flag = {"default_value": "false", "choices": ["true", "false"]}
    return LaunchDescription(
        [
            DeclareLaunchArgument("bundle", description="folder of the bundle"),
            DeclareLaunchArgument("params_file", default_value=str(own_file), description="all other parameters"),
            DeclareLaunchArgument("namespace", default_value="", description="of the node and its topics"),
            DeclareLaunchArgument("respawn", description="start the node again where it ends, after 2 s", **flag),
            DeclareLaunchArgument("on_exit_shutdown", description="end all where it ends for good", **flag),
            OpaqueFunction(function=monitor_node),
        ]
    )
