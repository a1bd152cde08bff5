// SPDX-License-Identifier: Apache-2.0
// State that a stream keeps for one camera.
#pragma once

#include <mutex>
#include <optional>

#include "lsood/camera_stream.hpp"
#include "stream/camera_clock.hpp"
#include "stream/quality_watch.hpp"

namespace lsood::stream {

// What a stream was made with.
struct StreamRules {
  Policy policy;
  CalibrationSize calibration;
  StreamOptions options;
};

// Frames by their clocks, and counts of one camera. The lock is held while any of these change.
class CameraState {
 public:
  // The rules outlive the state.
  CameraState(const StreamRules& rules, double received_s);

  // Adds the verdict on a frame; the stamp is none where none was given.
  StreamAssessment follow(const FrameVerdict& verdict, std::optional<std::int64_t> stamp_ns, const ImageDigest* image,
                          const Receipt& receipt, std::string_view camera) noexcept;

  // Counts the camera as silent until now; the time is none for that of receipt.
  StreamAssessment report_silent(std::optional<std::int64_t> now_ns, const Receipt& receipt,
                                 std::string_view camera) noexcept;

  // Seconds since the last frame, by the time of receipt where no time is given, or one before the last stamp.
  [[nodiscard]] double age_s(std::optional<std::int64_t> now_ns, double received_s) const noexcept;

  mutable std::mutex lock;
  CameraClock clock;
  CameraSummary summary;
  double received_s;  // when the last frame came

 private:
  StreamAssessment judge(Sequence& sequence, StreamAssessment result, double p_value, bool stamped,
                         std::optional<std::int64_t> elapsed_ns, double quality_low) noexcept;

  const StreamRules& rules_;
  std::optional<QualityWatch> quality_;
  std::optional<std::int64_t> since_ns_;  // stamp of the frame that raised the alarm
  std::optional<std::int64_t> last_ns_;   // stamp of the last frame
  std::int64_t silent_ns_ = 0;            // for how long it has been reported silent since then
};

}  // namespace lsood::stream
