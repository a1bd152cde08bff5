// SPDX-License-Identifier: Apache-2.0
// A stand-in for diagnostic_updater: tasks that fill a status each, published when the updater is called.
#pragma once

#include <functional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "diagnostic_msgs/msg/diagnostic_array.hpp"
#include "rclcpp/rclcpp.hpp"

namespace diagnostic_updater {

class DiagnosticStatusWrapper : public diagnostic_msgs::msg::DiagnosticStatus {
 public:
  void summary(unsigned char lvl, const std::string s) {
    level = lvl;
    message = s;
  }
  template <typename T>
  void add(const std::string& key, const T& val) {
    std::ostringstream text;
    text << val;
    diagnostic_msgs::msg::KeyValue value;
    value.key = key;
    value.value = text.str();
    values.push_back(value);
  }
};

class Updater {
 public:
  template <typename NodeT>
  explicit Updater(NodeT node)
      : node_(node->get_name()),
        publisher_(node->template create_publisher<diagnostic_msgs::msg::DiagnosticArray>("/diagnostics", rclcpp::QoS(1))) {
    ros_stand_in::graph().updaters.push_back([this] { force_update(); });
  }

  void setHardwareID(const std::string& hwid) { hardware_ = hwid; }

  void add(const std::string& name, std::function<void(DiagnosticStatusWrapper&)> f) { tasks_.emplace_back(name, std::move(f)); }

  void force_update() {
    diagnostic_msgs::msg::DiagnosticArray message;
    for (const auto& [name, task] : tasks_) {
      DiagnosticStatusWrapper status;
      task(status);
      status.name = node_ + ": " + name;
      status.hardware_id = hardware_;
      message.status.push_back(status);
    }
    publisher_->publish(message);
  }

 private:
  std::string node_, hardware_;
  rclcpp::Publisher<diagnostic_msgs::msg::DiagnosticArray>::SharedPtr publisher_;
  std::vector<std::pair<std::string, std::function<void(DiagnosticStatusWrapper&)>>> tasks_;
};

}  // namespace diagnostic_updater
