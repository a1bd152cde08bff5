// SPDX-License-Identifier: Apache-2.0
// For benchmarks/test_cpp.py: frames scored in C++, each with the time of the whole call and the time inside of ONNX Runtime's Run.
#include <onnxruntime_cxx_api.h>

#include <chrono>
#include <cstdint>
#include <optional>

#include "lsood/monitor.hpp"

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

double inside_seconds = 0;
OrtApi watched_api;
decltype(OrtApi::Run) own_run = nullptr;

OrtStatus* ORT_API_CALL watched_run(OrtSession* session, const OrtRunOptions* options, const char* const* input_names,
                                    const OrtValue* const* inputs, size_t input_count, const char* const* output_names,
                                    size_t output_count, OrtValue** outputs) noexcept {
  const Clock::time_point start = Clock::now();
  OrtStatus* status = own_run(session, options, input_names, inputs, input_count, output_names, output_count, outputs);
  inside_seconds += seconds_since(start);
  return status;
}

std::optional<lsood::Monitor> monitor;

}  // namespace

extern "C" {

// Opens a bundle; 0 where that fails.
int frame_open(const char* folder) {
  if (own_run == nullptr) {
    watched_api = Ort::GetApi();
    own_run = watched_api.Run;
    watched_api.Run = watched_run;
    Ort::Global<void>::api_ = &watched_api;
  }
  auto opened = lsood::Monitor::open(folder);
  if (!opened) return 0;
  monitor.emplace(std::move(opened).value());
  return 1;
}

// The score of a (height, width, 3) frame, with the seconds of the call, and those of them inside of Run.
double frame_score(const std::uint8_t* data, std::int64_t height, std::int64_t width, double* whole, double* inside) {
  inside_seconds = 0;
  const Clock::time_point start = Clock::now();
  const auto score = monitor->score({data, height, width, 3, 0});
  *whole = seconds_since(start);
  *inside = inside_seconds;
  return score ? score.value() : -1;
}

}  // extern "C"
