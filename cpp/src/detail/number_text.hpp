// SPDX-License-Identifier: Apache-2.0
// Numbers as messages show them: as printf writes them in the C locale, whatever that of the process is.
#pragma once

#include <charconv>
#include <cmath>
#include <limits>
#include <string>
#include <string_view>

namespace lsood::detail {

using NumberText = char[352];  // "%.1f" of the largest double has 311 characters

inline std::string_view write_digits(NumberText& into, double number, std::chars_format kind, int precision) {
  const auto end = std::to_chars(into, into + sizeof into, number, kind, precision).ptr;
  return {into, static_cast<std::size_t>(end - into)};
}

// Writes a number by a form of one double, such as "%g" or "%.1f". Of one that is none no sign is told, as in Python.
inline std::string_view write_number(NumberText& into, double number, const char* form) {
  if (std::isnan(number)) return "nan";
  const char* rest = form + 1;
  int precision = 6;
  if (*rest == '.') {
    for (precision = 0, ++rest; *rest >= '0' && *rest <= '9'; ++rest) precision = 10 * precision + (*rest - '0');
  }
  return write_digits(into, number, *rest == 'f' ? std::chars_format::fixed : std::chars_format::general, precision);
}

inline std::string number_text(double number, const char* form = "%g") {
  NumberText digits;
  return std::string(write_number(digits, number, form));
}

// A finite number with as few digits as give the same number when they are read, and six where fewer do, as the Python runtime
// writes the numbers of a policy.
inline std::string read_back_text(double number) {
  NumberText digits;
  std::string_view text;
  for (int precision = 6; precision <= std::numeric_limits<double>::max_digits10; ++precision) {
    text = write_digits(digits, number, std::chars_format::general, precision);
    double read = 0;
    std::from_chars(text.data(), text.data() + text.size(), read);
    if (read == number) break;
  }
  return std::string(text);
}

}  // namespace lsood::detail
