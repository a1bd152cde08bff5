// SPDX-License-Identifier: Apache-2.0
// Check that thresholds and tolerances follow from the calibration scores that the manifest keeps.
#include <algorithm>
#include <cmath>

#include "detail/manifest_checks.hpp"

namespace lsood::detail {

namespace {

constexpr double kRounding = 1e-8, kSmallestSpread = 1e-3, kFreshDeviations = 10, kMostPixels = 0.1, kPixelFactor = 2;
constexpr double kSmall = 0x1p-60;  // a power of two rounds nothing, and differences of the largest numbers are finite

bool is_cpu(const std::string& provider) { return provider == "cpu"; }

// The quantile of ascending scores, in units of 1 / kSmall.
double small_quantile(const std::vector<double>& scores, double share) {
  const double place = share * static_cast<double>(scores.size() - 1);
  const auto lower = static_cast<std::size_t>(place);
  const std::size_t upper = std::min(lower + 1, scores.size() - 1);
  const double a = scores[lower] * kSmall, b = scores[upper] * kSmall;
  return a + (b - a) * (place - static_cast<double>(lower));
}

double largest_tolerance(const std::vector<double>& scores, bool fresh, const std::string& provider) {
  const double range = (scores.back() * kSmall - scores.front() * kSmall) / kSmall;
  const double by_chance = fresh ? std::max(range, kSmallestSpread) : 0.0;
  const double quarters = (small_quantile(scores, 0.75) - small_quantile(scores, 0.25)) / kSmall;
  return (is_cpu(provider) ? 0.02 : 0.2) * std::max(quarters, kSmallestSpread) + kFreshDeviations * by_chance;
}

void check_pixels(const Manifest& manifest) {
  const auto& shares = manifest.golden.pixel_changes;
  const bool named = shares.empty() || (shares.size() == 2 && find_named(shares, "cpu") && find_named(shares, "gpu"));
  check("golden.pixel_changes", named, "cpu and gpu, or nothing", shares);
  const double measured = manifest.parity.segmentation_disagreement + manifest.precision.pixel_changes;
  for (const auto& [provider, share] : shares) {
    const double largest = std::min(kMostPixels, (is_cpu(provider) ? 0.005 : 0.02) + kPixelFactor * measured);
    check("golden.pixel_changes." + provider, within(0.0, share, largest * (1 + kRounding)),
          "from 0 to " + shown(largest) + ", by what the export measured", share);
  }
}

// Weight of the first frames of drives that weigh the same, drive after drive.
double weight_of_first(const std::vector<double>& sizes, double count) {
  double before = 0, weight = 0;
  for (const double size : sizes) {
    weight += std::clamp(count - before, 0.0, size) / size;
    before += size;
  }
  return weight / static_cast<double>(sizes.size());
}

struct Shares {
  double lightest, heaviest;
};

// Weight of the `count` lightest and of the `count` heaviest frames, of the weight of all.
Shares shares_of(const CalibrationRecord& calibration, const std::string& weigh, std::size_t counted) {
  const auto count = static_cast<double>(counted);
  std::vector<double> sizes;
  for (const auto& drive : calibration.drives) sizes.push_back(static_cast<double>(drive.second));
  if (weigh == "frames") {
    const double share = count / static_cast<double>(calibration.scores.size());
    return {share, share};
  }
  std::sort(sizes.begin(), sizes.end(), std::greater<>());  // frames of long drives are light
  const double lightest = weight_of_first(sizes, count);
  std::reverse(sizes.begin(), sizes.end());
  return {lightest, weight_of_first(sizes, count)};
}

void check_threshold(const std::string& where, const OperatingPoint& point, const CalibrationRecord& calibration) {
  const auto& scores = calibration.scores;
  const std::string& weigh = point.weigh.empty() ? point.guarantee : point.weigh;
  const auto units = static_cast<double>(point.guarantee == "drives" ? calibration.drives.size() : scores.size());
  const double allowed = point.false_alarm_rate - (1 - point.false_alarm_rate) / units;
  const auto range = std::equal_range(scores.begin(), scores.end(), point.value);
  const auto above = static_cast<std::size_t>(scores.end() - range.second);
  const auto from_here = static_cast<std::size_t>(scores.end() - range.first);
  check(where, above < from_here, "one of the calibration scores", point.value);
  const double reached = allowed + kRounding;  // as the export compares: a share that is equal but for rounding is allowed
  const bool fits = shares_of(calibration, weigh, above).lightest <= reached + kRounding &&
                    (shares_of(calibration, weigh, from_here).heaviest > reached - kRounding / 2 || from_here == scores.size());
  check(where, fits, "the smallest score above which at most a share " + shown(std::max(allowed, 0.0)) +
                         " of them lie, as the rate " + shown(point.false_alarm_rate) + " demands", point.value);
}

}  // namespace

void check_thresholds_and_tolerances(const Manifest& manifest) {
  for (const char* provider : {"cpu", "gpu"}) {
    const double tolerance = *find_named(manifest.golden.tolerance, provider);
    const double largest = largest_tolerance(manifest.calibration.scores, manifest.masks.mode == "fresh", provider);
    check(std::string("golden.tolerance.") + provider, within(0.0, tolerance, largest * (1 + kRounding)),
          "from 0 to " + shown(largest) + ", by the calibration scores", tolerance);
  }
  check_pixels(manifest);
  for (const auto& [name, point] : manifest.operating_points) {
    check_threshold("operating_points." + name + ".value", point, manifest.calibration);
  }
}

}  // namespace lsood::detail
