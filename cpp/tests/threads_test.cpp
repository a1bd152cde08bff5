// SPDX-License-Identifier: Apache-2.0
// Monitors serve several threads as their documentation allows, and give each frame the verdict that one thread gives it: a
// monitor a thread, one monitor behind a lock, and one that scores what other threads receive, report and ask for:
//
//     threads_test BUNDLE FRAMES.raw HEIGHT WIDTH THREADS [unlocked]
//
// Each monitor has so many threads of ONNX Runtime. With the last word the lock is left out, as no user may: by it a test shows
// that the sanitizer of threads would see that.
#include <mutex>
#include <thread>

#include "check.hpp"
#include "lsood/frame_verdict.hpp"
#include "lsood/latest_frames.hpp"
#include "lsood/lsood.h"
#include "lsood/stream_calibration.hpp"
#include "play.hpp"

namespace {

using lsood::Assessment;
using lsood::Monitor;

constexpr std::size_t kThreads = 3;

lsood::MonitorOptions options;  // of every monitor

struct Frames {
  std::string pixels;
  std::int64_t height, width;

  [[nodiscard]] std::size_t size() const { return static_cast<std::size_t>(3 * height * width); }
  [[nodiscard]] std::size_t count() const { return pixels.size() / size(); }
  [[nodiscard]] lsood::Frame at(std::size_t i) const {
    return {reinterpret_cast<const std::uint8_t*>(pixels.data()) + i * size(), height, width, 3, 0};
  }
};

// Runs an act in several threads at once, which are told their numbers.
template <typename Act>
void together(Act act) {
  std::vector<std::thread> threads;
  for (std::size_t number = 0; number < kThreads; ++number) threads.emplace_back([&act, number] { act(number); });
  for (std::thread& each : threads) each.join();
}

std::string verdict_text(Monitor& monitor, const lsood::Frame& frame, Assessment& verdict) {
  const auto done = monitor.assess(frame, verdict, 7);
  return done ? lsood::test::shown(verdict) : done.error().message;
}

std::vector<std::string> expected_texts(const std::string& bundle, const Frames& frames) {
  auto monitor = Monitor::open(bundle, options);
  CHECK(monitor.ok());
  std::vector<std::string> texts;
  Assessment verdict;
  for (std::size_t i = 0; monitor && i < frames.count(); ++i) {
    texts.push_back(verdict_text(monitor.value(), frames.at(i), verdict));
  }
  return texts;
}

// Each opened, used, tested and closed while the others are.
void a_monitor_for_each_thread(const std::string& bundle, const Frames& frames, const std::vector<std::string>& expected) {
  std::mutex lock;  // of the checks
  together([&](std::size_t) {
    auto monitor = Monitor::open(bundle, options);
    Assessment verdict;
    std::vector<std::string> found;
    for (std::size_t i = 0; monitor && i < frames.count(); ++i) {
      found.push_back(verdict_text(monitor.value(), frames.at(i), verdict));
    }
    const bool is_tested = monitor && monitor->self_test().ok();
    const std::lock_guard<std::mutex> held(lock);
    CHECK(is_tested && found == expected);
  });
}

void one_monitor(const std::string& bundle, const Frames& frames, const std::vector<std::string>& expected, bool is_locked) {
  auto monitor = Monitor::open(bundle, options);
  CHECK(monitor.ok());
  std::mutex lock;
  together([&](std::size_t number) {
    Assessment verdict;
    for (std::size_t i = 0; i < frames.count(); ++i) {
      const std::size_t frame = (i + 5 * number) % frames.count();
      std::unique_lock<std::mutex> held(lock, std::defer_lock);
      if (is_locked) held.lock();
      CHECK(verdict_text(monitor.value(), frames.at(frame), verdict) == expected[frame]);
    }
  });
}

// Cameras hand over frames in threads of their own, one thread scores and follows them, another one looks for silent ones.
void cameras_around_a_monitor(const std::string& bundle, const Frames& frames) {
  auto monitor = Monitor::open(bundle, options);
  CHECK(monitor.ok());
  const lsood::Manifest& manifest = monitor->manifest();
  const auto policy = lsood::Policy::parse("2of3").value();
  lsood::StreamOptions watched;
  if (auto rule = lsood::quality_rule(policy, manifest, monitor->operating_point())) watched.quality = std::move(rule).value();
  auto stream = lsood::CameraStream::open(policy, lsood::calibration_size(manifest), watched).value();
  lsood::LatestFrames<std::size_t> waiting;
  constexpr const char* names[kThreads] = {"front", "rear", "left"};
  std::int64_t scored = 0;
  std::thread worker([&] {
    Assessment verdict;
    while (const auto taken = waiting.take()) {
      const lsood::Frame frame = frames.at(taken->second);
      const bool done = monitor->assess(frame, verdict, {}, /*judge_tiles=*/false).ok();
      const auto found = stream.follow(lsood::frame_verdict(verdict), {}, lsood::image_digest(frame), taken->first);
      if (done && found && lsood::take_in(found.value(), verdict)) ++scored;
    }
  });
  std::thread watcher([&] {
    for (int i = 0; i < 50; ++i) {
      const auto silent = stream.silent({}, 0.0, {"front", "right"});
      if (silent) static_cast<void>(stream.report_silent("right"));
      for (const char* name : names) static_cast<void>(stream.summary(name));
    }
  });
  together([&](std::size_t number) {
    for (std::size_t i = 0; i < frames.count(); ++i) static_cast<void>(waiting.put(names[number], i));
  });
  waiting.close();
  worker.join();
  watcher.join();
  CHECK(scored + waiting.dropped() == static_cast<std::int64_t>(kThreads * frames.count()));
}

// By the C interface, whose messages are each thread's own.
void handles_of_c(const std::string& bundle, const Frames& frames) {
  std::mutex lock;
  together([&](std::size_t number) {
    const std::string threads = "threads=" + std::to_string(options.threads);
    const char* words[] = {threads.c_str(), "deadline_ms=none"};
    lsood_monitor* monitor = nullptr;
    const int refused = lsood_open(bundle.c_str(), words, 2, &monitor);
    const bool has_message = std::string(lsood_error()).find("expected a number") == 0;
    const int opened = lsood_open(bundle.c_str(), words, 1, &monitor);
    const lsood::Frame given = frames.at(number % frames.count());
    const lsood_frame frame{given.data, given.height, given.width, given.channels, given.stride};
    const lsood_assessment* verdict = nullptr;
    const int assessed = lsood_assess(monitor, &frame, 7, &verdict);
    lsood_close(monitor);
    const std::lock_guard<std::mutex> held(lock);
    CHECK(refused == LSOOD_ARGUMENT && has_message && opened == LSOOD_DONE && assessed == LSOOD_DONE);
  });
}

}  // namespace

int main(int count, char** values) {
  if (count != 6 && count != 7) return 3;
  const std::string bundle = values[1];
  const Frames frames{lsood::test::read_whole(values[2]), std::atoll(values[3]), std::atoll(values[4])};
  options.threads = std::atoi(values[5]);
  const std::vector<std::string> expected = expected_texts(bundle, frames);
  if (lsood::test::failures() > 0) return lsood::test::failures();
  one_monitor(bundle, frames, expected, count == 6);
  a_monitor_for_each_thread(bundle, frames, expected);
  cameras_around_a_monitor(bundle, frames);
  handles_of_c(bundle, frames);
  return lsood::test::failures();
}
