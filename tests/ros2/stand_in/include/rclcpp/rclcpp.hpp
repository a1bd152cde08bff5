// SPDX-License-Identifier: Apache-2.0
// A stand-in for rclcpp of ROS 2: the names and signatures that lsood_ros uses, and of what they do what its tests need. A
// parameter is held against its type and range, and a transient-local publisher against communication within the process, with
// the exceptions of ROS 2 Humble.
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "rcl_interfaces/msg/parameter_descriptor.hpp"
#include "ros_stand_in.hpp"

enum rcl_clock_type_t { RCL_STEADY_TIME };

struct rmw_qos_profile_t {
  std::size_t depth = 10;
  bool is_reliable = true, is_transient_local = false;
};

namespace rclcpp {

class QoS {
 public:
  explicit QoS(std::size_t depth) { profile_.depth = depth; }
  QoS& keep_last(std::size_t depth) {
    profile_.depth = depth;
    return *this;
  }
  QoS& best_effort() {
    profile_.is_reliable = false;
    return *this;
  }
  QoS& transient_local() {
    profile_.is_transient_local = true;
    return *this;
  }
  [[nodiscard]] const rmw_qos_profile_t& get_rmw_qos_profile() const { return profile_; }

 private:
  rmw_qos_profile_t profile_;
};

class SensorDataQoS : public QoS {
 public:
  SensorDataQoS() : QoS(5) { best_effort(); }
};

}  // namespace rclcpp

namespace ros_stand_in {

inline std::string text_of(const rmw_qos_profile_t& qos) {
  return "last " + std::to_string(qos.depth) + (qos.is_reliable ? ", reliable" : ", best effort") +
         (qos.is_transient_local ? ", transient local" : "");
}

}  // namespace ros_stand_in

namespace rclcpp {

namespace exceptions {
struct InvalidParameterValueException : std::runtime_error {
  using std::runtime_error::runtime_error;
};
struct InvalidParameterTypeException : std::runtime_error {
  using std::runtime_error::runtime_error;
};
}  // namespace exceptions

using ParameterValue = std::variant<bool, std::int64_t, double, std::string, std::vector<std::string>>;

class NodeOptions {
 public:
  NodeOptions& use_intra_process_comms(bool is_used) {
    intra_process_ = is_used;
    return *this;
  }
  [[nodiscard]] bool use_intra_process_comms() const { return intra_process_; }

 private:
  bool intra_process_ = false;
};

enum class IntraProcessSetting { Enable, Disable, NodeDefault };

struct PublisherOptions {
  IntraProcessSetting use_intra_process_comm = IntraProcessSetting::NodeDefault;
};

template <typename Message>
class Publisher {
 public:
  using SharedPtr = std::shared_ptr<Publisher>;

  Publisher(std::string topic, const QoS& qos) : topic_(std::move(topic)), qos_(qos.get_rmw_qos_profile()) {}
  void publish(const Message& message) {
    if (topic_ == ros_stand_in::graph().failing) throw std::runtime_error("failed to publish message");
    ros_stand_in::graph().published({topic_, type_name(message), ros_stand_in::text_of(qos_), ros_stand_in::json(message)});
  }
  void publish(std::unique_ptr<Message> message) { publish(*message); }
  [[nodiscard]] std::size_t get_subscription_count() const { return ros_stand_in::graph().listeners[topic_]; }

 private:
  std::string topic_;
  rmw_qos_profile_t qos_;
};

struct TimerBase {
  using SharedPtr = std::shared_ptr<TimerBase>;
};

// Of ROS 2 Humble, where `now` is no const method.
class Clock {
 public:
  explicit Clock(rcl_clock_type_t) {}
  std::chrono::steady_clock::time_point now() { return std::chrono::steady_clock::now(); }
};

class Logger {
 public:
  explicit Logger(std::string name) : name_(std::move(name)) {}
  [[nodiscard]] const char* get_name() const { return name_.c_str(); }

 private:
  std::string name_;
};

class Node {
 public:
  Node(std::string name, const NodeOptions& options) : name_(std::move(name)), options_(options) {}
  virtual ~Node() = default;
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  [[nodiscard]] const char* get_name() const { return name_.c_str(); }
  [[nodiscard]] Logger get_logger() const { return Logger(name_); }

  template <typename T>
  T declare_parameter(const std::string& name, const T& value, const rcl_interfaces::msg::ParameterDescriptor& descriptor) {
    const ParameterValue declared = given(name).value_or(ParameterValue(value));
    if (!std::holds_alternative<T>(declared)) {
      throw exceptions::InvalidParameterTypeException("parameter '" + name + "' has invalid type");
    }
    check_ranges(name, declared, descriptor);
    declared_.push_back({descriptor, value});
    return std::get<T>(declared);
  }

  template <typename Message>
  typename Publisher<Message>::SharedPtr create_publisher(const std::string& topic, const QoS& qos,
                                                          const PublisherOptions& options = {}) {
    const bool is_intra = options.use_intra_process_comm == IntraProcessSetting::Enable ||
                          (options.use_intra_process_comm == IntraProcessSetting::NodeDefault && options_.use_intra_process_comms());
    if (is_intra && qos.get_rmw_qos_profile().is_transient_local) {
      throw std::invalid_argument("intraprocess communication allowed only with volatile durability");
    }
    return std::make_shared<Publisher<Message>>(resolved(topic), qos);
  }

