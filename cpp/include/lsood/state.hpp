// SPDX-License-Identifier: Apache-2.0
// The state of a frame.
#pragma once

#include <cstdint>

namespace lsood {

// The least grave first: of several that apply, a frame has the gravest.
enum class State : std::uint8_t {
  ok,                   // in distribution
  late,                 // in distribution, but the verdict came after the deadline
  low_quality,          // in distribution, but the expected quality may be below the smallest one that was asked for
  out_of_distribution,  // the score is above the threshold
  invalid,              // not a frame of a working camera, or no finite score: treat it as out of distribution
};

// The word for a state, that of the Python runtime.
constexpr const char* state_name(State state) noexcept {
  constexpr const char* words[] = {"ok", "late", "low_quality", "out_of_distribution", "invalid"};
  return words[static_cast<std::uint8_t>(state)];
}

}  // namespace lsood
