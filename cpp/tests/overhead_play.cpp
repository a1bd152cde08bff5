// SPDX-License-Identifier: Apache-2.0
// What a frame costs beyond the runs of ONNX Runtime, in allocations and in time, the two taken in turn:
//
//     overhead_play BUNDLE FRAMES.raw HEIGHT WIDTH ROUNDS
//
// Prints the allocations of one round over all frames, by the monitor and by the runs alone, and the median microseconds of a
// frame of each, with that of the differences of neighbours.
#include <algorithm>
#include <chrono>
#include <cstdlib>

#include "allocations.hpp"
#include "detail/bundle.hpp"
#include "detail/frame_pass.hpp"
#include "play.hpp"

namespace {

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

template <typename Call>
double microseconds(Call call) {
  const auto start = std::chrono::steady_clock::now();
  call();
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

int main(int count, char** values) {
  using namespace lsood;
  if (count != 6) return 3;
  MonitorOptions options;
  options.threads = 1;
  auto monitor = Monitor::open(values[1], options);
  if (!monitor) return test::fail(monitor.error());
  auto opened = detail::guarded([&] { return detail::open_bundle(values[1], {}, detail::graph_names(options)); });
  if (!opened) return test::fail(opened.error());
  detail::FramePass pass(monitor->manifest(), opened->files, options);
  const std::string pixels = test::read_whole(values[2]);
  const auto height = std::atoll(values[3]), width = std::atoll(values[4]);
  const auto size = static_cast<std::size_t>(3 * height * width);
  const std::size_t frames = pixels.size() / size;
  const auto at = [&](std::size_t i) { return reinterpret_cast<const std::uint8_t*>(pixels.data()) + i * size; };
  Assessment verdict;
  const auto assess = [&](std::size_t i) { return monitor->assess(Frame{at(i), height, width, 3, 0}, verdict, 7).ok(); };
  bool all_done = true;
  for (std::size_t i = 0; i < 2 * frames; ++i) {
    all_done = all_done && assess(i % frames);
    pass.run(at(i % frames));
  }
  const long before = test::allocations;
  for (std::size_t i = 0; i < frames; ++i) all_done = all_done && assess(i);
  const long between = test::allocations;
  for (std::size_t i = 0; i < frames; ++i) pass.run(at(i));
  const long after = test::allocations;
  std::vector<double> assessed, run, beyond;
  for (int round = 0; round < std::atoi(values[5]); ++round) {
    for (std::size_t i = 0; i < frames; ++i) {
      double one = 0, other = 0;
      const auto time_run = [&] { other = microseconds([&] { pass.run(at(i)); }); };
      if (round % 2 == 0) time_run();
      one = microseconds([&] { all_done = assess(i) && all_done; });
      if (round % 2 == 1) time_run();
      assessed.push_back(one);
      run.push_back(other);
      beyond.push_back(one - other);
    }
  }
  std::printf("{\"done\": %s, \"monitor_allocations\": %ld, \"run_allocations\": %ld", all_done ? "true" : "false",
              between - before, after - between);
  if (!assessed.empty()) {
    std::printf(", \"monitor_us\": %.3f, \"run_us\": %.3f, \"beyond_us\": %.3f", median(assessed), median(run), median(beyond));
  }
  std::puts("}");
}
