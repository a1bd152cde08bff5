// SPDX-License-Identifier: Apache-2.0
// Arithmetic of times in nanoseconds that ends at the largest number instead of overflowing: after 292 years.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

namespace lsood::stream {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kEndOfTime = std::numeric_limits<std::int64_t>::max();

// The sum of a time and of a duration, none of them below 0.
constexpr std::int64_t later(std::int64_t time_ns, std::int64_t by_ns) noexcept {
  return time_ns > kEndOfTime - by_ns ? kEndOfTime : time_ns + by_ns;
}

// A number of nanoseconds as an integer, that which it is rounded to before the call; none below 0.
inline std::int64_t whole(double nanoseconds) noexcept {
  return nanoseconds >= 9223372036854775807.0 ? kEndOfTime : static_cast<std::int64_t>(nanoseconds);
}

// Nanoseconds as seconds.
inline double seconds(std::int64_t nanoseconds) noexcept { return static_cast<double>(nanoseconds) / 1e9; }

// How many intervals a time has, rounded up.
inline std::int64_t intervals_in(std::int64_t time_ns, std::int64_t interval_ns) noexcept {
  return whole(std::ceil(static_cast<double>(time_ns) / static_cast<double>(interval_ns)));
}

}  // namespace lsood::stream
