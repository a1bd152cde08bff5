// SPDX-License-Identifier: Apache-2.0
#include "detail/self_test.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "detail/failure.hpp"
#include "detail/names.hpp"
#include "detail/time_limit.hpp"
#include "detail/words.hpp"

namespace lsood {

namespace detail {

namespace {

// Share of the cells of an anomaly map that may differ by any amount, in regions that are smaller than any object.
constexpr double kMapCells = 0.01;
constexpr double kSumTolerance = 1e-9, kSecondsOnCpu = 60, kSecondsElsewhere = 1800;

double ranged(const std::string& name, const AnswersRecord& answers) {
  if (name == kSeverity) return 5;
  if (name == kNovelty) return *answers.novelty_limit;
  if (name == kTiles) return answers.tiles->limit;
  if (name == kAnomalyMap) return std::max(answers.map->object_limit, 1.0);
  return 1;
}

// Largest of these distances, NaN where one is; with `share` but for that share of them, interpolated.
double largest(std::vector<double>& apart, double share) {
  if (std::any_of(apart.begin(), apart.end(), [](double each) { return std::isnan(each); })) return kNaN;
  std::sort(apart.begin(), apart.end());
  const double place = (1 - share) * static_cast<double>(apart.size() - 1);
  const auto lower = static_cast<std::size_t>(place);
  const std::size_t upper = std::min(lower + 1, apart.size() - 1);
  const double rest = place - static_cast<double>(lower);
  return rest == 0 ? apart[lower] : apart[lower] + (apart[upper] - apart[lower]) * rest;
}

// Distances of the answers on a frame from those at export.
template <typename T>
std::vector<double> distances(const Tensor& got, const Array& expected, std::size_t frame) {
  std::vector<double> apart(got.form.elements());
  for (std::size_t i = 0; i < apart.size(); ++i) {
    apart[i] = std::abs(static_cast<double>(got.data<T>()[i]) - static_cast<double>(expected.at<T>(frame * apart.size() + i)));
  }
  return apart;
}

// Cells of the largest region, each with its eight neighbours, of those that are so far apart at least.
std::int64_t largest_region(const std::vector<double>& apart, double least, std::size_t rows, std::size_t columns) {
  std::vector<bool> is_left(apart.size());
  for (std::size_t i = 0; i < apart.size(); ++i) is_left[i] = apart[i] >= least;
  std::vector<std::size_t> open;
  std::int64_t most = 0;
  for (std::size_t start = 0; start < apart.size(); ++start) {
    if (!is_left[start]) continue;
    std::int64_t size = 0;
    is_left[start] = false;
    open.push_back(start);
    while (!open.empty()) {
      const std::size_t row = open.back() / columns, column = open.back() % columns;
      open.pop_back();
      ++size;
      for (std::size_t y = row == 0 ? 0 : row - 1; y <= std::min(row + 1, rows - 1); ++y) {
        for (std::size_t x = column == 0 ? 0 : column - 1; x <= std::min(column + 1, columns - 1); ++x) {
          if (!is_left[y * columns + x]) continue;
          is_left[y * columns + x] = false;
          open.push_back(y * columns + x);
        }
      }
    }
    most = std::max(most, size);
  }
  return most;
}

// Largest distance of a map from that at export but for a few cells. Cells that touch and are together as large as the smallest
// object count, however few they are: they can be an object, or hide one.
double map_distance(const std::vector<double>& apart, const MapRecord& map) {
  std::vector<double> sorted = apart;
  const double usual = largest(sorted, kMapCells);
  if (std::isnan(usual)) return usual;
  std::vector<double> values(std::upper_bound(sorted.begin(), sorted.end(), usual), sorted.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  const auto rows = static_cast<std::size_t>(map.rows), columns = static_cast<std::size_t>(map.columns);
  const auto first_below = std::partition_point(values.begin(), values.end(), [&](double least) {
    return largest_region(apart, least, rows, columns) >= map.smallest_object;
  });
  return first_below == values.begin() ? usual : *(first_below - 1);
}

// Whether the parts are finite and their sum is the score: one that is left out of it could never raise it.
bool adds_up(const double* parts, std::size_t count, double score) {
  double sum = 0, size = 0;
  for (std::size_t i = 0; i < count; ++i) {
    sum += parts[i];
    size += std::abs(parts[i]);
  }
  return std::abs(sum - score) <= kSumTolerance * std::max(1.0, size);
}

double pixel_changes(const SegmentationView& got, const Array& expected, std::size_t frame) {
  const std::size_t size = got.height * got.width;
  std::size_t changed = 0;
  for (std::size_t pixel = 0; pixel < size; ++pixel) {
    const std::int64_t wanted = expected.type == "|u1" ? std::int64_t{expected.at<std::uint8_t>(frame * size + pixel)}
                                                       : std::int64_t{expected.at<std::uint16_t>(frame * size + pixel)};
    changed += got.class_at(pixel / got.width, pixel % got.width) != wanted;
  }
  return static_cast<double>(changed) / static_cast<double>(size);
}

double answer_error(const FramePass& pass, const Golden& golden, const AnswersRecord& answers, std::size_t frame) {
  std::vector<double> errors;
  for (const auto& [name, expected] : golden.answers) {
    const Tensor& got = pass.output(name);
    double apart = 0;
    if (name == kAnomalyMap) {
      apart = map_distance(distances<float>(got, expected, frame), *answers.map);
    } else {
      std::vector<double> each = distances<double>(got, expected, frame);
      apart = largest(each, 0);
    }
    errors.push_back(apart / ranged(name, answers));
  }
  return largest(errors, 0);
}

void run_frame(FramePass& pass, const Golden& golden, std::size_t frame, const TimeLimit& limit) {
  const std::size_t size = golden.frames.bytes.size() / golden.count;
  const std::vector<Tensor*> noise = pass.noise();
  for (std::size_t i = 0; i < noise.size(); ++i) {
    const std::size_t length = golden.noise[i].bytes.size() / golden.count;
    std::memcpy(noise[i]->data<char>(), golden.noise[i].bytes.data() + frame * length, length);
  }
  pass.run(golden.frames.data() + frame * size, limit.options());
}

double of_kind(const Named<double>& values, bool is_cpu) {
  const double* found = find_named(values, is_cpu ? "cpu" : "gpu");
  return found == nullptr ? 0.0 : *found;
}

// `99.50%`.
std::string percent(double share) {
  std::string text;
  append(text, Formatted{"%.2f", 100 * share}, "%");
  return text;
}

}  // namespace

SelfTest replay(FramePass& pass, const Golden& golden, const Manifest& manifest, const std::string& provider,
                std::optional<double> seconds) {
  const bool is_cpu = provider == provider_name("cpu");
  const double most = seconds.value_or(is_cpu ? kSecondsOnCpu : kSecondsElsewhere);
  if (!(most > 0 && most < 1e9)) fail(ErrorCode::argument, "expected self_test_seconds above 0: leave it out for the default");
  const TimeLimit limit(most);
  SelfTest test;
  test.tolerance = of_kind(manifest.golden.tolerance, is_cpu);
  test.pixel_tolerance = of_kind(manifest.golden.pixel_changes, is_cpu);
  test.answer_tolerance = of_kind(manifest.golden.answers, is_cpu);
  for (std::size_t i = 0; i < golden.count; ++i) {
    try {
      run_frame(pass, golden, i, limit);
    } catch (const Failure&) {
      if (!limit.is_over()) throw;
    }
    if (limit.is_over()) {
      std::string text;
      append(text, "expected the ", golden.count, " golden frames within ", Formatted{"%g", most}, " s, they take longer on ",
             provider, ": pass a larger self_test_seconds if this machine is so slow");
      fail(ErrorCode::self_test, text);
    }
    const double score = pass.score();
    const bool adds = pass.parts() == nullptr || adds_up(pass.parts(), manifest.detector.parts.size(), score);
    test.scores.push_back(adds ? score : kNaN);
    test.expected.push_back(golden.scores.at<double>(i));
    if (golden.classes) test.pixel_changes.push_back(pixel_changes(pass.segmentation(), *golden.classes, i));
    if (!golden.answers.empty()) test.answer_errors.push_back(answer_error(pass, golden, *manifest.answers, i));
  }
  return test;
}

}  // namespace detail

Result<void> SelfTest::require(const std::string& provider) const noexcept {
  return detail::guarded([&] {
    const auto fail = [&provider](const std::string& expected, const std::string& got, const char* what) {
      detail::fail(ErrorCode::self_test, "expected " + expected + ", got " + got + " on " + provider + ": this machine computes " +
                                             "other " + what + " than the exporter; do not rely on it, try another provider or " +
                                             "export the bundle again");
    };
    for (std::size_t i = 0; i < scores.size(); ++i) {
      if (std::abs(scores[i] - expected[i]) <= tolerance) continue;
      std::string wanted = "golden frame ", got;
      detail::append(wanted, i, " to score ", detail::Formatted{"%.6g", expected[i]}, " within ",
                     detail::Formatted{"%.3g", tolerance});
      detail::append(got, detail::Formatted{"%.6g", scores[i]});
      fail(wanted, got, "scores");
    }
    for (std::size_t i = 0; i < pixel_changes.size(); ++i) {
      if (pixel_changes[i] <= pixel_tolerance) continue;
      fail("golden frame " + std::to_string(i) + " to have its classes but for " + detail::percent(pixel_tolerance) +
               " of its pixels", detail::percent(pixel_changes[i]) + " of another class", "classes");
    }
    for (std::size_t i = 0; i < answer_errors.size(); ++i) {
      if (answer_errors[i] <= answer_tolerance) continue;
      fail("the answers on golden frame " + std::to_string(i) + " within " + detail::percent(answer_tolerance) +
               " of their ranges", detail::percent(answer_errors[i]), "answers");
    }
  });
}

}  // namespace lsood
