// SPDX-License-Identifier: Apache-2.0
// Follows cameras over time: alarms, clocks, frozen and silent cameras, a fall of the expected quality.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lsood/history.hpp"
#include "lsood/image_digest.hpp"
#include "lsood/policy.hpp"
#include "lsood/result.hpp"
#include "lsood/state.hpp"
#include "lsood/stream_fault.hpp"
#include "lsood/tile_mask.hpp"

namespace lsood {

// The verdict on one frame alone, as far as it takes part in an alarm; by default that on a frame without an image.
struct FrameVerdict {
  State state = State::invalid;
  double p_value = std::numeric_limits<double>::quiet_NaN();      // in (0, 1]; NaN where the score is not finite
  double quality_low = std::numeric_limits<double>::quiet_NaN();  // lower end of the expected quality; NaN where unknown
  std::optional<TileMask> faulty_tiles;  // without a picture of their own; none where they were not looked at
};

// Whether the expected quality of a camera's frames raises an alarm.
struct QualityAlarm {
  bool alarm = false;
  bool onset = false;                    // whether this frame raised it
  std::optional<std::int64_t> since_ns;  // stamp of the frame that raised it; none without an alarm
  double statistic = 0.0;                // progress towards the alarm, which the policy raises at 1
};

// The verdict on a frame, and whether the frames of its camera raise an alarm.
struct StreamAssessment {
  State state = State::invalid;          // of the frame; invalid too where its camera or its clock does not work
  StreamFault fault;                     // why the stream calls it invalid; none where it does not, or the frame was before
  std::optional<TileMask> faulty_tiles;  // without a picture of their own, the frozen ones as well
  bool has_faulty_part = false;          // they are as many as the check of tiles names, in this frame alone or in several
  std::string_view camera;               // the text of the call: valid as long as that is
  std::int64_t index = 0;                // frames that the camera sent before this one
  std::int64_t stamp_ns = 0;             // of the frame; the time of receipt where there was none
  bool alarm = false;
  bool onset = false;                    // whether this frame raised it
  std::optional<std::int64_t> since_ns;  // stamp of the frame that raised it; none without an alarm
  double statistic = 0.0;                // progress towards the alarm, which the policy raises at 1
  History history = History::begins;
  std::optional<QualityAlarm> quality;  // none where it is not watched

  // Whether the history began anew; an alarm that stood before stands until its own rule clears it.
  [[nodiscard]] bool restarted() const noexcept {
    return history == History::after_gap || history == History::after_step;
  }
};

// Counts of the frames of one camera, and of what was wrong with them.
struct CameraSummary {
  std::int64_t frames = 0;        // that came, those that never became an image included
  std::int64_t invalid = 0;       // for any reason, reports of silence included
  std::int64_t frozen = 0;        // frames of a camera that sends the same image again and again
  std::int64_t faulty_tiles = 0;  // frames of which many tiles had no picture, or were frozen
  std::int64_t clock_faults = 0;  // frames whose stamp no working clock gives
  std::int64_t repeated = 0;      // frames that came twice, and count once
  std::int64_t gaps = 0;          // after which the history began anew
  std::int64_t steps = 0;         // of the clock, after which the history began anew
  std::int64_t other_clock = 0;   // frames by another clock than that of the frame before
  std::int64_t silent = 0;        // reports that the camera sends nothing
  std::int64_t alarms = 0;        // that were raised
  std::int64_t quality_alarms = 0;
};

// A camera that sends nothing.
struct SilentCamera {
  std::string camera;
  double age_s = 0.0;  // since its last frame; infinite where none ever came
};

// The time of receipt, by two clocks of this machine.
struct Receipt {
  std::int64_t epoch_ns = 0;  // since 1970: the stamp of a frame that has none
  double steady_s = 0.0;      // of a clock that is never set: for the age of cameras

  static Receipt now() noexcept;
};

// The rule by which the expected quality is watched.
struct QualityRule {
  Policy policy;
  std::vector<double> clean_low;  // ascending: of clean frames the lower ends, manifest.answers.quality.clean_low
  double smallest = 0.0;          // a frame of a lower quality counts as out of distribution does for the score
  double frames_worth = 1.0;      // independent frames that a calibration frame is worth
};

struct StreamOptions {
  std::optional<double> frozen_after_s = 1.0;  // without a new image, and of three images at least; none for never
  double frozen_tolerance = 1.0 / 32;          // share of an image's tiles that may change without making it new
  std::size_t max_cameras = 1000;              // for one more, the one that is quiet and unseen for longest is forgotten
  std::optional<TileCheck> tile_check = TileCheck{};
  std::optional<QualityRule> quality;
  Receipt (*clock)() noexcept = Receipt::now;  // another one in tests
};

// Keeps the state of each camera. A camera's alarms depend on its frames and stamps alone, in the order in which they come: a
// recorded drive replays them. Every method may be called from several threads. Memory is taken for the first frame of a
// camera, 350 KB; frames after it take none.
class CameraStream {
 public:
  // Errors: `argument` where the calibration is too small for the policy, or a number is out of range.
  static Result<CameraStream> open(const Policy& policy, const CalibrationSize& calibration,
                                   const StreamOptions& options = {}) noexcept;

  CameraStream(CameraStream&&) noexcept;
  CameraStream& operator=(CameraStream&&) noexcept;
  ~CameraStream();

  // Adds the verdict on a frame to what is known of its camera.
  //
  // The stamp is in nanoseconds on a clock of the camera's; none for the time of receipt, and so is 0 after another 0 or after
  // a time of day, since a header that is not filled in has it. The image is that of `image_digest` of the raw frame; none where there is none.
  // Errors: `memory`, for the first frame of a camera.
  Result<StreamAssessment> follow(const FrameVerdict& verdict, std::optional<std::int64_t> stamp_ns,
                                  const std::optional<ImageDigest>& image, std::string_view camera = "camera") noexcept;

  // Finds the cameras that have sent nothing for longer than `max_age_s`; call it by a timer. `now_ns` is on the clock of the
  // stamps, for a drive that is replayed; none for the time since frames were received. Those that are expected and never sent
  // anything are silent as well. Errors: `argument` for an age or a time below 0.
  Result<std::vector<SilentCamera>> silent(std::optional<std::int64_t> now_ns = std::nullopt, double max_age_s = 1.0,
                                           const std::vector<std::string>& expected = {}) const noexcept;

  // Counts a camera that `silent` found as invalid until now, which takes part in its alarm. Errors: `argument` for a time
  // below 0.
  Result<StreamAssessment> report_silent(std::string_view camera = "camera",
                                         std::optional<std::int64_t> now_ns = std::nullopt) noexcept;

  // What a camera has sent so far. Errors: `camera` where it has sent nothing, and so of the next two.
  [[nodiscard]] Result<CameraSummary> summary(std::string_view camera = "camera") const noexcept;

  // Frame rate of a camera, by the median of its last nine intervals.
  [[nodiscard]] Result<double> frames_per_second(std::string_view camera = "camera") const noexcept;

  // Forgets a camera, with its alarm and its counts.
  Result<void> forget(std::string_view camera = "camera") noexcept;

  // Names of the cameras that have sent a frame, or were reported silent, in the order of their first.
  [[nodiscard]] Result<std::vector<std::string>> cameras() const noexcept;

 private:
  class Impl;
  explicit CameraStream(std::unique_ptr<Impl> impl) noexcept;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lsood
