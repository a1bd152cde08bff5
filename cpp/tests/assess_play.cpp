// SPDX-License-Identifier: Apache-2.0
// Assesses raw frames and prints each verdict as a line of JSON:
//
//     assess_play BUNDLE FRAMES.raw HEIGHT WIDTH CHANNELS [NAME=VALUE ...]
#include <cstdint>

#include "play.hpp"

int main(int count, char** values) {
  if (count < 6) return 3;
  const auto options = lsood::test::monitor_options({values + 6, values + count});
  if (!options) return lsood::test::fail(options.error());
  auto monitor = lsood::Monitor::open(values[1], options.value());
  if (!monitor) return lsood::test::fail(monitor.error());
  const std::string pixels = lsood::test::read_whole(values[2]);
  lsood::Frame frame;
  frame.height = std::atoll(values[3]);
  frame.width = std::atoll(values[4]);
  frame.channels = std::atoll(values[5]);
  const auto size = static_cast<std::size_t>(frame.height * frame.width * frame.channels);
  lsood::Assessment verdict;
  for (std::size_t place = 0; place + size <= pixels.size(); place += size) {
    frame.data = reinterpret_cast<const std::uint8_t*>(pixels.data()) + place;
    const auto done = monitor->assess(frame, verdict, 7);
    if (!done) return lsood::test::fail(done.error());
    std::puts(lsood::test::shown(verdict).c_str());
  }
}
