// SPDX-License-Identifier: Apache-2.0
// Checks for the test programs: each that fails is printed, and their number is the program's exit code.
#pragma once

#include <cstdio>

namespace lsood::test {

inline int& counted_failures() {
  static int count = 0;
  return count;
}

inline int failures() { return counted_failures() > 100 ? 100 : counted_failures(); }

inline void check(bool holds, const char* what, const char* file, int line) {
  if (holds) return;
  std::fprintf(stderr, "%s:%d: %s does not hold\n", file, line, what);
  ++counted_failures();
}

}  // namespace lsood::test

#define CHECK(condition) ::lsood::test::check(static_cast<bool>(condition), #condition, __FILE__, __LINE__)
