// SPDX-License-Identifier: Apache-2.0
#include "detail/verdict.hpp"

#include <algorithm>
#include <cmath>

#include "detail/failure.hpp"
#include "detail/operating_point.hpp"
#include "detail/words.hpp"

namespace lsood::detail {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// A number that a caller gave, for a message.
std::string in_words(double number) {
  std::string text;
  append(text, Formatted{"%g", number});
  return text;
}

}  // namespace

VerdictRule::VerdictRule(const Manifest& manifest, const VerdictOptions& options)
    : operating_point_(options.operating_point.empty() ? manifest.operating_point : options.operating_point),
      scores_(manifest.calibration.scores), options_(options), answers_(manifest) {
  threshold_ = point_of(manifest, operating_point_).value;
  for (const PartRecord& part : manifest.detector.parts) part_names_.push_back(part.name);
  if (options.deadline_ms && !(*options.deadline_ms > 0)) {
    fail(ErrorCode::argument, "expected a deadline above 0 ms, got " + in_words(*options.deadline_ms) + ": leave it out for none");
  }
  if (!options.min_quality) return;
  const std::string smallest = in_words(*options.min_quality);
  if (!(0 < *options.min_quality && *options.min_quality <= 1)) {
    fail(ErrorCode::argument, "expected a min_quality above 0 and at most 1, got " + smallest + ": leave it out for no such rule");
  }
  if (!answers_.tells_quality()) {
    fail(ErrorCode::bundle, "expected a bundle that tells the quality of its segmentation with min_quality " + smallest +
                                ", this one does not: calibrate it with --answers quality, or leave it out");
  }
}

double VerdictRule::p_value(double score) const {
  if (!std::isfinite(score)) return kNaN;
  const auto below = std::lower_bound(scores_.begin(), scores_.end(), score) - scores_.begin();
  const auto count = static_cast<double>(scores_.size());
  return (1 + count - static_cast<double>(below)) / (count + 1);
}

double VerdictRule::finite_score(double score, const double* parts) const {
  bool is_finite = std::isfinite(score);
  for (std::size_t i = 0; parts != nullptr && i < part_names_.size(); ++i) is_finite = is_finite && std::isfinite(parts[i]);
  return is_finite ? score : kInfinity;
}

// Say why there is no score to rely on, naming the parts that are not finite.
void VerdictRule::append_score_fault(double score, const std::vector<double>& parts, std::string& text) const {
  bool is_broken = false;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (std::isfinite(parts[i])) continue;
    append(text, is_broken ? "; " : "expected finite parts of the score, got ", Formatted{"%g", parts[i]}, " for ", part_names_[i]);
    is_broken = true;
  }
  if (is_broken) {
    append(text, ": the graphs cannot make sense of this frame");
  } else if (!std::isfinite(score)) {
    append(text, "expected a finite score, got none: the graphs cannot make sense of this frame");
  }
}

void VerdictRule::append_low_quality(const Assessment& into, std::string& text) const {
  append(text, "the ", answers_.quality_name());
  if (std::isfinite(into.quality.low)) {
    append(text, " may be as low as ", Formatted{"%.3g", into.quality.low}, ", below ", Formatted{"%g", *options_.min_quality});
    return;
  }
  append(text, " unknown");
  if (into.quality.high < 1) append(text, ", at most ", Formatted{"%.2f", into.quality.high});
  append(text, ", and so not known to be ", Formatted{"%g", *options_.min_quality}, " or more");
}

void VerdictRule::decide(std::string_view fault, std::string_view stamp_fault, double latency_ms, std::int64_t stamp_ns,
                         Assessment& into) const {
  const bool is_above = into.score > threshold_;
  into.threshold = threshold_;
  into.p_value = p_value(into.score);
  into.latency_ms = latency_ms;
  into.stamp_ns = stamp_ns;
  into.is_late = options_.deadline_ms && latency_ms > *options_.deadline_ms;
  std::string& reason = into.reason;
  reason.assign(fault);
  if (reason.empty()) append_score_fault(into.score, into.parts, reason);
  if (reason.empty()) append(reason, stamp_fault);
  into.is_ood = is_above || !reason.empty();
  if (!reason.empty()) {
    into.state = State::invalid;
    answers_.set_unknown(into);
    return;
  }
  into.state = State::ok;
  const auto next = [&reason] { append(reason, reason.empty() ? "" : "; "); };
  if (is_above) {
    into.state = State::out_of_distribution;
    append(reason, "the score is above ", Formatted{"%.6g", threshold_});
    if (!into.parts.empty()) {
      const auto largest = std::max_element(into.parts.begin(), into.parts.end());
      append(reason, ", the largest part is ", part_names_[static_cast<std::size_t>(largest - into.parts.begin())], " with ",
             Formatted{"%.3g", *largest});
    }
  }
  if (options_.min_quality && into.quality.is_told && !(into.quality.low >= *options_.min_quality)) {
    if (into.state == State::ok) into.state = State::low_quality;
    next();
    append_low_quality(into, reason);
  }
  if (into.is_late) {
    if (into.state == State::ok) into.state = State::late;
    next();
    append(reason, "it took ", Formatted{"%.1f", latency_ms}, " ms, the deadline is ", Formatted{"%g", *options_.deadline_ms}, " ms");
  }
}

void VerdictRule::decide_unseen(std::string_view fault, double latency_ms, std::int64_t stamp_ns, Assessment& into) const {
  into.score = kInfinity;
  into.parts.assign(part_names_.size(), kNaN);
  into.classes = nullptr;
  into.logits = nullptr;
  into.faulty_tiles.reset();
  into.tile_faults.clear();
  decide(fault, "", latency_ms, stamp_ns, into);
}

}  // namespace lsood::detail
