// SPDX-License-Identifier: Apache-2.0
// Read a decimal number, in every locale alike.
#pragma once

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <limits>
#include <string_view>

namespace lsood::detail {

// Place of the first digit that is not 0, in powers of ten, as far as an int64 of reasonable size goes.
inline std::int64_t magnitude_of(std::string_view text) {
  constexpr std::int64_t most = 1'000'000'000;
  const std::size_t mark = std::min(text.find_first_of("eE"), text.size());
  std::int64_t exponent = 0;
  if (mark < text.size()) {
    std::string_view written = text.substr(mark + 1);
    if (written.substr(0, 1) == "+") written.remove_prefix(1);
    const auto read = std::from_chars(written.data(), written.data() + written.size(), exponent);
    if (read.ec == std::errc::result_out_of_range) exponent = written.front() == '-' ? -most : most;
    exponent = std::clamp(exponent, -most, most);
  }
  const std::string_view digits = text.substr(0, mark);
  const std::size_t point = std::min(digits.find('.'), digits.size()), first = digits.find_first_of("123456789");
  if (first == std::string_view::npos) return -most;
  return exponent + static_cast<std::int64_t>(point) - static_cast<std::int64_t>(first);
}

// The number nearest to what a text says, which must be a decimal number: infinite beyond the largest double, 0 below the smallest.
inline double decimal(std::string_view text) {
  double value = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  if (read.ec != std::errc::result_out_of_range) return value;
  const double size = magnitude_of(text) > 0 ? std::numeric_limits<double>::infinity() : 0.0;
  return text.front() == '-' ? -size : size;
}

}  // namespace lsood::detail
