// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <new>
#include <optional>
#include <string>

#include "lsood/camera_stream.hpp"
#include "lsood/stream.h"

struct lsood_stream {
  lsood::CameraStream stream;
};

namespace {

int code_of(const lsood::Error& error) { return 1 + static_cast<int>(error.code); }

// Copies a text, cut between two characters of UTF-8 at the end of the field.
void copy(const std::string& text, char* field, size_t size) {
  if (field != nullptr && size > 0) {
    size_t length = std::min(size - 1, text.size());
    while (length > 0 && length < text.size() && (static_cast<unsigned char>(text[length]) & 0xC0) == 0x80) {
      --length;
    }
    std::copy_n(text.data(), length, field);
    field[length] = '\0';
  }
}

std::optional<std::int64_t> stamp_of(int64_t stamp_ns) {
  return stamp_ns == LSOOD_NOW ? std::nullopt : std::optional<std::int64_t>(stamp_ns);
}

int handed_out(const lsood::Result<lsood::StreamAssessment>& result, lsood_stream_result* into) {
  if (!result) return code_of(result.error());
  const lsood::StreamAssessment& each = result.value();
  *into = {static_cast<int32_t>(each.state), each.alarm ? 1 : 0, each.onset ? 1 : 0, static_cast<int32_t>(each.history),
           each.index, each.stamp_ns, each.since_ns.value_or(-1), each.statistic, {}};
  try {
    copy(each.fault.text(each.camera), into->reason, sizeof into->reason);
  } catch (...) {  // without memory for its sentence the result is what it is
  }
  return LSOOD_DONE;
}

lsood::Result<lsood::CameraStream> opened(const char* policy, const lsood::CalibrationSize& calibration, double after_s) {
  lsood::StreamOptions options;
  options.frozen_after_s = after_s == 0 ? std::nullopt : std::optional<double>(after_s);
  const auto rule = lsood::Policy::parse(policy);
  return rule ? lsood::CameraStream::open(rule.value(), calibration, options) : rule.error();
}

}  // namespace

extern "C" {

int lsood_stream_open(const char* policy, size_t calibration_frames, double effective_frames, double frozen_after_s,
                      lsood_stream** into, char* error, size_t error_size) {
  if (policy == nullptr || into == nullptr) return LSOOD_ARGUMENT;
  *into = nullptr;
  auto made = opened(policy, {calibration_frames, effective_frames}, frozen_after_s);
  if (!made) {
    copy(made.error().message, error, error_size);
    return code_of(made.error());
  }
  *into = new (std::nothrow) lsood_stream{std::move(made).value()};
  return *into == nullptr ? LSOOD_MEMORY : LSOOD_DONE;
}

void lsood_stream_close(lsood_stream* stream) { delete stream; }

int lsood_stream_follow(lsood_stream* stream, const lsood_stream_frame* frame, lsood_stream_result* into) {
  if (stream == nullptr || frame == nullptr || frame->camera == nullptr || into == nullptr || frame->state < LSOOD_OK ||
      frame->state > LSOOD_INVALID) {
    return LSOOD_ARGUMENT;
  }
  lsood::FrameVerdict verdict;
  verdict.state = static_cast<lsood::State>(frame->state);
  verdict.p_value = frame->p_value;
  lsood::Frame image;
  if (frame->image != nullptr) {
    image = {frame->image->data, frame->image->height, frame->image->width, frame->image->channels, frame->image->stride};
  }
  return handed_out(
      stream->stream.follow(verdict, stamp_of(frame->stamp_ns), lsood::image_digest(image), frame->camera), into);
}

int lsood_stream_report_silent(lsood_stream* stream, const char* camera, int64_t now_ns, lsood_stream_result* into) {
  if (stream == nullptr || camera == nullptr || into == nullptr) return LSOOD_ARGUMENT;
  return handed_out(stream->stream.report_silent(camera, stamp_of(now_ns)), into);
}

}  // extern "C"
