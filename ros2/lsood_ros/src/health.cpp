// SPDX-License-Identifier: Apache-2.0
#include "health.hpp"

#include <cstdio>

namespace lsood_ros {

namespace {

std::string number(double value, const char* format = "%.6g") {
  char text[64];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

bool is_alarmed(const CameraVerdict& verdict) {
  return verdict.stream.alarm || (verdict.stream.quality && verdict.stream.quality->alarm);
}

}  // namespace

Level level_of(const CameraVerdict& verdict) {
  if (is_alarmed(verdict) || verdict.frame.state == lsood::State::invalid) return Level::error;
  return verdict.frame.state == lsood::State::ok ? Level::ok : Level::warn;
}

void CameraHealth::take(const CameraVerdict& verdict, double wait_ms, double now_s) {
  const lsood::Assessment& frame = verdict.frame;
  const std::string state = lsood::state_name(frame.state);
  const std::lock_guard<std::mutex> held(lock_);
  last_s_ = now_s;
  keep_worst(level_of(verdict), (is_alarmed(verdict) ? "alarm: " : "") + (frame.reason.empty() ? state : frame.reason));
  values_ = {{"state", state},
             {"score", number(frame.score)},
             {"threshold", number(frame.threshold)},
             {"p_value", number(frame.p_value)},
             {"alarm", verdict.stream.alarm ? "true" : "false"},
             {"statistic", number(verdict.stream.statistic)},
             {"history", lsood::history_name(verdict.stream.history)},
             {"latency_ms", number(frame.latency_ms, "%.2f")},
             {"wait_ms", number(wait_ms, "%.2f")}};
  if (frame.quality.is_told) values_.emplace_back("expected_quality", number(frame.quality.expected));
  if (verdict.stream.quality) values_.emplace_back("quality_alarm", verdict.stream.quality->alarm ? "true" : "false");
  if (frame.cause.is_told) values_.emplace_back("cause", frame.cause.cause);
  if (frame.tiles.is_told) values_.emplace_back("abnormal_tiles", frame.tiles.words);
  if (frame.objects.is_told) values_.emplace_back("unknown_objects", frame.objects.words);
}

void CameraHealth::take_error(const std::string& message, double now_s) {
  const std::lock_guard<std::mutex> held(lock_);
  last_s_ = now_s;
  ++errors_;
  last_error_ = message;
  keep_worst(Level::error, message);
}

void CameraHealth::keep_worst(Level level, std::string message) {
  if (!has_told_ && level < level_) return;
  has_told_ = false;
  level_ = level;
  message_ = std::move(message);
}

Diagnosis CameraHealth::report(const lsood::Result<lsood::CameraSummary>& summary, double now_s) {
  const std::lock_guard<std::mutex> held(lock_);
  has_told_ = true;
  Diagnosis told{level_, message_, values_};
  if (now_s - last_s_ > longest_s_) {
    told.level = Level::error;
    told.message = "no verdict for " + number(now_s - last_s_, "%.1f") + " s: scoring hangs, or the node gets no time";
  }
  const auto count = [&told](const char* name, std::int64_t many) { told.values.emplace_back(name, std::to_string(many)); };
  count("dropped", dropped_);
  count("errors", errors_);
  if (errors_ > 0) told.values.emplace_back("last_error", last_error_);
  if (!summary) return told;
  count("frames", summary->frames);
  count("invalid", summary->invalid);
  count("frozen", summary->frozen);
  count("faulty_tiles", summary->faulty_tiles);
  count("clock_faults", summary->clock_faults);
  count("repeated", summary->repeated);
  count("gaps", summary->gaps);
  count("steps", summary->steps);
  count("silent", summary->silent);
  count("alarms", summary->alarms);
  count("quality_alarms", summary->quality_alarms);
  return told;
}

}  // namespace lsood_ros
