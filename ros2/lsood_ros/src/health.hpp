// SPDX-License-Identifier: Apache-2.0
// What is told of a camera in diagnostics: the worst since they were told last. Needs nothing of ROS.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "watch.hpp"

namespace lsood_ros {

// Levels of diagnostic_msgs/DiagnosticStatus.
enum class Level : std::uint8_t { ok = 0, warn = 1, error = 2 };

struct Diagnosis {
  Level level = Level::ok;
  std::string message;
  std::vector<std::pair<std::string, std::string>> values;
};

// An alarm and an invalid frame are errors, any other state that is not ok is a warning.
Level level_of(const CameraVerdict& verdict);

// Every method may be called from several threads; times are seconds of a clock that is never set.
class CameraHealth {
 public:
  // A camera is an error where no verdict came for longer than `longest_s`: reports of silence come more often than that.
  CameraHealth(double longest_s, double now_s) : longest_s_(longest_s), last_s_(now_s) {}

  void take(const CameraVerdict& verdict, double wait_ms, double now_s);

  // What went wrong with a frame beside its verdict: the error of a call, or of a publication.
  void take_error(const std::string& message, double now_s);

  void count_dropped() {
    const std::lock_guard<std::mutex> held(lock_);
    ++dropped_;
  }

  // The worst since the last call, with the numbers of the last frame; the counts are those of the camera's stream.
  Diagnosis report(const lsood::Result<lsood::CameraSummary>& summary, double now_s);

 private:
  void keep_worst(Level level, std::string message);

  std::mutex lock_;
  double longest_s_;
  double last_s_;
  bool has_told_ = true;  // whether the verdicts so far were told
  Level level_ = Level::error;
  std::string message_ = "no frame came yet";
  std::vector<std::pair<std::string, std::string>> values_;  // of the last frame
  std::int64_t dropped_ = 0, errors_ = 0;
  std::string last_error_;
};

}  // namespace lsood_ros
