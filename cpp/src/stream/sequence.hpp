// SPDX-License-Identifier: Apache-2.0
// Frames of one camera by one clock, with the alarm that they add up to.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "lsood/stream_fault.hpp"
#include "stream/alarm_state.hpp"
#include "stream/observed_time.hpp"
#include "stream/picture_history.hpp"

namespace lsood::stream {

// Stamps that go back by no more than this are frames in another order, or a clock that is adjusted.
constexpr std::int64_t kJitterNs = kSecond;

// Frames that follow each other by one clock. Its time counts what was observed: it goes ahead with the stamps, stands while
// frames come in another order, and leaves out gaps and steps of the clock.
class Sequence {
 public:
  Sequence(std::unique_ptr<AlarmState> state, PictureHistory history)
      : alarm(std::move(state)), image(std::move(history)) {}

  // Begins with a frame of this stamp, and with nothing seen before it.
  void begin(std::int64_t stamp_ns) noexcept;

  // How far a stamp is from the latest; none where it cannot be that of the next frame.
  [[nodiscard]] std::optional<std::int64_t> distance_ns(std::int64_t stamp_ns, std::int64_t longest_gap_ns) const noexcept;

  // Goes on to the next frame, whose stamp fits; the result says what is wrong with the clock.
  StreamFault advance(std::int64_t stamp_ns, std::int64_t interval_ns) noexcept;

  // Lets time pass without a stamp, which the next stamp does not count once more.
  void wait(std::int64_t elapsed_ns) noexcept;

  // Takes the next stamp that is not later for a clock that goes back, since this sequence began with one.
  void distrust() noexcept;

  // Goes over to the observed time of another sequence, whose alarm this one takes over.
  void set_time(std::int64_t time_ns) noexcept;

  std::unique_ptr<AlarmState> alarm;
  PictureHistory image;
  bool alarmed = false;
  std::int64_t time_ns = 0;    // observed, from 0 on, never falling
  std::int64_t latest_ns = 0;  // the latest stamp
  bool same_stamp = false;     // whether the last frame had the stamp of the one before it
  std::int64_t seen = 0;       // index of the last frame among those of the camera

 private:
  void skip_to(std::int64_t stamp_ns, std::int64_t elapsed_ns) noexcept;

  std::int64_t previous_ns_ = 0, ahead_ns_ = 0;
  int not_later_ = 0, behind_ = 0;
};

}  // namespace lsood::stream
