// SPDX-License-Identifier: Apache-2.0
// State of a policy for the frames of one camera.
#pragma once

#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include "lsood/policy.hpp"
#include "stream/cusum_constants.hpp"

namespace lsood::stream {

// Evidence of one frame.
struct Evidence {
  bool is_ood;           // out of distribution, no valid frame, or of low quality
  double p_value;        // in (0, 1]; the smallest that the calibration can give where there is no valid frame
  std::int64_t time_ns;  // observed time, never falling
};

class KOfNState {
 public:
  explicit KOfNState(const KOfN& rule) : k_(rule.k), seen_(static_cast<std::size_t>(rule.n)) {}
  bool update(const Evidence& evidence) noexcept;
  void reset() noexcept;
  double statistic = 0.0;

 private:
  int k_, count_ = 0;
  std::vector<bool> seen_;  // a ring of the last n frames
  std::size_t next_ = 0;
};

class HysteresisState {
 public:
  explicit HysteresisState(const Hysteresis& rule) : rule_(rule) {}
  bool update(const Evidence& evidence) noexcept;
  void reset() noexcept;
  double statistic = 0.0;

 private:
  Hysteresis rule_;
  bool alarm_ = false;
};

class DurationState {
 public:
  explicit DurationState(const MinimumDuration& rule);
  bool update(const Evidence& evidence) noexcept;
  void reset() noexcept;
  double statistic = 0.0;

 private:
  std::int64_t wait_ns_, hold_ns_;
  std::optional<std::int64_t> since_;
  std::int64_t last_ = 0;
  bool alarm_ = false;
};

class CusumState {
 public:
  explicit CusumState(const CusumConstants& constants) : constants_(constants) {}
  bool update(const Evidence& evidence) noexcept;
  void reset() noexcept;
  double statistic = 0.0;

 private:
  CusumConstants constants_;
  double sum_ = 0.0;
  bool alarm_ = false;
};

// The state of whichever policy it is.
class AlarmState {
 public:
  // The calibration is one that `Policy::check` accepts.
  AlarmState(const Policy& policy, const CalibrationSize& calibration);

  // Takes the next frame in; the result is whether there is an alarm.
  bool update(const Evidence& evidence) noexcept;

  // Begins anew, as for a camera that has sent nothing yet.
  void reset() noexcept;

  // Progress towards the alarm, which is raised at 1.
  [[nodiscard]] double statistic() const noexcept;

 private:
  std::variant<KOfNState, HysteresisState, DurationState, CusumState> state_;
};

}  // namespace lsood::stream
