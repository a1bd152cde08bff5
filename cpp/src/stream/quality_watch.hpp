// SPDX-License-Identifier: Apache-2.0
// Watches the expected quality of a camera's frames for a fall, such as mud that grows over an hour.
#pragma once

#include <cstdint>
#include <optional>

#include "lsood/camera_stream.hpp"
#include "stream/camera_clock.hpp"

namespace lsood::stream {

// State of the expected quality of one camera. The lower end of a frame's quality takes the place of its score, the lower the
// further from the calibration, which is that of the clean frames; an unknown quality counts as the lowest, 0.
class QualityWatch {
 public:
  // The rule outlives the watch.
  explicit QualityWatch(const QualityRule& rule);

  // What comes before the frame's evidence: its place among the frames of the camera.
  struct Frame {
    std::int64_t stamp_ns;
    std::int64_t index;
    bool stamped;   // whether the stamp is one of the camera's clock
    bool repeated;  // whether the frame came before, and does not count again
    std::optional<std::int64_t> elapsed_ns;  // since the last frame, where there is no stamp; none for the usual interval
  };

  // Takes the quality of the next frame in; NaN is an unknown one.
  QualityAlarm take(double quality_low, const Frame& frame) noexcept;

 private:
  const QualityRule& rule_;
  CameraClock clock_;
  std::optional<std::int64_t> since_ns_;
};

// The size of the calibration by which the rule of a quality counts.
CalibrationSize calibration_of(const QualityRule& rule) noexcept;

}  // namespace lsood::stream
