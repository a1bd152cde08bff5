// SPDX-License-Identifier: Apache-2.0
#include "lsood/stream_calibration.hpp"

#include <cmath>

#include "detail/failure.hpp"
#include "detail/operating_point.hpp"

namespace lsood {

CalibrationSize calibration_size(const Manifest& manifest) noexcept {
  return {manifest.calibration.scores.size(), manifest.calibration.effective_frames};
}

std::optional<double> QualityRecord::min_quality(double rate) const noexcept {
  constexpr double rounding = 1e-9;  // of a number of clean frames, as in the Python runtime
  const double rank = std::floor(rate * static_cast<double>(clean_low.size() + 1) + rounding);
  if (clean_low.empty() || !(rank >= 1)) return std::nullopt;
  return rank < static_cast<double>(clean_low.size()) ? clean_low[static_cast<std::size_t>(rank) - 1] : clean_low.back();
}

Result<QualityRule> quality_rule(const Policy& policy, const Manifest& manifest, const std::string& operating_point) noexcept {
  return detail::guarded([&] {
    if (!manifest.answers || !manifest.answers->quality) {
      detail::fail(ErrorCode::bundle,
                   "expected a bundle that tells the quality of its segmentation to watch it, this one does not: calibrate it "
                   "with --answers quality, or watch the score alone");
    }
    const QualityRecord& quality = *manifest.answers->quality;
    const double rate = detail::point_of(manifest, operating_point).false_alarm_rate;
    const CalibrationSize size = calibration_size(manifest);
    return QualityRule{policy, quality.clean_low, quality.min_quality(rate).value_or(0.0),
                       size.effective_frames / static_cast<double>(size.frames)};
  });
}

}  // namespace lsood
