// SPDX-License-Identifier: Apache-2.0
// Decide the verdict on a frame from its score: threshold, p-value, deadline, smallest quality.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "detail/answers.hpp"
#include "lsood/assessment.hpp"
#include "lsood/manifest.hpp"

namespace lsood::detail {

struct VerdictOptions {
  std::string operating_point;
  std::optional<double> min_quality, deadline_ms;
};

class VerdictRule {
 public:
  // A failure where an option is out of range, or the bundle has no such operating point or tells no quality.
  VerdictRule(const Manifest& manifest, const VerdictOptions& options);

  [[nodiscard]] double threshold() const { return threshold_; }
  [[nodiscard]] const std::string& operating_point() const { return operating_point_; }
  [[nodiscard]] double p_value(double score) const;
  AnswerRule& answers() { return answers_; }

  // The score, or infinity where it or a part is no finite number: NaN would pass every threshold.
  [[nodiscard]] double finite_score(double score, const double* parts) const;

  // Decides on a frame whose score, parts and answers the assessment holds; allocates nothing once it has grown.
  //   fault  why the frame is no camera's image; empty where nothing is wrong
  //   stamp_fault  what is wrong with its stamp, told where nothing else is
  void decide(std::string_view fault, std::string_view stamp_fault, double latency_ms, std::int64_t stamp_ns,
              Assessment& into) const;

  // The verdict on a frame that no graph has seen.
  void decide_unseen(std::string_view fault, double latency_ms, std::int64_t stamp_ns, Assessment& into) const;

 private:
  void append_score_fault(double score, const std::vector<double>& parts, std::string& text) const;
  void append_low_quality(const Assessment& into, std::string& text) const;

  double threshold_ = 0;
  std::string operating_point_;
  std::vector<double> scores_;
  std::vector<std::string> part_names_;
  VerdictOptions options_;
  AnswerRule answers_;
};

}  // namespace lsood::detail
