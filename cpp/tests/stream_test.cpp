// SPDX-License-Identifier: Apache-2.0
// A stream takes no memory for a frame, serves many threads, refuses what cannot be, and throws nothing.
#include <limits>
#include <thread>

#include "allocations.hpp"
#include "check.hpp"
#include "lsood/camera_stream.hpp"
#include "lsood/frame_verdict.hpp"
#include "lsood/latest_frames.hpp"
#include "lsood/stream_calibration.hpp"

namespace {

using lsood::CameraStream;
using lsood::ErrorCode;
using lsood::Policy;
using lsood::test::allocations;
using lsood::test::is_full;

constexpr std::int64_t kTenth = 100'000'000, kWide = std::int64_t{1} << 62;
constexpr lsood::CalibrationSize kCalibration{99, 50.0};
constexpr const char* kPolicies[] = {"3of5", "hysteresis:0.05:0.2", "duration:0.5", "cusum:0.1h@10"};

// A picture that no other number has.
lsood::ImageDigest picture(std::int64_t number) {
  std::uint8_t pixels[64 * 64];
  auto state = static_cast<std::uint64_t>(number);
  for (std::uint8_t& pixel : pixels) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    pixel = static_cast<std::uint8_t>(state >> 56);
  }
  return lsood::image_digest({pixels, 64, 64, 1}).value_or(lsood::ImageDigest{});
}

lsood::StreamOptions with_quality() {
  lsood::StreamOptions options;
  options.quality = lsood::QualityRule{Policy::parse("duration:0.3").value(), {0.4, 0.5, 0.6}, 0.5, 0.5};
  return options;
}

// Frames by clocks that jump, stand still and overlap, of pictures that come again: every path of a frame.
void follow_all(CameraStream& stream, std::int64_t first, std::int64_t count) {
  for (std::int64_t i = first; i < first + count; ++i) {
    lsood::FrameVerdict verdict;
    verdict.state = static_cast<lsood::State>(i % 5);
    verdict.p_value = 0.01 + 0.1 * static_cast<double>(i % 9);
    verdict.quality_low = i % 3 == 0 ? 0.3 : 0.7;
    const std::int64_t jump = i % 40 == 0 ? 5'000'000'000 : i % 23 == 0 ? -3'000'000'000 : 0;
    const lsood::ImageDigest image = picture(i % 60 < 30 ? i : 1);
    const auto stamp = i % 17 == 0 ? std::optional<std::int64_t>(-1) : 1'000'000'000'000 + i * kTenth + jump;
    const auto shown = i % 11 == 0 ? std::nullopt : std::optional<lsood::ImageDigest>(image);
    CHECK(stream.follow(verdict, stamp, shown, i % 2 == 0 ? "front" : "rear").ok());
    if (i % 50 == 0) {
      CHECK(stream.report_silent("front").ok());
    }
  }
}

void takes_no_memory_for_a_frame() {
  for (const char* policy : kPolicies) {
    auto stream = CameraStream::open(Policy::parse(policy).value(), kCalibration, with_quality()).value();
    follow_all(stream, 0, 2);
    const long before = allocations;
    follow_all(stream, 2, 400);
    CHECK(allocations == before);
  }
}

void serves_many_threads() {
  auto stream = CameraStream::open(Policy::parse("3of5").value(), kCalibration, with_quality()).value();
  constexpr int kThreads = 4, kFrames = 300;
  std::vector<std::thread> threads;
  for (int number = 0; number < kThreads; ++number) {
    threads.emplace_back([&stream, number] {
      for (int i = 0; i < kFrames; ++i) {
        const lsood::ImageDigest image = picture(number * kFrames + i);
        CHECK(stream.follow({}, std::nullopt, image, i % 2 == 0 ? "front" : "rear").ok());
        CHECK(stream.silent().ok());
        CHECK(stream.cameras().ok());
        if (i % 100 == 99) {
          static_cast<void>(stream.forget("left"));
          CHECK(stream.follow({}, std::nullopt, std::nullopt, "left").ok());
        }
      }
    });
  }
  for (std::thread& each : threads) {
    each.join();
  }
  const auto front = stream.summary("front").value(), rear = stream.summary("rear").value();
  CHECK(front.frames + rear.frames == kThreads * kFrames);
  CHECK(front.invalid == front.frames);
  CHECK(front.alarms == 1);
}

