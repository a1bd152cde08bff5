// SPDX-License-Identifier: Apache-2.0
#include "stream/sequence.hpp"

#include <algorithm>

namespace lsood::stream {
namespace {

constexpr int kNotLater = 3;
constexpr int kBehind = 5;

}  // namespace

void Sequence::begin(std::int64_t stamp_ns) noexcept {
  alarm->reset();
  image.reset();
  alarmed = same_stamp = false;
  time_ns = seen = ahead_ns_ = 0;
  latest_ns = previous_ns_ = stamp_ns;
  not_later_ = behind_ = 0;
}

std::optional<std::int64_t> Sequence::distance_ns(std::int64_t stamp_ns, std::int64_t longest_gap_ns) const noexcept {
  const std::int64_t ahead = stamp_ns - latest_ns;
  if (ahead < -kJitterNs || ahead > longest_gap_ns) {
    return std::nullopt;
  }
  return ahead < 0 ? -ahead : ahead;
}

StreamFault Sequence::advance(std::int64_t stamp_ns, std::int64_t interval_ns) noexcept {
  const std::int64_t rise_ns = stamp_ns - previous_ns_;
  same_stamp = rise_ns == 0;
  previous_ns_ = stamp_ns;
  not_later_ = rise_ns <= 0 ? not_later_ + 1 : 0;
  if (not_later_ >= kNotLater) {
    skip_to(stamp_ns, interval_ns);
    return same_stamp ? StreamFault::clock_still(stamp_ns) : StreamFault::clock_not_later(not_later_);
  }
  if (stamp_ns > latest_ns) {
    skip_to(stamp_ns, std::max(std::int64_t{0}, stamp_ns - latest_ns - ahead_ns_));
    return {};
  }
  ++behind_;
  if (behind_ > 1 && rise_ns > 0) {
    time_ns = later(time_ns, rise_ns);
    ahead_ns_ = later(ahead_ns_, rise_ns);
  }
  if (behind_ >= kBehind && rise_ns > 0) {
    skip_to(stamp_ns, 0);
  }
  return {};
}

void Sequence::wait(std::int64_t elapsed_ns) noexcept {
  time_ns = later(time_ns, elapsed_ns);
  ahead_ns_ = later(ahead_ns_, elapsed_ns);
}

void Sequence::skip_to(std::int64_t stamp_ns, std::int64_t elapsed_ns) noexcept {
  time_ns = later(time_ns, elapsed_ns);
  latest_ns = previous_ns_ = stamp_ns;
  behind_ = 0;
  ahead_ns_ = 0;
}

void Sequence::distrust() noexcept { not_later_ = kNotLater - 1; }

void Sequence::set_time(std::int64_t time) noexcept {
  image.shift(time - time_ns);
  time_ns = time;
}

}  // namespace lsood::stream
