// SPDX-License-Identifier: Apache-2.0
// Alarm policies: rules that raise and clear an alarm from the evidence of a camera's frames.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "lsood/result.hpp"

namespace lsood {

// What a policy needs of the calibration of a bundle.
struct CalibrationSize {
  std::size_t frames = 0;         // calibration scores, one a frame
  double effective_frames = 0.0;  // independent frames that they are worth, manifest.calibration.effective_frames

  // The p-value of a frame that scores above every calibration frame.
  [[nodiscard]] double smallest_p_value() const noexcept { return 1.0 / static_cast<double>(frames + 1); }
};

// Alarm while at least k of the last n frames are out of distribution.
struct KOfN {
  int k = 3;
  int n = 5;
};

// Alarm from a frame whose p-value is at most `raise_at` until one whose p-value is above `clear_at`.
struct Hysteresis {
  double raise_at = 0.01;
  double clear_at = 0.2;
};

// Alarm once all frames of `seconds` are out of distribution, until none of the last `hold_seconds` is.
struct MinimumDuration {
  double seconds = 0.5;
  double hold_seconds = 0.5;
};

// Alarm when the evidence of many frames adds up, at most once in so many hours on average for frames in distribution.
// Each frame adds the logarithm of its e-value, p**-0.5 over the mean that the calibration gives, divided by the number of
// frames that are worth one independent frame; the sum never falls below 0, and the alarm is cleared when it is back there.
struct Cusum {
  double hours_between_false_alarms = 1.0;
  double frames_per_second = 30.0;
};

// One of these rules, with numbers that make one.
class Policy {
 public:
  using Rule = std::variant<KOfN, Hysteresis, MinimumDuration, Cusum>;

  // Errors: `argument` where the numbers make no rule.
  static Result<Policy> of(const Rule& rule) noexcept;

  // Reads `3of5`, `hysteresis:0.01:0.2`, `duration:0.5`, `duration:0.5:2` or `cusum:1h@30`, as `lsood watch --alarm` does.
  // Errors: `argument` for another form, or numbers that make no rule.
  static Result<Policy> parse(std::string_view text) noexcept;

  [[nodiscard]] const Rule& rule() const noexcept { return rule_; }

  // The text that `parse` reads as the same policy, that of the Python runtime. Errors: `memory`.
  [[nodiscard]] Result<std::string> text() const noexcept;

  // Whether the calibration is large enough for the rule. Errors: `argument` where it is not.
  [[nodiscard]] Result<void> check(const CalibrationSize& calibration) const noexcept;

  // Frames until the alarm, where all are out of distribution and score above every calibration frame.
  // Errors: as of `check`, and a frame rate that is not above 0.
  [[nodiscard]] Result<std::int64_t> delay_frames(const CalibrationSize& calibration,
                                                  double frames_per_second) const noexcept;

  // Seconds over which evidence adds up: after a longer time without a frame the stream begins anew. Errors: as before.
  [[nodiscard]] Result<double> window_s(const CalibrationSize& calibration,
                                        double frames_per_second) const noexcept;

 private:
  explicit Policy(const Rule& rule) : rule_(rule) {}
  Rule rule_;
};

}  // namespace lsood
