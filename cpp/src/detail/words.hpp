// SPDX-License-Identifier: Apache-2.0
// Append words and numbers to a text whose memory stays: once it has grown, nothing is allocated.
#pragma once

#include <charconv>
#include <string>
#include <string_view>
#include <type_traits>

#include "detail/number_text.hpp"

namespace lsood::detail {

// A number in a form of printf's, such as "%.6g".
struct Formatted {
  const char* form;
  double number;
};

inline void append_one(std::string& text, std::string_view words) { text += words; }

inline void append_one(std::string& text, const Formatted& value) {
  NumberText digits;
  text += write_number(digits, value.number, value.form);
}

template <typename T, std::enable_if_t<std::is_integral_v<T>, int> = 0>
void append_one(std::string& text, T number) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  text.append(digits, static_cast<std::size_t>(end - digits));
}

template <typename... Each>
void append(std::string& text, const Each&... each) {
  (append_one(text, each), ...);
}

}  // namespace lsood::detail
