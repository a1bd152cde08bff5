// SPDX-License-Identifier: Apache-2.0
// A stand-in for image_transport of ROS 2 Humble and Jazzy: subscriptions to images.
#pragma once

#include <functional>
#include <string>

#include "rclcpp/rclcpp.hpp"
#include "sensor_msgs/msg/image.hpp"

namespace image_transport {

class Subscriber {
 public:
  using Callback = std::function<void(const sensor_msgs::msg::Image::ConstSharedPtr&)>;

  Subscriber() = default;
  explicit Subscriber(std::string topic) : topic_(std::move(topic)) {}
  void shutdown() { ros_stand_in::graph().images.erase(topic_); }

 private:
  std::string topic_;
};

inline Subscriber create_subscription(rclcpp::Node* node, const std::string& base_topic, const Subscriber::Callback& callback,
                                      const std::string& transport, rmw_qos_profile_t custom_qos = {}) {
  const std::string topic = node->resolved(base_topic);
  ros_stand_in::graph().images[topic] = {transport, ros_stand_in::text_of(custom_qos), callback};
  return Subscriber(topic);
}

}  // namespace image_transport
