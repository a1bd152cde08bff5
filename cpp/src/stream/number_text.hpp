// SPDX-License-Identifier: Apache-2.0
// Numbers as messages show them.
#pragma once

#include <cstdio>
#include <string>

namespace lsood::stream {

// A number by a format of one double, such as "%g" or "%.1f".
inline std::string number_text(double number, const char* format = "%g") {
  char text[352];  // "%.1f" of the largest double has 311 characters
  std::snprintf(text, sizeof text, format, number);
  return text;
}

}  // namespace lsood::stream
