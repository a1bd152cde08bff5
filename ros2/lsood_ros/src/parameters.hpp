// SPDX-License-Identifier: Apache-2.0
// The parameters of the node, with their defaults, ranges and descriptions. Needs nothing of ROS.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lsood/result.hpp"

namespace lsood_ros {

// A list without entries is written as one empty text, since a parameter file cannot state the type of an empty list.
using Texts = std::vector<std::string>;

struct Parameters {
  std::string bundle;
  std::string expected_sha256;
  std::string provider = "cpu";
  Texts provider_options{""};
  bool require_provider = false;
  std::int64_t threads = 0;
  bool fused = false;
  double self_test_seconds = 0;
  std::string operating_point;
  double min_quality = 0;
  double deadline_ms = 0;
  std::string alarm = "3of5";
  std::string quality_alarm;
  double frozen_after_s = 1;
  double max_age_s = 1;
  Texts cameras{"camera"};
  Texts image_topics{""};
  std::string image_transport = "raw";
};

// Smallest and largest value of a number.
struct Range {
  double low = 0, high = 0;
};

// A parameter by its name. All are read once, when the node starts.
struct ParameterName {
  const char* name;
  const char* description;
  std::optional<Range> range = std::nullopt;
};

// Calls `visit(ParameterName, value&)` for each parameter.
template <typename Visit>
void each_parameter(Parameters& values, Visit&& visit) {
  visit(ParameterName{"bundle", "folder of the bundle; must be given"}, values.bundle);
  visit(ParameterName{"expected_sha256", "SHA-256 of its manifest: any other bundle is refused; empty for any"},
        values.expected_sha256);
  visit(ParameterName{"provider", "cpu, cuda, tensorrt, openvino, qnn, coreml, directml, xnnpack, or ONNX Runtime's name of one"},
        values.provider);
  visit(ParameterName{"provider_options", "options of the provider as name=value"}, values.provider_options);
  visit(ParameterName{"require_provider", "refuse a provider that leaves nodes to the CPU"}, values.require_provider);
  visit(ParameterName{"threads", "of the CPU provider within an operator; 0 for one a core", Range{0, 1024}}, values.threads);
  visit(ParameterName{"fused", "run monitor.onnx, which the export writes with --fuse"}, values.fused);
  visit(ParameterName{"self_test_seconds", "that the golden frames may take at the start; 0 for 60 on the CPU and 1800 elsewhere",
                      Range{0, 86400}},
        values.self_test_seconds);
  visit(ParameterName{"operating_point", "the one that sets the threshold; empty for the bundle's own"}, values.operating_point);
  visit(ParameterName{"min_quality", "a frame whose expected quality may be below is of low quality; 0 for no such rule",
                      Range{0, 1}},
        values.min_quality);
  visit(ParameterName{"deadline_ms", "a verdict that takes longer is late, in milliseconds; 0 for none", Range{0, 60000}},
        values.deadline_ms);
  visit(ParameterName{"alarm", "rule of the alarm: 3of5, hysteresis:0.01:0.2, duration:0.5 or cusum:1h@30"}, values.alarm);
  visit(ParameterName{"quality_alarm", "such a rule for a fall of the expected quality; empty for none"}, values.quality_alarm);
  visit(ParameterName{"frozen_after_s", "seconds without a new image after which a camera is frozen; 0 for never", Range{0, 3600}},
        values.frozen_after_s);
  visit(ParameterName{"max_age_s", "seconds without an image, or since the start, after which a camera is silent", Range{0.02, 3600}},
        values.max_age_s);
  visit(ParameterName{"cameras", "names of the cameras; each must send"}, values.cameras);
  visit(ParameterName{"image_topics", "topic of each camera in the same order; empty for NAME/image_raw"}, values.image_topics);
  visit(ParameterName{"image_transport", "transport of image_transport: raw, compressed, or a plugin's name"},
        values.image_transport);
}

// A camera that the node follows.
struct CameraSource {
  std::string name, topic;
};

// The cameras that parameters name. Errors: `argument` for no name, one that no topic can have, or one that comes twice, and
// for another number of topics.
lsood::Result<std::vector<CameraSource>> camera_sources(const Parameters& values);

}  // namespace lsood_ros
