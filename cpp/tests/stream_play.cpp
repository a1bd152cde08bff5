// SPDX-License-Identifier: Apache-2.0
// Plays the frames of cameras that stand on the standard input, and prints what a stream says of each.
//
// A line is a command and its words, with - for none:
//   open POLICY FRAMES EFFECTIVE FROZEN_AFTER TOLERANCE MAX_CAMERAS
//   tiles ROWS COLUMNS SHARE FRAMES                     before open: the check of tiles
//   quality POLICY RATE WORTH LOW...                    before open: the rule of the quality
//   frame CAMERA STAMP STATE P_VALUE QUALITY_LOW BLANK PICTURE EPOCH_NS STEADY_S
//   silent CAMERA NOW EPOCH_NS STEADY_S
//   ask NOW AGE EPOCH_NS STEADY_S CAMERA...             who is silent
//   forget CAMERA
//   summary CAMERA
//   policy TEXT FRAMES EFFECTIVE RATE                   what a policy says of itself
//   text TEXT                                           the text of a policy, and the numbers of its rule
//   smallest RATE LOW...                                the smallest quality of so many false alarms
// A PICTURE is HEIGHT,WIDTH,CHANNELS,SEED and edits ",ROW,COLUMN,HEIGHT,WIDTH,SEED"; a seed below 0 paints with -SEED - 1.
#include <cinttypes>
#include <cstdio>
#include <iostream>
#include <sstream>

#include "lsood/frame_verdict.hpp"
#include "lsood/stream_calibration.hpp"

namespace {

using lsood::CameraStream;
using Words = std::istringstream;

lsood::Receipt now{1, 1.0};  // set by each command

lsood::Receipt given_time() noexcept { return now; }

template <typename T>
T next(Words& words) {
  T value{};
  words >> value;
  return value;
}

double number(const std::string& word) { return std::strtod(word.c_str(), nullptr); }

std::optional<std::int64_t> time_or_none(Words& words) {
  const auto word = next<std::string>(words);
  return word == "-" ? std::nullopt : std::optional<std::int64_t>(std::strtoll(word.c_str(), nullptr, 10));
}

void read_time(Words& words) {
  now.epoch_ns = next<std::int64_t>(words);
  now.steady_s = number(next<std::string>(words));
}

lsood::State state_of(const std::string& word) {
  for (int i = 0; i <= static_cast<int>(lsood::State::invalid); ++i) {
    if (word == state_name(static_cast<lsood::State>(i))) {
      return static_cast<lsood::State>(i);
    }
  }
  std::fprintf(stderr, "no state: %s\n", word.c_str());
  std::exit(2);
}

std::optional<lsood::TileMask> mask_of(const std::string& word, const std::optional<lsood::TileCheck>& check) {
  if (word == "-" || !check) {
    return std::nullopt;
  }
  lsood::TileMask mask{check->rows, check->columns, {}};
  for (std::size_t i = 0; i < word.size(); ++i) {
    mask.tiles[i] = word[i] == '1';
  }
  return mask;
}

// The pixels of a picture that is given by numbers.
std::vector<std::uint8_t> pixels_of(const std::vector<std::int64_t>& numbers, lsood::Frame& view) {
  view.height = numbers[0];
  view.width = numbers[1];
  view.channels = numbers[2];
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(view.height * view.width * view.channels));
  const auto paint = [&](std::int64_t row, std::int64_t column, std::int64_t height, std::int64_t width,
                         std::int64_t seed) {
    auto state = static_cast<std::uint64_t>(seed);
    for (std::int64_t y = row; y < row + height; ++y) {
      for (std::int64_t i = column * view.channels; i < (column + width) * view.channels; ++i) {
        state = state * 6364136223846793005U + 1442695040888963407U;
        const auto drawn = static_cast<std::uint8_t>(state >> 56);
        const auto place = static_cast<std::size_t>(y * view.width * view.channels + i);
        pixels[place] = seed < 0 ? static_cast<std::uint8_t>(-seed - 1) : drawn;
      }
    }
  };
  paint(0, 0, view.height, view.width, numbers[3]);
  for (std::size_t i = 4; i + 4 < numbers.size(); i += 5) {
    paint(numbers[i], numbers[i + 1], numbers[i + 2], numbers[i + 3], numbers[i + 4]);
  }
  view.data = pixels.data();
  return pixels;
}

