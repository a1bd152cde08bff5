// SPDX-License-Identifier: Apache-2.0
// The answers beside the score: expected quality, cause and severity, abnormal tiles, anomaly map and unknown objects.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "detail/edges.hpp"
#include "detail/objects.hpp"
#include "detail/region_words.hpp"
#include "lsood/assessment.hpp"
#include "lsood/manifest.hpp"

namespace lsood::detail {

// What the graph gives for a frame beside the score; nullptr for what the bundle does not answer.
struct AnswerRows {
  const double* quality = nullptr;  // (3): expected, low, high
  const double* causes = nullptr;   // (1 + K)
  const double* severity = nullptr;
  const double* tiles = nullptr;  // (rows, columns)
  const float* map = nullptr;     // (h, w)
  const double* confidence = nullptr;  // (2, K): shares of the cells by class, and the sums of their confidences
  const double* novelty = nullptr;
};

// Turns these numbers into answers, and into `unknown` where they cannot be relied on: where the frame is further from
// everything seen than the bundle's limit, or where a number is none that the answer can have.
class AnswerRule {
 public:
  explicit AnswerRule(const Manifest& manifest);

  // Allocates nothing once the assessment and the working memory have grown.
  void answer(const AnswerRows& rows, const SegmentationView& segmentation, Assessment& into);

  // All answers that the bundle gives, unknown: of a frame that no working camera sent.
  void set_unknown(Assessment& into) const;

  [[nodiscard]] bool tells_quality() const { return record_ && record_->quality; }
  // `expected mIoU`, or `expected agreement`.
  [[nodiscard]] const char* quality_name() const;

 private:
  void answer_quality(const AnswerRows& rows, bool is_known, QualityAnswer& into) const;
  void answer_cause(const AnswerRows& rows, bool is_known, CauseAnswer& into);
  void answer_tiles(const AnswerRows& rows, TilesAnswer& into) const;
  void answer_confidence(const AnswerRows& rows, std::vector<double>& into) const;
  void set_unknown_tiles(TilesAnswer& into) const;
  // Leaves no answer of the frame before, which may be of another monitor's: what its texts lie in may be gone.
  static void forget(Assessment& into);

  std::optional<AnswersRecord> record_;
  std::optional<RegionNames> tile_names_;
  std::optional<TileEdges> tile_edges_;
  std::optional<MapRule> map_rule_;
  std::vector<std::size_t> order_;
};

// The abnormal tiles: those above the limit, then, step by step, those above the lower limit that touch one of them.
TileBits abnormal_tiles(const double* distances, std::size_t rows, std::size_t columns, double limit, double neighbor_limit);

}  // namespace lsood::detail
