// SPDX-License-Identifier: Apache-2.0
// Without memory no exception leaves the C interface: the first, second, ... allocation of each call fails in turn, until none is
// left to fail. Given a bundle, whose monitor judges a frame of another size.
#include <cstdlib>
#include <cstring>
#include <string>

#include "allocations.hpp"
#include "check.hpp"
#include "lsood/lsood.h"
#include "lsood/stream.h"

namespace {

// The code of a call that has all its allocations; without one of them each call says that there is no memory.
template <typename Call>
int starved(const char* name, Call call) {
  return lsood::test::starved(call, [name](int code, long count) {
    if (code == LSOOD_DONE) return;  // the sentence of a stream's result alone was left out
    if (code != LSOOD_MEMORY) std::fprintf(stderr, "%s: without allocation %ld it gives %d\n", name, count, code);
    CHECK(code == LSOOD_MEMORY && std::strcmp(lsood_error(), "no memory left") == 0);
  });
}

}  // namespace

int main(int count, char** values) {
  if (count != 2) return 3;
  lsood_monitor* monitor = nullptr;
  const char* options[] = {"threads=1", "provider.an_option_with_a_long_name=and a value that is as long", "channels=bgr"};
  const std::string none = std::string(values[1]) + "/no such folder, by a name that is too long to be kept without memory";
  CHECK(starved("open", [&] { return lsood_open(none.c_str(), options, 3, &monitor); }) == LSOOD_BUNDLE);
  CHECK(monitor == nullptr && std::strstr(lsood_error(), "expected a bundle folder, found none at ") == lsood_error());
  CHECK(lsood_open(values[1], options, 1, &monitor) == LSOOD_DONE);

  const std::uint8_t pixels[12] = {};
  const lsood_frame frame{pixels, 2, 2, 3, 0};
  const lsood_assessment* verdict = nullptr;
  CHECK(starved("assess", [&] { return lsood_assess(monitor, &frame, 7, &verdict); }) == LSOOD_DONE);
  CHECK(verdict != nullptr && verdict->state == LSOOD_INVALID && std::strstr(verdict->reason, "uint8 frame in RGB") != nullptr);
  lsood_close(monitor);

  const double low[] = {0.3, 0.4, 0.5};
  const lsood_quality_rule rule{"duration:0.3", low, 3, 0.3, 1.0};
  const lsood_stream_options asked{"3of5", 99, 50.0, 1.0, &rule};
  lsood_stream* stream = nullptr;
  CHECK(starved("stream", [&] { return lsood_stream_open(&asked, &stream); }) == LSOOD_DONE);
  lsood_stream_result result;
  const char* camera = "a camera with a name that is too long to be kept without memory";
  const lsood_stream_frame image{LSOOD_OK, 0.5, 0.4, &frame, 1, camera};
  CHECK(starved("follow", [&] { return lsood_stream_follow(stream, &image, &result); }) == LSOOD_DONE);
  CHECK(starved("follow", [&] { return lsood_stream_report_silent(stream, camera, LSOOD_NOW, &result); }) == LSOOD_DONE);
  CHECK(starved("silent", [&] { return lsood_stream_report_silent(stream, camera, -5, &result); }) == LSOOD_ARGUMENT);
  const lsood_stream_options bad{"a policy that is none, by words that need memory to be shown", 99, 50.0, 1.0, nullptr};
  lsood_stream* no_stream = nullptr;
  CHECK(starved("policy", [&] { return lsood_stream_open(&bad, &no_stream); }) == LSOOD_ARGUMENT);
  CHECK(no_stream == nullptr);
  lsood_stream_close(stream);
  return lsood::test::failures();
}
