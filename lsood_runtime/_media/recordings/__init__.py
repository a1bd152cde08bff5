# SPDX-License-Identifier: Apache-2.0
"""Read camera frames from recorded drives: MCAP files, ROS 1 bags, ROS 2 bags, whole or cut off by a crash."""
