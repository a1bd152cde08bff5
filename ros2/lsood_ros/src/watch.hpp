// SPDX-License-Identifier: Apache-2.0
// A monitor and the stream of its cameras: from an image to the verdict on it. Needs nothing of ROS.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "image_reader.hpp"
#include "lsood/assessment.hpp"
#include "lsood/camera_stream.hpp"
#include "lsood/monitor.hpp"
#include "lsood/result.hpp"
#include "parameters.hpp"

namespace lsood_ros {

// The verdict on a frame, and on its camera over time. Use one for all frames: it keeps its memory.
struct CameraVerdict {
  lsood::Assessment frame;  // invalid too where its camera or its clock does not work; every answer is unknown then
  lsood::StreamAssessment stream;
};

// Serves one thread at a time, but for `silent` and the calls of `stream`.
class Watch {
 public:
  // Verifies and loads the bundle, replays its golden frames, and makes the rules of the alarms. Errors: those of the monitor
  // and the stream, and `argument` for parameters that cannot be.
  static lsood::Result<Watch> open(const Parameters& values);

  // Scores an image of a camera and follows the camera. An image that cannot be read, and one on which the provider fails, is
  // invalid and no error. The name of the camera has to outlive the verdict. Errors: `memory`.
  lsood::Result<void> assess(const ImageBytes& image, std::int64_t stamp_ns, std::string_view camera, CameraVerdict& into);

  // Those of the expected cameras that have sent nothing for longer than `max_age_s`.
  [[nodiscard]] lsood::Result<std::vector<lsood::SilentCamera>> silent(double max_age_s,
                                                                       const std::vector<std::string>& expected) const;

  // Counts such a camera as invalid until now. The name has to outlive the verdict.
  lsood::Result<void> report_silent(std::string_view camera, CameraVerdict& into);

  [[nodiscard]] const lsood::Monitor& monitor() const { return monitor_; }
  [[nodiscard]] const lsood::CameraStream& stream() const { return stream_; }
  [[nodiscard]] const std::string& alarm() const { return alarm_; }
  [[nodiscard]] const std::string& quality_alarm() const { return quality_alarm_; }  // empty where it is not watched

 private:
  Watch(lsood::Monitor monitor, lsood::CameraStream stream, std::string alarm, std::string quality_alarm);

  lsood::Monitor monitor_;
  lsood::CameraStream stream_;
  ImageReader reader_;
  std::string alarm_, quality_alarm_;
};

}  // namespace lsood_ros