  template <typename Rep, typename Period, typename Callback>
  TimerBase::SharedPtr create_wall_timer(std::chrono::duration<Rep, Period> period, Callback callback) {
    ros_stand_in::graph().timers.push_back({std::chrono::duration_cast<std::chrono::nanoseconds>(period), callback});
    return std::make_shared<TimerBase>();
  }

  [[nodiscard]] std::string resolved(const std::string& topic) const {
    return topic.substr(0, 2) == "~/" ? "/" + name_ + topic.substr(1) : topic.front() == '/' ? topic : "/" + topic;
  }

  struct Declared {
    rcl_interfaces::msg::ParameterDescriptor descriptor;
    ParameterValue value;  // the default
  };
  [[nodiscard]] const std::vector<Declared>& stand_in_declared() const { return declared_; }

 private:
  // The value that `--ros-args -p NAME:=VALUE` gives, of the type that YAML reads.
  static std::optional<ParameterValue> given(const std::string& name) {
    std::optional<ParameterValue> found;
    for (const std::string& word : ros_stand_in::graph().arguments) {
      if (word.substr(0, name.size() + 2) == name + ":=") found = yaml_value(word.substr(name.size() + 2));
    }
    return found;
  }

  static ParameterValue yaml_value(const std::string& text) {
    if (text == "true" || text == "false") return text == "true";
    if (!text.empty() && text.front() == '[' && text.back() == ']') {
      std::vector<std::string> items;
      std::string item;
      for (const char each : text.substr(1)) {
        if (each == ',' || each == ']') {
          items.push_back(item);
          item.clear();
        } else if (each != ' ' && each != '"') {
          item += each;
        }
      }
      return items;
    }
    char* end = nullptr;
    const bool is_whole = !text.empty() && text.find_first_not_of("-0123456789") == std::string::npos;
    if (is_whole) return static_cast<std::int64_t>(std::strtoll(text.c_str(), &end, 10));
    const double number = text == ".nan" ? NAN : std::strtod(text.c_str(), &end);
    if (text == ".nan" || (!text.empty() && *end == '\0')) return number;
    return text.size() > 1 && text.front() == '"' ? text.substr(1, text.size() - 2) : text;
  }

  static void check_ranges(const std::string& name, const ParameterValue& value,
                           const rcl_interfaces::msg::ParameterDescriptor& descriptor) {
    const auto refuse = [&name](const char* kind) {
      throw exceptions::InvalidParameterValueException("parameter '" + name + "' could not be set: Parameter {" + name +
                                                       "} doesn't comply with " + kind + " range.");
    };
    if (const auto* number = std::get_if<double>(&value)) {
      for (const auto& range : descriptor.floating_point_range) {
        if (*number < range.from_value || *number > range.to_value) refuse("floating point");
      }
    }
    if (const auto* number = std::get_if<std::int64_t>(&value)) {
      for (const auto& range : descriptor.integer_range) {
        if (*number < range.from_value || *number > range.to_value) refuse("integer");
      }
    }
  }

  std::string name_;
  NodeOptions options_;
  std::vector<Declared> declared_;
};

inline void init(int count, char** values) { ros_stand_in::graph().arguments.assign(values + 1, values + count); }
inline bool shutdown() { return true; }

// Returns at once: nothing arrives by itself. Throws what the environment says, as where a callback throws.
inline void spin(const std::shared_ptr<Node>&) {
  if (const char* const error = std::getenv("ROS_STAND_IN_SPIN_THROWS")) throw std::runtime_error(error);
}

}  // namespace rclcpp

// A function, so that the compiler holds the arguments against the format.
namespace ros_stand_in {
[[gnu::format(printf, 3, 4)]] inline void log(const char* level, const rclcpp::Logger& logger, const char* format, ...) {
  va_list values;
  va_start(values, format);
  std::fprintf(stderr, "[%s] [%s]: ", level, logger.get_name());
  std::vfprintf(stderr, format, values);
  std::fputc('\n', stderr);
  va_end(values);
}
}  // namespace ros_stand_in
#define RCLCPP_INFO(logger, ...) ros_stand_in::log("INFO", logger, __VA_ARGS__)
#define RCLCPP_WARN(logger, ...) ros_stand_in::log("WARN", logger, __VA_ARGS__)
#define RCLCPP_ERROR(logger, ...) ros_stand_in::log("ERROR", logger, __VA_ARGS__)
// Once in so many milliseconds for each place in the code.
#define RCLCPP_ERROR_THROTTLE(logger, clock, pause, ...)                    \
  do {                                                                      \
    static std::optional<std::chrono::steady_clock::time_point> last;       \
    const auto now = (clock).now();                                         \
    if (!last || now - *last >= std::chrono::milliseconds(pause)) {         \
      last = now;                                                           \
      RCLCPP_ERROR(logger, __VA_ARGS__);                                    \
    }                                                                       \
  } while (false)
