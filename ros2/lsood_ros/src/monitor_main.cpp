// SPDX-License-Identifier: Apache-2.0
// The node in a process of its own. Exit code 2, after one line, where it cannot start, and 1 where it fails later.
#include <cstdio>
#include <exception>
#include <memory>

#include "monitor_node.hpp"

int main(int count, char** values) {
  int code = 2;
  try {
    rclcpp::init(count, values);
    const auto node = std::make_shared<lsood_ros::MonitorNode>();
    code = 1;
    rclcpp::spin(node);
    code = 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "lsood_ros: error: %s\n", error.what());
  }
  rclcpp::shutdown();
  return code;
}
