// SPDX-License-Identifier: Apache-2.0
// Reads and verifies bundles, without a session: a line for each, `ok` or the code of the error and its message.
#include <cstdio>

#include "detail/bundle.hpp"
#include "detail/names.hpp"
#include "play.hpp"

int main(int count, char** values) {
  using namespace lsood;
  for (int i = 1; i < count; ++i) {
    const auto opened = detail::guarded([&] {
      return detail::open_bundle(values[i], {}, {detail::kSegmentationFile, detail::kDetectorFile}).golden.count;
    });
    if (opened) {
      std::puts("ok");
    } else {
      std::printf("%s: %s\n", test::code_name(opened.error().code), opened.error().message.c_str());
    }
  }
}
