// SPDX-License-Identifier: Apache-2.0
#include "watch.hpp"

#include "lsood/frame_verdict.hpp"
#include "lsood/image_digest.hpp"
#include "lsood/stream_calibration.hpp"

namespace lsood_ros {

namespace {

using lsood::Result;

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

// The rule of the parameter quality_alarm.
Result<lsood::QualityRule> quality_rule(const std::string& text, const lsood::Monitor& monitor) {
  const auto policy = lsood::Policy::parse(text);
  if (!policy) return policy.error();
  return lsood::quality_rule(policy.value(), monitor.manifest(), monitor.operating_point());
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
    auto text = rule->policy.text();
    if (!text) return text.error();
    quality_alarm = std::move(text).value();
    stream_options.quality = std::move(rule).value();
  }
  auto stream = lsood::CameraStream::open(policy.value(), lsood::calibration_size(monitor->manifest()), stream_options);
  if (!stream) return stream.error();
  auto alarm = policy->text();
  if (!alarm) return alarm.error();
  return Watch(std::move(monitor).value(), std::move(stream).value(), std::move(alarm).value(), std::move(quality_alarm));
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
  return lsood::take_in(into.stream, into.frame);
}

Result<std::vector<lsood::SilentCamera>> Watch::silent(double max_age_s, const std::vector<std::string>& expected) const {
  return stream_.silent(std::nullopt, max_age_s, expected);
}

Result<void> Watch::report_silent(std::string_view camera, CameraVerdict& into) {
  auto reported = stream_.report_silent(camera);
  if (!reported) return reported.error();
  into.stream = std::move(reported).value();
  const auto reason = into.stream.fault.text(camera);
  if (!reason) return reason.error();
  return monitor_.report_invalid(reason.value(), into.frame, into.stream.stamp_ns);
}

}  // namespace lsood_ros