std::optional<lsood::ImageDigest> digest_of(const std::string& word) {
  if (word == "-") {
    return std::nullopt;
  }
  std::vector<std::int64_t> numbers;
  std::istringstream parts(word);
  for (std::string part; std::getline(parts, part, ',');) {
    numbers.push_back(std::strtoll(part.c_str(), nullptr, 10));
  }
  lsood::Frame view;
  const std::vector<std::uint8_t> pixels = pixels_of(numbers, view);
  return lsood::image_digest(view);
}

void print(const lsood::Error& error) { std::printf("error %d %s\n", static_cast<int>(error.code), error.message.c_str()); }

std::string text_of(std::optional<std::int64_t> stamp_ns) { return stamp_ns ? std::to_string(*stamp_ns) : "-"; }

// Prints what a stream found, by the verdict that it followed; by default that on no frame.
void print(const lsood::Result<lsood::StreamAssessment>& result, lsood::Assessment verdict = {}) {
  if (!result) {
    print(result.error());
    return;
  }
  const lsood::StreamAssessment& each = result.value();
  if (!lsood::take_in(each, verdict) || verdict.state != each.state) {
    std::puts("error: the verdict has another state than the stream");
    return;
  }
  std::printf("%s %" PRId64 " %s %" PRId64 " %d %d %s %.17g %s", state_name(verdict.state), each.index,
              history_name(each.history), verdict.stamp_ns, each.alarm, each.onset, text_of(each.since_ns).c_str(),
              each.statistic, std::string(each.camera).c_str());
  if (each.quality) {
    std::printf(" %d %d %s %.17g", each.quality->alarm, each.quality->onset, text_of(each.quality->since_ns).c_str(),
                each.quality->statistic);
  } else {
    std::printf(" - - - -");
  }
  std::string mask = "-";
  if (verdict.faulty_tiles) {
    mask.clear();
    for (std::size_t i = 0; i < verdict.faulty_tiles->size(); ++i) {
      mask += verdict.faulty_tiles->tiles[i] ? '1' : '0';
    }
  }
  std::printf(" %s %s\n", mask.c_str(), verdict.reason.c_str());
}

lsood::QualityRecord record_of(Words& words) {
  lsood::QualityRecord record;
  for (std::string low; words >> low;) {
    record.clean_low.push_back(number(low));
  }
  return record;
}

// The stream that is played, and what it is to be made with.
struct Player {
  lsood::StreamOptions options;
  std::optional<CameraStream> stream;

  void open(Words& words) {
    const auto text = next<std::string>(words);
    const lsood::CalibrationSize calibration{next<std::size_t>(words), next<double>(words)};
    const auto after = next<std::string>(words);
    options.frozen_after_s = after == "-" ? std::nullopt : std::optional<double>(number(after));
    options.frozen_tolerance = next<double>(words);
    options.max_cameras = next<std::size_t>(words);
    options.clock = given_time;
    const auto policy = lsood::Policy::parse(text);
    auto opened = policy ? CameraStream::open(policy.value(), calibration, options)
                         : lsood::Result<CameraStream>(policy.error());
    options = {};
    options.tile_check.reset();
    stream.reset();
    if (opened) {
      stream.emplace(std::move(opened).value());
      std::puts("opened");
    } else {
      print(opened.error());
    }
  }

  void quality(Words& words) {
    const auto policy = lsood::Policy::parse(next<std::string>(words));
    const auto rate = next<double>(words), worth = next<double>(words);
    const lsood::QualityRecord record = record_of(words);
    options.quality = lsood::QualityRule{policy.value(), record.clean_low, record.min_quality(rate).value_or(0.0), worth};
  }

  void frame(Words& words, const std::optional<lsood::TileCheck>& check) {
    const auto camera = next<std::string>(words);
    const auto stamp_ns = time_or_none(words);
    lsood::Assessment verdict;
    verdict.state = state_of(next<std::string>(words));
    verdict.p_value = number(next<std::string>(words));
    verdict.quality.low = number(next<std::string>(words));
    verdict.faulty_tiles = mask_of(next<std::string>(words), check);
    const auto digest = digest_of(next<std::string>(words));
    read_time(words);
    print(stream->follow(lsood::frame_verdict(verdict), stamp_ns, digest, camera), verdict);
  }

