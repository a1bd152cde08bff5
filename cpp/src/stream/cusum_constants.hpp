// SPDX-License-Identifier: Apache-2.0
// The constants of a CUSUM on e-values, from the calibration.
#pragma once

#include "lsood/policy.hpp"

namespace lsood::stream {

struct CusumConstants {
  double height = 0.0;    // at which the alarm is raised
  double share = 1.0;     // of its log e-value that a frame adds
  double log_mean = 0.0;  // of p**-0.5, with two standard deviations of what so few frames leave open

  [[nodiscard]] double log_e_value(double p_value) const noexcept;
};

// Infinite where they cannot be counted.
inline double frames_between_false_alarms(const Cusum& rule) noexcept {
  return 3600 * rule.hours_between_false_alarms * rule.frames_per_second;
}

// Errors: `argument` where the calibration is too small, or the alarm allows too many false ones.
Result<CusumConstants> cusum_constants(const Cusum& rule, const CalibrationSize& calibration);

}  // namespace lsood::stream
