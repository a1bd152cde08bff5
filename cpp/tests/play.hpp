// SPDX-License-Identifier: Apache-2.0
// What the programs that play cases have in common: options of a monitor as words, and a verdict as one line of JSON.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "detail/failure.hpp"
#include "detail/option_words.hpp"
#include "lsood/monitor.hpp"

namespace lsood::test {

inline std::string read_whole(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Options written as `name=value`, with one thread, as the Python runtime is given.
inline Result<MonitorOptions> monitor_options(const std::vector<std::string>& words) {
  return detail::guarded([&words] {
    MonitorOptions options;
    options.threads = 1;
    for (const std::string& word : words) detail::set_option(word, options);
    return options;
  });
}

inline const char* code_name(ErrorCode code) {
  constexpr const char* names[] = {"argument", "bundle", "provider", "self_test", "frame", "camera", "memory", "internal"};
  return names[static_cast<std::size_t>(code)];
}

// A number to its last bit, which Python's float.fromhex reads.
inline std::string hex(double number) {
  char text[64];
  std::snprintf(text, sizeof text, "\"%a\"", number);
  return text;
}

inline std::string quoted(std::string_view text) {
  std::string found = "\"";
  for (const char each : text) {
    if (each == '"' || each == '\\') found += '\\';
    found += each;
  }
  return found + '"';
}

template <typename T, typename Show>
std::string listed(const T& values, Show show) {
  std::string text = "[";
  for (const auto& value : values) text += (text.size() > 1 ? ", " : "") + show(value);
  return text + "]";
}

inline std::string number_or_null(const std::optional<double>& number) { return number ? hex(*number) : "null"; }

inline std::string shown(const UnknownObject& object) {
  return "{\"x\": " + hex(object.x) + ", \"y\": " + hex(object.y) + ", \"width\": " + hex(object.width) + ", \"height\": " +
         hex(object.height) + ", \"area\": " + hex(object.area) + ", \"peak\": " + hex(object.peak) + ", \"class_id\": " +
         (object.class_id ? std::to_string(*object.class_id) : "null") + ", \"road_distance\": " +
         number_or_null(object.road_distance) + ", \"where\": " + quoted(object.where) + "}";
}

inline std::string shown(const Assessment& verdict) {
  const auto flag = [](std::uint8_t each) { return std::string(each != 0 ? "1" : "0"); };
  const auto text = [](std::string_view each) { return quoted(each); };
  std::string line = "{\"score\": " + hex(verdict.score) + ", \"p_value\": " + hex(verdict.p_value) + ", \"is_ood\": " +
                     (verdict.is_ood ? "true" : "false") + ", \"threshold\": " + hex(verdict.threshold) + ", \"state\": " +
                     quoted(state_name(verdict.state)) + ", \"reason\": " + quoted(verdict.reason) + ", \"is_late\": " +
                     (verdict.is_late ? "true" : "false") + ", \"stamp_ns\": " + std::to_string(verdict.stamp_ns) +
                     ", \"parts\": " + listed(verdict.parts, hex);
  if (verdict.quality.is_told) {
    line += ", \"expected_quality\": " + hex(verdict.quality.expected) + ", \"quality_low\": " + hex(verdict.quality.low) +
            ", \"quality_high\": " + hex(verdict.quality.high);
  }
  if (verdict.cause.is_told) {
    line += ", \"cause\": " + quoted(verdict.cause.cause) + ", \"cause_probability\": " + hex(verdict.cause.probability) +
            ", \"cause_set\": " + listed(verdict.cause.set, text) + ", \"severity\": " + hex(verdict.cause.severity);
  }
  if (verdict.tiles.is_told) {
    line += ", \"tiles\": " + listed(verdict.tiles.abnormal, flag) + ", \"tile_values\": " + listed(verdict.tiles.values, hex) +
            ", \"tile_words\": " + quoted(verdict.tiles.words);
  }
  if (verdict.objects.is_told) {
    line += ", \"objects\": " + listed(verdict.objects.objects, [](const UnknownObject& each) { return shown(each); }) +
            ", \"object_count\": " + (verdict.objects.count ? std::to_string(*verdict.objects.count) : "null") +
            ", \"object_words\": " + quoted(verdict.objects.words) + ", \"has_map\": " +
            (verdict.anomaly_map != nullptr ? "true" : "false");
  }
  if (!verdict.class_confidence.empty()) line += ", \"class_confidence\": " + listed(verdict.class_confidence, hex);
  std::vector<std::uint8_t> faulty;
  for (std::size_t i = 0; verdict.faulty_tiles && i < verdict.faulty_tiles->size(); ++i) {
    faulty.push_back(verdict.faulty_tiles->tiles[i] ? 1 : 0);
  }
  line += ", \"faulty_tiles\": " + (verdict.faulty_tiles ? listed(faulty, flag) : "null");
  return line + ", \"tile_faults\": " + quoted(verdict.tile_faults) + "}";
}

inline int fail(const Error& error) {
  std::printf("{\"error\": \"%s\", \"message\": %s}\n", code_name(error.code), quoted(error.message).c_str());
  return 2;
}

}  // namespace lsood::test
