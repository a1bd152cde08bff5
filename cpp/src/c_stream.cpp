// SPDX-License-Identifier: Apache-2.0
#include <optional>
#include <string>

#include "detail/c_boundary.hpp"
#include "detail/c_monitor.hpp"
#include "lsood/stream.h"
#include "lsood/stream_calibration.hpp"

struct lsood_stream {
  lsood::CameraStream stream;
};

namespace {

using lsood::detail::code_of;
using lsood::detail::require_pointers;
using lsood::detail::unwrapped;

std::optional<std::int64_t> stamp_of(int64_t stamp_ns) {
  return stamp_ns == LSOOD_NOW ? std::nullopt : std::optional<std::int64_t>(stamp_ns);
}

lsood_stream* opened(const lsood_stream_options& given) {
  require_pointers("the text of a policy", given.policy);
  lsood::StreamOptions options;
  options.frozen_after_s = given.frozen_after_s == 0 ? std::nullopt : std::optional<double>(given.frozen_after_s);
  if (given.quality != nullptr) {
    const lsood_quality_rule& rule = *given.quality;
    require_pointers("the policy and the numbers of a rule for the quality", rule.policy, rule.clean_low);
    options.quality = lsood::QualityRule{
        unwrapped(lsood::Policy::parse(rule.policy)), {rule.clean_low, rule.clean_low + rule.clean_count}, rule.smallest,
        rule.frames_worth};
  }
  const lsood::CalibrationSize calibration{given.calibration_frames, given.effective_frames};
  return new lsood_stream{
      unwrapped(lsood::CameraStream::open(unwrapped(lsood::Policy::parse(given.policy)), calibration, options))};
}

void hand_out(const lsood::StreamAssessment& each, lsood_stream_result& into) {
  const lsood::QualityAlarm quality = each.quality.value_or(lsood::QualityAlarm{});
  into = {static_cast<int32_t>(each.state),
          each.alarm ? 1 : 0,
          each.onset ? 1 : 0,
          static_cast<int32_t>(each.history),
          quality.alarm ? 1 : 0,
          quality.onset ? 1 : 0,
          each.index,
          each.stamp_ns,
          each.since_ns.value_or(-1),
          quality.since_ns.value_or(-1),
          each.statistic,
          quality.statistic,
          {}};
  const auto sentence = each.fault.text(each.camera);  // without memory for it the result is what it is
  if (sentence) lsood::detail::copy_text(sentence.value(), into.reason, sizeof into.reason);
}

}  // namespace

extern "C" {

int lsood_stream_calibration(const lsood_monitor* monitor, lsood_stream_options* options, lsood_quality_rule* quality) {
  return code_of([&] {
    require_pointers("a monitor and options", monitor, options);
    const lsood::Manifest& manifest = monitor->monitor.manifest();
    if (quality != nullptr) {
      const lsood::Policy any = unwrapped(lsood::Policy::of(lsood::KOfN{}));  // that of the rule is the caller's
      const auto rule = unwrapped(lsood::quality_rule(any, manifest, monitor->monitor.operating_point()));
      const std::vector<double>& clean_low = manifest.answers->quality->clean_low;
      quality->clean_low = clean_low.data();
      quality->clean_count = clean_low.size();
      quality->smallest = rule.smallest;
      quality->frames_worth = rule.frames_worth;
    }
    const lsood::CalibrationSize size = lsood::calibration_size(manifest);
    options->calibration_frames = size.frames;
    options->effective_frames = size.effective_frames;
  });
}

int lsood_stream_open(const lsood_stream_options* options, lsood_stream** into) {
  if (into != nullptr) *into = nullptr;
  return code_of([&] {
    require_pointers("options and a place for the stream", options, into);
    *into = opened(*options);
  });
}

void lsood_stream_close(lsood_stream* stream) { delete stream; }

int lsood_stream_follow(lsood_stream* stream, const lsood_stream_frame* frame, lsood_stream_result* into) {
  return code_of([&] {
    require_pointers("a stream, a frame and a place for the result", stream, frame, into);
    require_pointers("the name of a camera", frame->camera);
    if (frame->state < LSOOD_OK || frame->state > LSOOD_INVALID) {
      lsood::detail::fail(lsood::ErrorCode::argument, "expected a state from 0 to 4, got " + std::to_string(frame->state) +
                                                          ": pass that of lsood_assess");
    }
    lsood::FrameVerdict verdict;
    verdict.state = static_cast<lsood::State>(frame->state);
    verdict.p_value = frame->p_value;
    verdict.quality_low = frame->quality_low;
    lsood::Frame image;
    if (frame->image != nullptr) {
      const lsood_frame& given = *frame->image;
      image = {given.data, given.height, given.width, given.channels, given.stride};
    }
    hand_out(unwrapped(stream->stream.follow(verdict, stamp_of(frame->stamp_ns), lsood::image_digest(image), frame->camera)),
             *into);
  });
}

int lsood_stream_report_silent(lsood_stream* stream, const char* camera, int64_t now_ns, lsood_stream_result* into) {
  return code_of([&] {
    require_pointers("a stream, a camera and a place for the result", stream, camera, into);
    hand_out(unwrapped(stream->stream.report_silent(camera, stamp_of(now_ns))), *into);
  });
}

}  // extern "C"
