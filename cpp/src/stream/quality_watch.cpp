// SPDX-License-Identifier: Apache-2.0
#include "stream/quality_watch.hpp"

#include <algorithm>
#include <cmath>

namespace lsood::stream {
namespace {

// Share of clean frames that may be as bad, the frame itself among them.
double p_value(const std::vector<double>& clean_low, double low) {
  const auto as_bad = std::upper_bound(clean_low.begin(), clean_low.end(), low) - clean_low.begin();
  return static_cast<double>(1 + as_bad) / static_cast<double>(clean_low.size() + 1);
}

}  // namespace

CalibrationSize calibration_of(const QualityRule& rule) noexcept {
  return {rule.clean_low.size(), static_cast<double>(rule.clean_low.size()) * rule.frames_worth};
}

QualityWatch::QualityWatch(const QualityRule& rule)
    : rule_(rule), clock_(rule.policy, calibration_of(rule), PictureRules{}) {}

QualityAlarm QualityWatch::take(double quality_low, const Frame& frame) noexcept {
  Sequence& sequence = frame.stamped ? *clock_.place(frame.stamp_ns, frame.index).sequence
                                     : clock_.place_unstamped(frame.stamp_ns, frame.index, frame.elapsed_ns);
  if (!frame.repeated) {
    const double low = std::isfinite(quality_low) ? quality_low : 0.0;
    const Evidence evidence{low < rule_.smallest, p_value(rule_.clean_low, low), sequence.time_ns};
    sequence.alarmed = sequence.alarm->update(evidence);
  }
  QualityAlarm result;
  result.alarm = clock_.alarmed();
  result.onset = result.alarm && !since_ns_;
  if (result.onset) {
    since_ns_ = frame.stamp_ns;
  } else if (!result.alarm) {
    since_ns_.reset();
  }
  result.since_ns = since_ns_;
  result.statistic = clock_.statistic();
  return result;
}

}  // namespace lsood::stream
