// SPDX-License-Identifier: Apache-2.0
// How a frame continues the history of its camera.
#pragma once

#include <cstdint>

namespace lsood {

enum class History : std::uint8_t {
  begins,       // the first frame of the camera
  continues,    // it follows the last frame
  other_clock,  // it follows an earlier frame than the last, since two clocks stamp the frames of this camera
  repeated,     // the last frame once more, with the same stamp and the same image: it does not count twice
  after_gap,    // it begins anew: no frame came for longer than the policy looks back, or the clock went ahead by as much
  after_step,   // it begins anew: the clock was set back by more than a second, or another recording begins
};

// The word for a history, that of the Python runtime.
constexpr const char* history_name(History history) noexcept {
  constexpr const char* words[] = {"begins", "continues", "other_clock", "repeated", "after_gap", "after_step"};
  return words[static_cast<std::uint8_t>(history)];
}

}  // namespace lsood
