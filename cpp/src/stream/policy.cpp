// SPDX-License-Identifier: Apache-2.0
#include "lsood/policy.hpp"

#include <cmath>

#include "detail/failure.hpp"
#include "detail/number_text.hpp"
#include "stream/cusum_constants.hpp"

namespace lsood {
namespace {

using detail::guarded;
using detail::number_text;
using detail::read_back_text;
using stream::frames_between_false_alarms;

constexpr int kMostFrames = 1'000'000;
constexpr double kLongestS = 1e9;

template <typename... Cases>
struct Overload : Cases... {
  using Cases::operator()...;
};
template <typename... Cases>
Overload(Cases...) -> Overload<Cases...>;

Error refused(std::string message) { return Error{ErrorCode::argument, std::move(message)}; }

bool is_positive(double number) { return number > 0 && std::isfinite(number); }

Result<void> check_rule(const KOfN& rule) {
  if (1 <= rule.k && rule.k <= rule.n && rule.n <= kMostFrames) {
    return {};
  }
  return refused("expected 1 <= k <= n <= 1000000, got k = " + std::to_string(rule.k) +
                 " and n = " + std::to_string(rule.n) + ": 3 and 5 are the defaults");
}

Result<void> check_rule(const Hysteresis& rule) {
  if (0 < rule.raise_at && rule.raise_at < rule.clear_at && rule.clear_at < 1) {
    return {};
  }
  return refused("expected 0 < raise_at < clear_at < 1, got " + number_text(rule.raise_at) + " and " +
                 number_text(rule.clear_at) + ": 0.01 and 0.2 are the defaults");
}

Result<void> check_rule(const MinimumDuration& rule) {
  for (const double seconds : {rule.seconds, rule.hold_seconds}) {
    if (!(0 <= seconds && seconds <= kLongestS)) {
      return refused("expected durations of at least 0 s and at most 1e+09 s, got " + number_text(seconds) +
                     ": 0.5 is the default");
    }
  }
  return {};
}

Result<void> check_rule(const Cusum& rule) {
  for (const double number : {rule.hours_between_false_alarms, rule.frames_per_second}) {
    if (!is_positive(number)) {
      return refused("expected a time and a frame rate above 0, got " + number_text(number) +
                     ": 1 h and 30 frames/s are the defaults");
    }
  }
  if (!std::isfinite(frames_between_false_alarms(rule))) {
    return refused("expected frames between false alarms that can be counted, got " +
                   number_text(rule.hours_between_false_alarms) + " h at " + number_text(rule.frames_per_second) +
                   " a second: 1 h and 30 frames/s are the defaults");
  }
  return {};
}

Result<double> checked_rate(double frames_per_second) {
  if (!is_positive(frames_per_second)) {
    return refused("expected frames a second above 0, got " + number_text(frames_per_second) +
                   ": pass the camera's");
  }
  return frames_per_second;
}

}  // namespace

Result<Policy> Policy::of(const Rule& rule) noexcept {
  return guarded([&]() -> Result<Policy> {
    const Result<void> checked = std::visit([](const auto& each) { return check_rule(each); }, rule);
    if (!checked) {
      return checked.error();
    }
    return Policy(rule);
  });
}

Result<std::string> Policy::text() const noexcept {
  return guarded([&] {
    return std::visit(
        Overload{[](const KOfN& rule) { return std::to_string(rule.k) + "of" + std::to_string(rule.n); },
                 [](const Hysteresis& rule) {
                   return "hysteresis:" + read_back_text(rule.raise_at) + ":" + read_back_text(rule.clear_at);
                 },
                 [](const MinimumDuration& rule) {
                   const bool same = rule.hold_seconds == rule.seconds;
                   return "duration:" + read_back_text(rule.seconds) + (same ? "" : ":" + read_back_text(rule.hold_seconds));
                 },
                 [](const Cusum& rule) {
                   return "cusum:" + read_back_text(rule.hours_between_false_alarms) + "h@" +
                          read_back_text(rule.frames_per_second);
                 }},
        rule_);
  });
}

Result<void> Policy::check(const CalibrationSize& calibration) const noexcept {
  return guarded([&]() -> Result<void> {
    const double smallest = calibration.smallest_p_value();
    if (const auto* hysteresis = std::get_if<Hysteresis>(&rule_); hysteresis && smallest > hysteresis->raise_at) {
      return refused("expected p-values down to " + number_text(hysteresis->raise_at) + ", " +
                     std::to_string(calibration.frames) + " calibration scores give none below " +
                     number_text(smallest, "%.2g") + ": calibrate with more frames, or increase raise_at");
    }
    if (const auto* cusum = std::get_if<Cusum>(&rule_)) {
      const Result<stream::CusumConstants> constants = stream::cusum_constants(*cusum, calibration);
      if (!constants) {
        return constants.error();
      }
    }
    return {};
  });
}

Result<std::int64_t> Policy::delay_frames(const CalibrationSize& calibration, double frames_per_second) const noexcept {
  return guarded([&]() -> Result<std::int64_t> {
    using Frames = Result<std::int64_t>;
    if (const Result<void> checked = check(calibration); !checked) {
      return checked.error();
    }
    return std::visit(
        Overload{[](const KOfN& rule) -> Frames { return std::int64_t{rule.k}; },
                 [](const Hysteresis&) -> Frames { return std::int64_t{1}; },
                 [&](const MinimumDuration& rule) -> Frames {
                   const Result<double> rate = checked_rate(frames_per_second);
                   if (!rate) {
                     return rate.error();
                   }
                   const double frames = std::ceil(rule.seconds * rate.value() - 1e-9) + 1;
                   if (!(frames < 9e18)) {
                     return refused("expected a delay that can be counted, got " + number_text(frames) +
                                    " frames: pass the camera's frame rate");
                   }
                   return static_cast<std::int64_t>(frames);
                 },
                 [&](const Cusum& rule) -> Frames {
                   const stream::CusumConstants each = stream::cusum_constants(rule, calibration).value();
                   const double step = each.share * each.log_e_value(calibration.smallest_p_value());
                   return static_cast<std::int64_t>(std::ceil(each.height / step - 1e-9));
                 }},
        rule_);
  });
}

Result<double> Policy::window_s(const CalibrationSize& calibration, double frames_per_second) const noexcept {
  return guarded([&]() -> Result<double> {
    const Result<double> rate = checked_rate(frames_per_second);
    if (!rate) {
      return rate.error();
    }
    if (const auto* duration = std::get_if<MinimumDuration>(&rule_)) {
      return duration->seconds;
    }
    if (const auto* count = std::get_if<KOfN>(&rule_)) {
      return count->n / rate.value();
    }
    const Result<std::int64_t> frames = delay_frames(calibration, rate.value());
    if (!frames) {
      return frames.error();
    }
    return static_cast<double>(frames.value()) / rate.value();
  });
}

}  // namespace lsood