  void ask(Words& words) const {
    const auto now_ns = time_or_none(words);
    const double age_s = number(next<std::string>(words));
    read_time(words);
    std::vector<std::string> expected;
    for (std::string camera; words >> camera;) {
      expected.push_back(camera);
    }
    const auto silent = stream->silent(now_ns, age_s, expected);
    if (!silent) {
      print(silent.error());
      return;
    }
    for (const auto& each : silent.value()) {
      std::printf("%s %.17g ", each.camera.c_str(), each.age_s);
    }
    std::puts("");
  }

  void summary(const std::string& camera) const {
    const auto found = stream->summary(camera);
    if (!found) {
      print(found.error());
      return;
    }
    const lsood::CameraSummary& all = found.value();
    for (const std::int64_t count :
         {all.frames, all.invalid, all.frozen, all.faulty_tiles, all.clock_faults, all.repeated, all.gaps, all.steps,
          all.other_clock, all.silent, all.alarms, all.quality_alarms}) {
      std::printf("%" PRId64 " ", count);
    }
    std::printf("%.17g\n", stream->frames_per_second(camera).value());
  }
};

void describe_policy(Words& words) {
  const auto policy = lsood::Policy::parse(next<std::string>(words));
  const lsood::CalibrationSize calibration{next<std::size_t>(words), next<double>(words)};
  const auto rate = next<double>(words);
  if (!policy) {
    print(policy.error());
    return;
  }
  if (const auto checked = policy->check(calibration); !checked) {
    print(checked.error());
    return;
  }
  std::printf("%s %" PRId64 " %.17g\n", policy->text().value().c_str(), policy->delay_frames(calibration, rate).value(),
              policy->window_s(calibration, rate).value());
}

// The numbers of a rule to their last bit, behind its text.
void print_text(Words& words) {
  const auto policy = lsood::Policy::parse(next<std::string>(words));
  if (!policy) {
    print(policy.error());
    return;
  }
  std::printf("%s", policy->text().value().c_str());
  const lsood::Policy::Rule& rule = policy->rule();
  if (const auto* count = std::get_if<lsood::KOfN>(&rule)) {
    std::printf(" %d %d\n", count->k, count->n);
  } else if (const auto* between = std::get_if<lsood::Hysteresis>(&rule)) {
    std::printf(" %a %a\n", between->raise_at, between->clear_at);
  } else if (const auto* duration = std::get_if<lsood::MinimumDuration>(&rule)) {
    std::printf(" %a %a\n", duration->seconds, duration->hold_seconds);
  } else if (const auto* sum = std::get_if<lsood::Cusum>(&rule)) {
    std::printf(" %a %a\n", sum->hours_between_false_alarms, sum->frames_per_second);
  }
}

void print_smallest(Words& words) {
  const double rate = number(next<std::string>(words));
  const auto smallest = record_of(words).min_quality(rate);
  smallest ? std::printf("%a\n", *smallest) : std::printf("none\n");
}

}  // namespace

int main() {
  Player player;
  std::optional<lsood::TileCheck> check;
  player.options.tile_check.reset();
  for (std::string line; std::getline(std::cin, line);) {
    Words words(line);
    const auto command = next<std::string>(words);
    if (command == "tiles") {
      check = lsood::TileCheck{next<int>(words), next<int>(words), next<double>(words), next<int>(words)};
      player.options.tile_check = check;
    } else if (command == "quality") {
      player.quality(words);
    } else if (command == "open") {
      player.open(words);
    } else if (command == "policy") {
      describe_policy(words);
    } else if (command == "text") {
      print_text(words);
    } else if (command == "smallest") {
      print_smallest(words);
    } else if (!player.stream) {
      std::puts("error: no stream is open");
    } else if (command == "frame") {
      player.frame(words, check);
    } else if (command == "silent") {
      const auto camera = next<std::string>(words);
      const auto now_ns = time_or_none(words);
      read_time(words);
      print(player.stream->report_silent(camera, now_ns));
    } else if (command == "ask") {
      player.ask(words);
    } else if (command == "forget") {
      const auto forgotten = player.stream->forget(next<std::string>(words));
      forgotten ? static_cast<void>(std::puts("forgotten")) : print(forgotten.error());
    } else if (command == "summary") {
      player.summary(next<std::string>(words));
    } else {
      std::fprintf(stderr, "no command: %s\n", line.c_str());
      return 2;
    }
    std::fflush(stdout);
  }
}
