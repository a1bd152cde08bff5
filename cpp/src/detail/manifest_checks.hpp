// SPDX-License-Identifier: Apache-2.0
// Check the values of a manifest, beyond their types; a failure names the first field that is wrong.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <type_traits>
#include <vector>

#include "detail/fields.hpp"
#include "detail/names.hpp"
#include "detail/number_text.hpp"
#include "lsood/manifest.hpp"

namespace lsood::detail {

constexpr std::int64_t kFirstWithDigest = 4;  // the first schema whose manifests have their digest beside them
constexpr std::int64_t kLargestFile = std::int64_t{8} << 30;

// The schema that a manifest states; a failure where this version does not read it.
std::int64_t schema_of(const Value& manifest);

void check_manifest(const Manifest& manifest);
void check_answers(const Manifest& manifest);
void check_thresholds_and_tolerances(const Manifest& manifest);

inline std::string shown(const std::string& text) { return "'" + text + "'"; }

template <typename T>
std::string shown(const T& number) {
  if constexpr (std::is_floating_point_v<T>) {
    return number_text(number, "%.10g");
  } else {
    return std::to_string(number);
  }
}

template <typename T>
std::string shown(const std::optional<T>& value) {
  return value ? shown(*value) : "null";
}

template <typename T>
std::string shown(const std::vector<T>& values) {
  std::string text = "[";
  for (std::size_t i = 0; i < values.size() && i < 6; ++i) text += (i == 0 ? "" : ", ") + shown(values[i]);
  return text + (values.size() > 6 ? ", ...]" : "]");
}

template <typename T>
std::string shown(const Named<T>& values) {
  std::string text = "{";
  for (std::size_t i = 0; i < values.size() && i < 6; ++i) {
    text += (i == 0 ? "" : ", ") + values[i].first + ": " + shown(values[i].second);
  }
  return text + (values.size() > 6 ? ", ...}" : "}");
}

template <typename T>
void check(const std::string& where, bool holds, const std::string& expected, const T& value) {
  if (!holds) fail_field(where, expected, shown(value));
}

template <typename T>
bool within(T least, T value, T most) {
  return least <= value && value <= most;
}

inline bool is_one_of(const std::string& text, std::initializer_list<const char*> texts) {
  for (const char* each : texts) {
    if (text == each) return true;
  }
  return false;
}

}  // namespace lsood::detail
