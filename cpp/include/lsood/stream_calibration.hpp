// SPDX-License-Identifier: Apache-2.0
// What a stream needs of a bundle: how much its calibration tells, and the rule of its expected quality.
#pragma once

#include <string>

#include "lsood/camera_stream.hpp"
#include "lsood/manifest.hpp"

namespace lsood {

// The calibration of a bundle, as policies need it.
CalibrationSize calibration_size(const Manifest& manifest) noexcept;

// The rule by which the expected quality is watched: a frame counts as low that is as rare among clean ones as the false alarms
// of an operating point, `Monitor::operating_point()`.
// Errors: `bundle` where it tells no quality, or has no such operating point.
Result<QualityRule> quality_rule(const Policy& policy, const Manifest& manifest, const std::string& operating_point) noexcept;

}  // namespace lsood
