// SPDX-License-Identifier: Apache-2.0
// What stands in for the middleware of ROS 2: publications go to one function, subscriptions and timers are called by hand.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "sensor_msgs/msg/image.hpp"

namespace ros_stand_in {

struct Publication {
  std::string topic, type, qos, message;  // the message as JSON
};

struct ImageSubscription {
  std::string transport, qos;
  std::function<void(const sensor_msgs::msg::Image::ConstSharedPtr&)> callback;
};

struct Timer {
  std::chrono::nanoseconds period;
  std::function<void()> callback;
};

// All that nodes of this process have made.
struct Graph {
  std::function<void(const Publication&)> published = [](const Publication&) {};
  std::map<std::string, std::size_t> listeners;  // by topic
  std::string failing;                           // the topic on which nothing can be published
  std::map<std::string, ImageSubscription> images;
  std::vector<Timer> timers;
  std::vector<std::function<void()>> updaters;  // of diagnostics
  std::vector<std::string> arguments;           // of the program
};

inline Graph& graph() {
  static Graph made;
  return made;
}

inline std::string json(const std::string& text) {
  std::string found = "\"";
  for (const char each : text) {
    if (each == '"' || each == '\\') found += '\\';
    found += each;
  }
  return found + '"';
}
inline std::string json(const char* text) { return json(std::string(text)); }
inline std::string json(bool flag) { return flag ? "true" : "false"; }

// A number to its last bit, which Python's float.fromhex reads.
inline std::string json(double number) {
  char text[64];
  std::snprintf(text, sizeof text, "\"%a\"", number);
  return text;
}
inline std::string json(float number) { return json(static_cast<double>(number)); }
template <typename T, std::enable_if_t<std::is_integral_v<T> && !std::is_same_v<T, bool>, int> = 0>
std::string json(T number) {
  return std::to_string(number);
}

// Bytes of an image, two digits each.
inline std::string json(const std::vector<std::uint8_t>& bytes) {
  constexpr const char* digits = "0123456789abcdef";
  std::string text = "\"";
  for (const std::uint8_t each : bytes) text += {digits[each >> 4], digits[each & 15]};
  return text + '"';
}

template <typename T>
auto json(const T& message) -> decltype(type_name(message), std::string());

template <typename T>
std::string json_of_list(const T& values) {
  std::string text = "[";
  for (const auto& each : values) text += (text.size() > 1 ? ", " : "") + json(each);
  return text + "]";
}
inline std::string json(const std::vector<bool>& flags) {
  std::string text = "[";
  for (const bool each : flags) text += (text.size() > 1 ? ", " : "") + json(each);
  return text + "]";
}
template <typename T>
std::string json(const std::vector<T>& values) {
  return json_of_list(values);
}
template <typename T, std::size_t N>
std::string json(const std::array<T, N>& values) {
  return json_of_list(values);
}

template <typename T>
auto json(const T& message) -> decltype(type_name(message), std::string()) {
  std::string text = "{";
  each_field(message, [&text](const char* name, const auto& value) {
    text += (text.size() > 1 ? ", " : "") + json(name) + ": " + json(value);
  });
  return text + "}";
}

}  // namespace ros_stand_in
