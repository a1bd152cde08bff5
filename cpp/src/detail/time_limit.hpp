// SPDX-License-Identifier: Apache-2.0
// End runs of ONNX Runtime that together take longer than a limit.
#pragma once

#include <onnxruntime_cxx_api.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace lsood::detail {

// Runs with its options end with an error once the time from its construction on is over, at their next node. Whether it is over
// the clock decides: the thread that tells runs to end may come late.
class TimeLimit {
 public:
  explicit TimeLimit(double seconds)
      : end_(Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds))),
        watch_([this] {
          std::unique_lock lock(mutex_);
          if (!over_.wait_until(lock, end_, [this] { return is_done_; })) options_.SetTerminate();
        }) {}

  ~TimeLimit() {
    {
      const std::lock_guard lock(mutex_);
      is_done_ = true;
    }
    over_.notify_one();
    watch_.join();
  }
  TimeLimit(const TimeLimit&) = delete;
  TimeLimit& operator=(const TimeLimit&) = delete;

  [[nodiscard]] const OrtRunOptions* options() const { return options_; }
  [[nodiscard]] bool is_over() const { return Clock::now() >= end_; }

 private:
  using Clock = std::chrono::steady_clock;

  Clock::time_point end_;
  Ort::RunOptions options_;
  std::mutex mutex_;
  std::condition_variable over_;
  bool is_done_ = false;
  std::thread watch_;  // last: it uses the others
};

}  // namespace lsood::detail
