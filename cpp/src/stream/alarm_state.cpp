// SPDX-License-Identifier: Apache-2.0
#include "stream/alarm_state.hpp"

#include <algorithm>
#include <cmath>

namespace lsood::stream {
namespace {

std::int64_t nanoseconds(double seconds) { return static_cast<std::int64_t>(std::nearbyint(1e9 * seconds)); }

using States = std::variant<KOfNState, HysteresisState, DurationState, CusumState>;

States begin(const Policy& policy, const CalibrationSize& calibration) {
  const Policy::Rule& rule = policy.rule();
  if (const auto* count = std::get_if<KOfN>(&rule)) {
    return KOfNState(*count);
  }
  if (const auto* hysteresis = std::get_if<Hysteresis>(&rule)) {
    return HysteresisState(*hysteresis);
  }
  if (const auto* duration = std::get_if<MinimumDuration>(&rule)) {
    return DurationState(*duration);
  }
  return CusumState(cusum_constants(*std::get_if<Cusum>(&rule), calibration).value());
}

}  // namespace

bool KOfNState::update(const Evidence& evidence) noexcept {
  count_ += static_cast<int>(evidence.is_ood) - static_cast<int>(seen_[next_]);
  seen_[next_] = evidence.is_ood;
  next_ = next_ + 1 == seen_.size() ? 0 : next_ + 1;
  statistic = static_cast<double>(count_) / k_;
  return count_ >= k_;
}

void KOfNState::reset() noexcept {
  std::fill(seen_.begin(), seen_.end(), false);
  next_ = 0;
  count_ = 0;
  statistic = 0.0;
}

bool HysteresisState::update(const Evidence& evidence) noexcept {
  alarm_ = evidence.p_value <= (alarm_ ? rule_.clear_at : rule_.raise_at);
  statistic = std::log(evidence.p_value) / std::log(rule_.raise_at);
  return alarm_;
}

void HysteresisState::reset() noexcept {
  alarm_ = false;
  statistic = 0.0;
}

DurationState::DurationState(const MinimumDuration& rule)
    : wait_ns_(nanoseconds(rule.seconds)), hold_ns_(nanoseconds(rule.hold_seconds)) {}

bool DurationState::update(const Evidence& evidence) noexcept {
  if (evidence.is_ood) {
    since_ = since_.value_or(evidence.time_ns);
    last_ = evidence.time_ns;
    const std::int64_t lasted = evidence.time_ns - *since_;
    statistic = lasted >= wait_ns_ ? 1.0 : static_cast<double>(lasted) / static_cast<double>(wait_ns_);
    alarm_ = alarm_ || lasted >= wait_ns_;
  } else {
    since_.reset();
    statistic = 0.0;
    alarm_ = alarm_ && evidence.time_ns - last_ <= hold_ns_;
  }
  return alarm_;
}

void DurationState::reset() noexcept {
  since_.reset();
  last_ = 0;
  alarm_ = false;
  statistic = 0.0;
}

bool CusumState::update(const Evidence& evidence) noexcept {
  const double next = sum_ + constants_.share * constants_.log_e_value(evidence.p_value);
  sum_ = std::min(std::max(next, 0.0), constants_.height);
  alarm_ = sum_ >= constants_.height || (alarm_ && sum_ > 0);
  statistic = sum_ / constants_.height;
  return alarm_;
}

void CusumState::reset() noexcept {
  sum_ = 0.0;
  alarm_ = false;
  statistic = 0.0;
}

AlarmState::AlarmState(const Policy& policy, const CalibrationSize& calibration)
    : state_(begin(policy, calibration)) {}

bool AlarmState::update(const Evidence& evidence) noexcept {
  return std::visit([&](auto& state) { return state.update(evidence); }, state_);
}

void AlarmState::reset() noexcept {
  std::visit([](auto& state) { state.reset(); }, state_);
}

double AlarmState::statistic() const noexcept {
  return std::visit([](const auto& state) { return state.statistic; }, state_);
}

}  // namespace lsood::stream
