// SPDX-License-Identifier: Apache-2.0
// Assesses raw frames with one bundle after another, each monitor closed before the next one opens, into one assessment, and
// prints the verdicts of the last bundle as lines of JSON:
//
//     reuse_play FRAMES.raw HEIGHT WIDTH BUNDLE BUNDLE ...
#include <cstdint>

#include "play.hpp"

int main(int count, char** values) {
  if (count < 5) return 3;
  const std::string pixels = lsood::test::read_whole(values[1]);
  lsood::Frame frame;
  frame.height = std::atoll(values[2]);
  frame.width = std::atoll(values[3]);
  const auto size = static_cast<std::size_t>(frame.height * frame.width * frame.channels);
  lsood::Assessment verdict;
  for (int i = 4; i < count; ++i) {
    auto monitor = lsood::Monitor::open(values[i], lsood::test::monitor_options({}).value());
    if (!monitor) return lsood::test::fail(monitor.error());
    for (std::size_t place = 0; place + size <= pixels.size(); place += size) {
      frame.data = reinterpret_cast<const std::uint8_t*>(pixels.data()) + place;
      if (const auto done = monitor->assess(frame, verdict, 7); !done) return lsood::test::fail(done.error());
      if (i + 1 == count) std::puts(lsood::test::shown(verdict).c_str());
    }
  }
}
