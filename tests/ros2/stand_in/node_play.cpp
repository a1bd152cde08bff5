// SPDX-License-Identifier: Apache-2.0
// Plays images to the node and prints what it publishes, a line of JSON a message:
//
//     node_play [--intra-process] --ros-args -p NAME:=VALUE ...
//
// Commands come from the standard input:
//   image TOPIC SEC NANOSEC FRAME_ID ENCODING HEIGHT WIDTH STEP BIGENDIAN FILE   hand an image over; - for an empty word
//   wait N            until so many assessments were published since the start
//   hold, release     keep the node's thread in its next publication
//   listen TOPIC N    let N subscribers listen
//   fail TOPIC        let each publication on a topic throw
//   tick              run all timers
//   sleep MS
//   diagnose          publish diagnostics, once the node's thread had the time to tell them what it has published
//   describe          print parameters, subscriptions and the periods of timers in seconds
#include <chrono>
#include <condition_variable>
#include <fstream>
#include <iostream>
#include <iterator>
#include <sstream>
#include <thread>

#include "monitor_node.hpp"

namespace {

using ros_stand_in::json;
using Words = std::istringstream;

std::mutex lock;
std::condition_variable changed;
int assessments = 0;
bool is_held = false;

void print(const ros_stand_in::Publication& published) {
  std::unique_lock<std::mutex> held(lock);
  changed.wait_for(held, std::chrono::seconds(20), [] { return !is_held; });
  std::cout << "{\"topic\": " << json(published.topic) << ", \"type\": " << json(published.type) << ", \"qos\": "
            << json(published.qos) << ", \"message\": " << published.message << "}" << std::endl;
  assessments += published.type == "lsood_msgs/msg/Assessment" ? 1 : 0;
  changed.notify_all();
}

template <typename T>
T next(Words& words) {
  T value{};
  words >> value;
  return value;
}

std::string text_or_none(Words& words) {
  const auto word = next<std::string>(words);
  return word == "-" ? "" : word;
}

void hand_over(Words& words) {
  const auto topic = next<std::string>(words);
  auto image = std::make_shared<sensor_msgs::msg::Image>();
  words >> image->header.stamp.sec >> image->header.stamp.nanosec;
  image->header.frame_id = text_or_none(words);
  image->encoding = text_or_none(words);
  words >> image->height >> image->width >> image->step;
  image->is_bigendian = static_cast<std::uint8_t>(next<int>(words));
  std::ifstream file(next<std::string>(words), std::ios::binary);
  image->data.assign(std::istreambuf_iterator<char>(file), {});
  ros_stand_in::graph().images.at(topic).callback(image);
}

void set_held(bool to) {
  const std::lock_guard<std::mutex> held(lock);
  is_held = to;
  changed.notify_all();
}

bool wait_for(int count) {
  std::unique_lock<std::mutex> held(lock);
  return changed.wait_for(held, std::chrono::seconds(20), [count] { return assessments >= count; });
}

void describe(const rclcpp::Node& node) {
  std::cout << "{\"parameters\": [";
  const char* between = "";
  for (const auto& each : node.stand_in_declared()) {
    std::cout << between << "{\"descriptor\": " << json(each.descriptor) << ", \"default\": "
              << std::visit([](const auto& value) { return json(value); }, each.value) << "}";
    between = ", ";
  }
  std::cout << "], \"subscriptions\": {";
  between = "";
  for (const auto& [topic, each] : ros_stand_in::graph().images) {
    std::cout << between << json(topic) << ": [" << json(each.transport) << ", " << json(each.qos) << "]";
    between = ", ";
  }
  std::vector<double> periods;
  for (const auto& timer : ros_stand_in::graph().timers) periods.push_back(std::chrono::duration<double>(timer.period).count());
  std::cout << "}, \"timers\": " << json(periods) << "}" << std::endl;
}

bool play(const std::string& command, Words& words, const rclcpp::Node& node) {
  ros_stand_in::Graph& graph = ros_stand_in::graph();
  if (command == "image") {
    hand_over(words);
  } else if (command == "wait") {
    return wait_for(next<int>(words));
  } else if (command == "hold" || command == "release") {
    set_held(command == "hold");
  } else if (command == "listen") {
    const auto topic = next<std::string>(words);
    graph.listeners[topic] = next<std::size_t>(words);
  } else if (command == "fail") {
    graph.failing = next<std::string>(words);
  } else if (command == "tick") {
    for (const auto& timer : graph.timers) timer.callback();
  } else if (command == "sleep") {
    std::this_thread::sleep_for(std::chrono::milliseconds(next<int>(words)));
  } else if (command == "diagnose") {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    for (const auto& update : graph.updaters) update();
  } else if (command == "describe") {
    describe(node);
  } else {
    return false;
  }
  return true;
}

}  // namespace

int main(int count, char** values) {
  rclcpp::init(count, values);
  ros_stand_in::graph().published = print;
  rclcpp::NodeOptions options;
  options.use_intra_process_comms(count > 1 && std::string(values[1]) == "--intra-process");
  try {
    const lsood_ros::MonitorNode node(options);
    for (std::string line; std::getline(std::cin, line);) {
      Words words(line);
      const auto command = next<std::string>(words);
      if (!play(command, words, node)) {
        std::cerr << "node_play: failed at: " << line << '\n';
        std::_Exit(3);
      }
    }
  } catch (const std::exception& error) {
    std::cerr << "node_play: " << error.what() << '\n';
    return 2;
  }
}
