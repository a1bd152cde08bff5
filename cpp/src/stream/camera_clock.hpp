// SPDX-License-Identifier: Apache-2.0
// Finds the frames that a frame of a camera follows, by its stamp.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "lsood/history.hpp"
#include "lsood/policy.hpp"
#include "stream/sequence.hpp"

namespace lsood::stream {

// Where a frame belongs.
struct Place {
  Sequence* sequence;
  History history;    // how it continues the sequence
  StreamFault fault;  // of the clock
};

// Sorts the frames of one camera into sequences, each with stamps of one clock and with an alarm of its own.
//
// A frame belongs to the sequence whose latest stamp is nearest to its own, from a second before to the longest gap after.
// Where there is none it begins a new one, so that evidence from before a gap, of another recording or of another publisher
// does not add up with its own. A standing alarm goes over to the new sequence, and to the last one where its own ends.
// All memory is taken when it is made.
class CameraClock {
 public:
  // The calibration is one that `Policy::check` accepts.
  CameraClock(const Policy& policy, const CalibrationSize& calibration, const PictureRules& pictures);

  // Finds or begins the sequence of the next frame, and goes on to its stamp; `index` is among the camera's frames.
  Place place(std::int64_t stamp_ns, std::int64_t index) noexcept;

  // Puts what has no stamp of its own behind the last frame, after the usual interval where no time is given.
  Sequence& place_unstamped(std::int64_t stamp_ns, std::int64_t index,
                            std::optional<std::int64_t> elapsed_ns = std::nullopt) noexcept;

  // Whether a stamp of 0 means that the header was not filled in: after another 0, or after a time of day.
  bool is_unset(std::int64_t stamp_ns) noexcept;

  // Usual time between two frames: the median of the last nine, three of 0.2 s before there are any.
  [[nodiscard]] std::int64_t interval_ns() const noexcept;

  [[nodiscard]] bool has_begun() const noexcept { return count_ > 0; }

  // Whether one of the sequences has an alarm.
  [[nodiscard]] bool alarmed() const noexcept;

  // Progress towards the alarm, of the sequence that is nearest to it; there is one.
  [[nodiscard]] double statistic() const noexcept;

 private:
  static constexpr std::size_t kMostSequences = 4;
  static constexpr std::size_t kIntervals = 9;
  static constexpr std::size_t kSteps = 2;

  [[nodiscard]] std::int64_t window_ns() const noexcept;
  Sequence& begin(std::int64_t stamp_ns, std::int64_t index, bool keep = false) noexcept;
  void hand_over(Sequence& giving, Sequence& taking) noexcept;
  void count_interval(std::int64_t interval_ns) noexcept;
  void see(Sequence& sequence, std::int64_t index) noexcept;
  void end_unseen(std::int64_t index) noexcept;

  double window_frames_ = 0.0, window_s_ = 0.0;       // one of them is set
  std::vector<Sequence> slots_;                       // one more than go on
  std::array<Sequence*, kMostSequences + 1> order_{};  // that go on, the last one that was seen first, then the free ones
  std::size_t count_ = 0;                             // of those that go on
  std::array<std::int64_t, kIntervals> intervals_{};  // a ring
  std::size_t known_ = 0, next_ = 0;
  std::array<std::int64_t, kSteps> steps_back_{};     // indices of the last steps back, the older first
  std::size_t steps_ = 0;
  std::int64_t last_given_ = -1;
};

}  // namespace lsood::stream
