// SPDX-License-Identifier: Apache-2.0
#include "parameters.hpp"

#include <algorithm>

namespace lsood_ros {

namespace {

bool is_letter(char each) { return ('a' <= each && each <= 'z') || ('A' <= each && each <= 'Z') || each == '_'; }
bool is_digit(char each) { return '0' <= each && each <= '9'; }

// Whether a text may be a part of a topic's name.
bool is_topic_part(const std::string& text) {
  return !text.empty() && is_letter(text.front()) && text.back() != '_' && text.find("__") == std::string::npos &&
         std::all_of(text.begin(), text.end(), [](char each) { return is_letter(each) || is_digit(each); });
}

lsood::Error wrong(std::string message) { return {lsood::ErrorCode::argument, std::move(message)}; }

bool names_none(const Texts& texts) { return texts.empty() || (texts.size() == 1 && texts.front().empty()); }

}  // namespace

lsood::Result<std::vector<CameraSource>> camera_sources(const Parameters& values) {
  if (names_none(values.cameras)) return wrong("expected names in the parameter cameras, got none: give [camera] for one camera");
  const bool has_topics = !names_none(values.image_topics);
  if (has_topics && values.image_topics.size() != values.cameras.size()) {
    return wrong("expected one of image_topics for each of " + std::to_string(values.cameras.size()) + " cameras, got " +
                 std::to_string(values.image_topics.size()) + ": give them in the order of cameras");
  }
  std::vector<CameraSource> sources;
  for (std::size_t i = 0; i < values.cameras.size(); ++i) {
    const std::string& name = values.cameras[i];
    if (!is_topic_part(name)) {
      return wrong("expected names of cameras of letters, digits and underscores, got '" + name +
                   "': it is a part of the names of topics");
    }
    const auto same = [&name](const CameraSource& each) { return each.name == name; };
    if (std::any_of(sources.begin(), sources.end(), same)) {
      return wrong("expected cameras of different names, got '" + name + "' twice");
    }
    const std::string topic = has_topics ? values.image_topics[i] : name + "/image_raw";
    if (topic.empty()) return wrong("expected a topic for the camera '" + name + "', got none: give all of image_topics, or none");
    sources.push_back({name, topic});
  }
  return sources;
}

}  // namespace lsood_ros