void refuses_what_cannot_be() {
  const Policy policy = Policy::parse("3of5").value();
  const auto code_of = [&](auto change) {
    lsood::StreamOptions options = with_quality();
    change(options);
    const auto opened = CameraStream::open(policy, kCalibration, options);
    return opened ? ErrorCode::internal : opened.error().code;
  };
  CHECK(code_of([](auto& options) { options.frozen_after_s = 0.0; }) == ErrorCode::argument);
  CHECK(code_of([](auto& options) { options.frozen_tolerance = 0.6; }) == ErrorCode::argument);
  CHECK(code_of([](auto& options) { options.frozen_tolerance = std::nan(""); }) == ErrorCode::argument);
  CHECK(code_of([](auto& options) { options.max_cameras = 0; }) == ErrorCode::argument);
  CHECK(code_of([](auto& options) { options.tile_check->rows = 17; }) == ErrorCode::argument);
  CHECK(code_of([](auto& options) { options.tile_check->share = 0.0; }) == ErrorCode::argument);
  CHECK(code_of([](auto& options) { options.tile_check->frames = 0; }) == ErrorCode::argument);
  CHECK(code_of([](auto& options) { options.quality->clean_low = {0.5, 0.4}; }) == ErrorCode::argument);
  CHECK(code_of([](auto& options) { options.quality->clean_low.clear(); }) == ErrorCode::argument);
  CHECK(!CameraStream::open(Policy::parse("hysteresis:0.001:0.2").value(), kCalibration).ok());
  CHECK(!CameraStream::open(Policy::parse("cusum:1h@30").value(), {3, 3.0}).ok());
  auto stream = CameraStream::open(policy, kCalibration).value();
  CHECK(stream.summary("front").error().code == ErrorCode::camera);
  CHECK(stream.frames_per_second("front").error().code == ErrorCode::camera);
  CHECK(stream.forget("front").error().code == ErrorCode::camera);
  CHECK(stream.silent(-1).error().code == ErrorCode::argument);
  CHECK(stream.silent(std::nullopt, std::nan("")).error().code == ErrorCode::argument);
  CHECK(stream.report_silent("front", -1).error().code == ErrorCode::argument);
  CHECK(!Policy::of(lsood::KOfN{3, 2}).ok());
  CHECK(!Policy::of(lsood::MinimumDuration{0.5, -1.0}).ok());
  CHECK(!policy.window_s(kCalibration, 0.0).ok());
  CHECK(!Policy::parse("duration:0.5").value().delay_frames(kCalibration, std::nan("")).ok());
}

// The quality that counts as low by the rate of an operating point, and how much the clean frames are worth.
void watches_the_quality_of_a_bundle() {
  const Policy policy = Policy::parse("2of3").value();
  lsood::Manifest manifest;
  manifest.calibration.scores = {1, 2, 3, 4};
  manifest.calibration.effective_frames = 2;
  lsood::OperatingPoint point;
  point.false_alarm_rate = 0.4;
  manifest.operating_points = {{"40%", point}};
  CHECK(lsood::quality_rule(policy, manifest, "40%").error().code == ErrorCode::bundle);
  manifest.answers.emplace().quality.emplace().clean_low = {0.1, 0.2, 0.3, 0.4, 0.5};
  const auto rule = lsood::quality_rule(policy, manifest, "40%");
  CHECK(rule && rule->smallest == 0.2 && rule->frames_worth == 0.5 && rule->clean_low.size() == 5);
  const auto unknown = lsood::quality_rule(policy, manifest, "5%");
  CHECK(unknown.error().message == "expected an operating point of the bundle (40%), got '5%': choose one of these");
  const lsood::CalibrationSize size = lsood::calibration_size(manifest);
  CHECK(size.frames == 4 && size.effective_frames == 2);
}

lsood::Assessment told_verdict() {
  lsood::Assessment verdict;
  verdict.state = lsood::State::out_of_distribution;
  verdict.score = 7;
  verdict.p_value = 0.01;
  verdict.reason = "the score is above 5";
  verdict.tile_faults = "black: upper left";
  verdict.quality = {true, 0.6, 0.5, 0.7};
  verdict.cause.is_told = true;
  verdict.cause.cause = "fog";
  verdict.cause.set = {"fog"};
  verdict.tiles = {true, 1, 2, {1, 0}, {3.0, 0.1}, "left"};
  verdict.objects.is_told = true;
  verdict.objects.objects.resize(2);
  verdict.objects.count = 2;
  verdict.class_confidence = {0.5};
  return verdict;
}

// A fault of the camera makes a verdict invalid, and its answers unknown; a faulty part is told beside what is wrong.
void takes_in_what_a_stream_found() {
  lsood::StreamAssessment found;
  found.stamp_ns = 9;
  found.faulty_tiles = lsood::TileMask{1, 2, 1};
  lsood::Assessment verdict = told_verdict();
  CHECK(lsood::take_in(found, verdict).ok());
  CHECK(verdict.state == lsood::State::out_of_distribution && verdict.reason == "the score is above 5");
  CHECK(verdict.stamp_ns == 9 && verdict.faulty_tiles && verdict.cause.cause == "fog");
  found.has_faulty_part = true;
  CHECK(lsood::take_in(found, verdict).ok() && verdict.reason == "the score is above 5; black: upper left");
  for (const lsood::State state : {lsood::State::ok, lsood::State::invalid}) {
    verdict = told_verdict();
    verdict.state = state;
    CHECK(lsood::take_in(found, verdict).ok() && verdict.reason == "the score is above 5");
  }
  verdict = told_verdict();
  found.camera = "front";
  found.fault.kind = lsood::StreamFault::Kind::silent;
  found.fault.never = true;
  lsood::test::starved([&] { return lsood::take_in(found, verdict).ok(); }, [](bool done, long) { CHECK(!done); });
  CHECK(verdict.reason == "expected frames of front, none came yet: the camera, its cable or its driver stopped");
  CHECK(verdict.state == lsood::State::invalid && verdict.is_ood && verdict.score == 7 && verdict.p_value == 0.01);
  CHECK(std::isnan(verdict.quality.low) && verdict.cause.cause == "unknown" && verdict.cause.set.empty());
  CHECK(verdict.tiles.abnormal[0] == 0 && std::isnan(verdict.tiles.values[0]) && verdict.tiles.words.empty());
  CHECK(verdict.objects.objects.empty() && !verdict.objects.count && verdict.objects.words == "unknown");
  CHECK(verdict.class_confidence[0] == 0);
  lsood::Assessment plain;
  CHECK(lsood::take_in(found, plain).ok() && plain.cause.cause.empty() && plain.objects.words.empty());
}

