// SPDX-License-Identifier: Apache-2.0
#include "watch.hpp"

#include <algorithm>
#include <cmath>

#include "lsood/frame_verdict.hpp"
#include "lsood/image_digest.hpp"

namespace lsood_ros {

namespace {

using lsood::kNaN;
using lsood::Result;

constexpr double kRounding = 1e-9;  // of a share of the clean frames, as in the Python runtime
constexpr const char* kUnknown = "unknown";

std::optional<double> unless_zero(double number) { return number == 0 ? std::nullopt : std::optional<double>(number); }

Result<lsood::MonitorOptions> monitor_options(const Parameters& values) {
  lsood::MonitorOptions options;
  options.provider = values.provider;
  options.require_provider = values.require_provider;
  options.threads = static_cast<int>(values.threads);
  options.fused = values.fused;
  options.operating_point = values.operating_point;
  options.min_quality = unless_zero(values.min_quality);
  options.deadline_ms = unless_zero(values.deadline_ms);
  options.self_test_seconds = unless_zero(values.self_test_seconds);
  if (!values.expected_sha256.empty()) options.expected_sha256 = values.expected_sha256;
  for (const std::string& each : values.provider_options) {
    const std::size_t middle = each.find('=');
    if (each.empty()) continue;
    if (middle == std::string::npos || middle == 0) {
      return lsood::Error{lsood::ErrorCode::argument, "expected provider_options as name=value, got '" + each + "'"};
    }
    options.provider_options.emplace_back(each.substr(0, middle), each.substr(middle + 1));
  }
  return options;
}

// Watch the expected quality: a frame counts as low that is as rare among clean ones as the operating point's false alarms.
Result<lsood::QualityRule> quality_rule(const std::string& text, const lsood::Monitor& monitor) {
  const lsood::Manifest& manifest = monitor.manifest();
  if (!manifest.answers || !manifest.answers->quality) {
    return lsood::Error{lsood::ErrorCode::bundle,
                        "expected a bundle that tells the quality of its segmentation for the parameter quality_alarm, this one "
                        "does not: calibrate it with --answers quality, or leave the parameter empty"};
  }
  auto policy = lsood::Policy::parse(text);
  if (!policy) return policy.error();
  const std::vector<double>& clean_low = manifest.answers->quality->clean_low;
  const double rate = lsood::find_named(manifest.operating_points, monitor.operating_point())->false_alarm_rate;
  const double rank = std::floor(rate * static_cast<double>(clean_low.size() + 1) + kRounding);
  const double smallest = rank >= 1 ? clean_low[std::min(static_cast<std::size_t>(rank), clean_low.size()) - 1] : 0.0;
  const double worth = manifest.calibration.effective_frames / static_cast<double>(manifest.calibration.scores.size());
  return lsood::QualityRule{std::move(policy).value(), clean_low, smallest, worth};
}

// What a fault that only the camera's other frames show makes of the verdict on a frame; score and class map stay.
void invalidate(const std::string& reason, lsood::Assessment& into) {
  into.state = lsood::State::invalid;
  into.is_ood = true;
  into.reason = reason;
  into.quality.expected = into.quality.low = into.quality.high = kNaN;
  into.cause.cause = into.cause.is_told ? kUnknown : "";
  into.cause.probability = into.cause.severity = kNaN;
  into.cause.set.clear();
  std::fill(into.tiles.abnormal.begin(), into.tiles.abnormal.end(), std::uint8_t{0});
  std::fill(into.tiles.values.begin(), into.tiles.values.end(), kNaN);
  into.tiles.words.clear();
  std::fill(into.class_confidence.begin(), into.class_confidence.end(), 0.0);
  into.objects.objects.clear();
  into.objects.count.reset();
  into.objects.words = into.objects.is_told ? kUnknown : "";
  into.anomaly_map = nullptr;
}

// Whether a frame that is not in order has many tiles without a picture too, though not yet for as many frames as a fault has.
bool has_faulty_part(const CameraVerdict& verdict) {
  const lsood::Assessment& frame = verdict.frame;
  const auto& mask = verdict.stream.faulty_tiles;
  return frame.state != lsood::State::ok && frame.state != lsood::State::invalid && !frame.tile_faults.empty() && mask &&
         mask->reaches(lsood::TileCheck{});
}

}  // namespace

Watch::Watch(lsood::Monitor monitor, lsood::CameraStream stream, std::string alarm, std::string quality_alarm)
    : monitor_(std::move(monitor)), stream_(std::move(stream)),
      reader_(monitor_.manifest().input, monitor_.manifest().pixels), alarm_(std::move(alarm)),
      quality_alarm_(std::move(quality_alarm)) {}

Result<Watch> Watch::open(const Parameters& values) {
  if (values.bundle.empty()) {
    return lsood::Error{lsood::ErrorCode::argument,
                        "expected the folder of a bundle in the parameter bundle, got none: give -p bundle:=FOLDER"};
  }
  if (!(values.max_age_s > 0)) {
    return lsood::Error{lsood::ErrorCode::argument, "expected a max_age_s above 0, got another one: 1.0 is the default"};
  }
  const auto options = monitor_options(values);
  if (!options) return options.error();
  const auto policy = lsood::Policy::parse(values.alarm);
  if (!policy) return policy.error();
  auto monitor = lsood::Monitor::open(values.bundle, options.value());
  if (!monitor) return monitor.error();
  lsood::StreamOptions stream_options;
  stream_options.frozen_after_s = unless_zero(values.frozen_after_s);
  std::string quality_alarm;
  if (!values.quality_alarm.empty()) {
    auto rule = quality_rule(values.quality_alarm, monitor.value());
    if (!rule) return rule.error();
    quality_alarm = rule->policy.text();
    stream_options.quality = std::move(rule).value();
  }
  const lsood::CalibrationRecord& calibration = monitor->manifest().calibration;
  auto stream = lsood::CameraStream::open(policy.value(), {calibration.scores.size(), calibration.effective_frames}, stream_options);
  if (!stream) return stream.error();
  return Watch(std::move(monitor).value(), std::move(stream).value(), policy->text(), std::move(quality_alarm));
}

Result<void> Watch::assess(const ImageBytes& image, std::int64_t stamp_ns, std::string_view camera, CameraVerdict& into) {
  const auto frame = reader_.frame(image);
  Result<void> done = frame ? monitor_.assess(frame.value(), into.frame, stamp_ns, /*judge_tiles=*/false)
                            : Result<void>(frame.error());
  std::optional<lsood::ImageDigest> digest;
  if (done) {
    digest = lsood::image_digest(frame.value());
  } else {
    done = monitor_.report_invalid(done.error().message, into.frame, stamp_ns);
  }
  if (!done) return done;
  auto followed = stream_.follow(lsood::frame_verdict(into.frame), stamp_ns, digest, camera);
  if (!followed) return followed.error();
  into.stream = std::move(followed).value();
  if (into.stream.fault) {
    invalidate(into.stream.fault.text(camera), into.frame);
  } else if (has_faulty_part(into)) {
    into.frame.reason += "; " + into.frame.tile_faults;
  }
  return {};
}

Result<std::vector<lsood::SilentCamera>> Watch::silent(double max_age_s, const std::vector<std::string>& expected) const {
  return stream_.silent(std::nullopt, max_age_s, expected);
}

Result<void> Watch::report_silent(std::string_view camera, CameraVerdict& into) {
  auto reported = stream_.report_silent(camera);
  if (!reported) return reported.error();
  into.stream = std::move(reported).value();
  return monitor_.report_invalid(into.stream.fault.text(camera), into.frame, into.stream.stamp_ns);
}

}  // namespace lsood_ros
