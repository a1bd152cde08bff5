// SPDX-License-Identifier: Apache-2.0
#include "stream/cusum_constants.hpp"

#include <algorithm>
#include <cmath>

#include "detail/number_text.hpp"

namespace lsood::stream {
namespace {

constexpr std::size_t kFewestScores = 4;
constexpr double kFewestEffectiveFrames = 20.0;
constexpr double kDeviations = 2.0;

// A sum in which the rounding errors are added up as well (Neumaier 1974).
class ExactSum {
 public:
  void add(double term) noexcept {
    const double next = sum_ + term;
    lost_ += std::abs(sum_) >= std::abs(term) ? (sum_ - next) + term : (term - next) + sum_;
    sum_ = next;
  }
  [[nodiscard]] double value() const noexcept { return sum_ + lost_; }

 private:
  double sum_ = 0.0;
  double lost_ = 0.0;
};

double log_mean(const CalibrationSize& calibration) {
  const auto steps = static_cast<double>(calibration.frames + 1);
  ExactSum roots, inverses;
  for (std::size_t rank = 1; rank <= calibration.frames + 1; ++rank) {
    roots.add(std::pow(static_cast<double>(rank) / steps, -0.5));
    inverses.add(steps / static_cast<double>(rank));
  }
  const double mean = roots.value() / steps, square = inverses.value() / steps;
  const double independent = std::max(calibration.effective_frames, kFewestEffectiveFrames) - 1;
  return std::log(mean + kDeviations * std::sqrt((square - mean * mean) / independent));
}

}  // namespace

double CusumConstants::log_e_value(double p_value) const noexcept { return -0.5 * std::log(p_value) - log_mean; }

Result<CusumConstants> cusum_constants(const Cusum& rule, const CalibrationSize& calibration) {
  const double worth = static_cast<double>(calibration.frames) / std::max(calibration.effective_frames, 1.0);
  const double together = std::max(1.0, std::ceil(worth - 1e-9));
  const double frames = frames_between_false_alarms(rule);
  if (!(frames > together)) {
    return Error{ErrorCode::argument, "expected more than " + detail::number_text(together) +
                                          " frames between false alarms, since so many are equivalent to one, got " +
                                          detail::number_text(frames) + ": allow fewer false alarms"};
  }
  if (calibration.frames < kFewestScores) {
    return Error{ErrorCode::argument, "expected at least 4 calibration scores, got " +
                                          std::to_string(calibration.frames) + ": calibrate with more frames"};
  }
  return CusumConstants{std::log(frames / together), 1 / together, log_mean(calibration)};
}

}  // namespace lsood::stream