// Without the first allocation, the second, ..., a call gives the error of memory, and nothing is thrown.
void texts_need_memory_and_say_so() {
  const auto memory = [](const auto& result, long) { CHECK(result.error().code == ErrorCode::memory); };
  const auto policy = Policy::of(lsood::Hysteresis{0.0123456789, 0.2}).value();
  CHECK(lsood::test::starved([&] { return policy.text(); }, memory).value() == "hysteresis:0.0123456789:0.2");
  const auto fault = lsood::StreamFault::clock_back(12);
  CHECK(lsood::test::starved([&] { return fault.text(); }, memory).value().size() > 20);
}

void throws_nothing_where_there_is_no_memory() {
  auto stream = CameraStream::open(Policy::parse("3of5").value(), kCalibration).value();
  const std::vector<std::string> expected{"a camera with a name that is too long to be kept without memory"};
  is_full = true;
  const ErrorCode code = stream.follow({}, 1, std::nullopt, expected[0]).error().code;
  const bool asked = stream.silent(std::nullopt, 1.0, expected).ok();
  is_full = false;
  CHECK(code == ErrorCode::memory);
  CHECK(!asked);
  CHECK(stream.follow({}, 1, std::nullopt, expected[0]).ok());
}

// Digests differ where a pixel does, and are the same where rows have a gap between them.
void digests_tell_images_apart() {
  std::vector<std::uint8_t> pixels(96 * 40 * 3), spaced(96 * 128);
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    pixels[i] = static_cast<std::uint8_t>(i * 7 % 251);
    spaced[i / 120 * 128 + i % 120] = pixels[i];
  }
  const auto digest_of = [](const lsood::Frame& frame) { return lsood::image_digest(frame).value(); };
  const lsood::ImageDigest original = digest_of({pixels.data(), 96, 40, 3});
  CHECK(digest_of({spaced.data(), 96, 40, 3, 128}).tiles == original.tiles);
  CHECK(!original.equals(digest_of({pixels.data(), 96, 120, 1})));
  for (std::size_t i = 0; i < pixels.size(); i += 37) {
    pixels[i] ^= 128;
    CHECK(!original.equals(digest_of({pixels.data(), 96, 40, 3})));
    pixels[i] ^= 128;
  }
  CHECK(original.equals(digest_of({pixels.data(), 96, 40, 3})));
  CHECK(digest_of({pixels.data(), 1, 1, 3}).size() == 0);
  for (const lsood::Frame& none : {lsood::Frame{nullptr, 8, 8, 3}, lsood::Frame{pixels.data(), 0, 8, 3},
                                   lsood::Frame{pixels.data(), 8, -8, 3}, lsood::Frame{pixels.data(), 8, 8, 3, 23},
                                   lsood::Frame{pixels.data(), 1, kWide, 4}, lsood::Frame{pixels.data(), kWide, 8, 3},
                                   lsood::Frame{pixels.data(), 4, 8, 3, kWide}}) {
    CHECK(!lsood::image_digest(none));
  }
}

// Two cameras, the faster of which does not keep the other from its turn; what waits at the end is handed out.
void keeps_the_latest_frame() {
  lsood::LatestFrames<int> waiting;
  CHECK(waiting.put("front", 1).value());
  CHECK(waiting.put("rear", 2).value());
  CHECK(!waiting.put("front", 3).value());
  CHECK(waiting.dropped() == 1);
  const auto first = waiting.take();
  CHECK(first && first->first == "front" && first->second == 3);
  long taken = 0;
  std::thread worker([&] {
    while (waiting.take()) {
      ++taken;
    }
  });
  constexpr int kFrames = 2000;
  for (int i = 0; i < kFrames; ++i) {
    CHECK(waiting.put(i % 2 == 0 ? "front" : "rear", i).ok());
  }
  waiting.close();
  worker.join();
  CHECK(taken + waiting.dropped() == kFrames + 1 + 1);
  CHECK(!waiting.put("front", 1).ok());
}

}  // namespace

int main() {
  takes_no_memory_for_a_frame();
  serves_many_threads();
  refuses_what_cannot_be();
  watches_the_quality_of_a_bundle();
  takes_in_what_a_stream_found();
  texts_need_memory_and_say_so();
  throws_nothing_where_there_is_no_memory();
  digests_tell_images_apart();
  keeps_the_latest_frame();
  return lsood::test::failures();
}
