// SPDX-License-Identifier: Apache-2.0
// The node in a process of its own. Exit code 2, after one line, where it cannot start.
#include <cstdio>
#include <exception>
#include <memory>

#include "monitor_node.hpp"

int main(int count, char** values) {
  std::shared_ptr<lsood_ros::MonitorNode> node;
  try {
    rclcpp::init(count, values);
    node = std::make_shared<lsood_ros::MonitorNode>();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "lsood_ros: error: %s\n", error.what());
    rclcpp::shutdown();
    return 2;
  }
  rclcpp::spin(node);
  node.reset();
  rclcpp::shutdown();
}
