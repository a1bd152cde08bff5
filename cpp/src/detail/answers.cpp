// SPDX-License-Identifier: Apache-2.0
#include "detail/answers.hpp"

#include <algorithm>
#include <cmath>

#include "detail/names.hpp"

namespace lsood::detail {

namespace {

constexpr double kLargestSeverity = 5.0, kRounding = 1e-6;
constexpr double kCellRounding = 1e-4;  // of sums of single precision over all cells of a map

}  // namespace

TileBits abnormal_tiles(const double* distances, std::size_t rows, std::size_t columns, double limit, double neighbor_limit) {
  TileBits abnormal, candidates;
  for (std::size_t i = 0; i < rows * columns; ++i) {
    abnormal[i] = distances[i] > limit;
    candidates[i] = distances[i] > neighbor_limit;
  }
  while (true) {
    TileBits grown = abnormal;
    for (std::size_t i = 0; i < rows * columns; ++i) {
      if (!candidates[i] || abnormal[i]) continue;
      const std::size_t row = i / columns, column = i % columns;
      for (std::size_t y = row == 0 ? 0 : row - 1; y <= std::min(row + 1, rows - 1); ++y) {
        for (std::size_t x = column == 0 ? 0 : column - 1; x <= std::min(column + 1, columns - 1); ++x) {
          if (abnormal[y * columns + x]) grown.set(i);
        }
      }
    }
    if (grown == abnormal) return abnormal;
    abnormal = grown;
  }
}

AnswerRule::AnswerRule(const Manifest& manifest) : record_(manifest.answers) {
  if (!record_) return;
  if (record_->tiles) {
    const std::int64_t rows = record_->tiles->rows, columns = record_->tiles->columns;
    tile_names_.emplace(static_cast<std::size_t>(rows), static_cast<std::size_t>(columns));
    tile_edges_ = tile_edges(manifest.input, rows, columns);
  }
  if (record_->map) {
    const MapRecord& map = *record_->map;
    map_rule_.emplace(map, cell_edges(manifest.input, manifest.segmentation, map.rows, map.columns));
  }
}

const char* AnswerRule::quality_name() const {
  return record_->quality->measure == "miou" ? "expected mIoU" : "expected agreement";
}

void AnswerRule::answer(const AnswerRows& rows, const SegmentationView& segmentation, Assessment& into) {
  forget(into);
  if (!record_) return;
  const bool is_known = record_->novelty_limit && *rows.novelty <= *record_->novelty_limit;  // NaN and infinity are not
  if (record_->quality) answer_quality(rows, is_known, into.quality);
  if (record_->cause) answer_cause(rows, is_known, into.cause);
  if (record_->tiles) answer_tiles(rows, into.tiles);
  if (record_->confidence) answer_confidence(rows, into.class_confidence);
  if (!map_rule_) return;
  into.objects.is_told = true;
  const bool is_finite = std::all_of(rows.map, rows.map + map_rule_->cells(), [](float cell) { return std::isfinite(cell); });
  if (is_finite) {
    into.anomaly_map = rows.map;
    map_rule_->find(rows.map, segmentation, into.objects);
    if (record_->novelty_limit && !is_known && into.objects.count == 0) {  // noise, or a black road, shows nothing
      into.objects.count.reset();
      into.objects.words = kUnknown;
    }
  } else {
    into.objects.words = kUnknown;
  }
}

void AnswerRule::answer_quality(const AnswerRows& rows, bool is_known, QualityAnswer& into) const {
  const double expected = rows.quality[0], low = rows.quality[1], high = rows.quality[2];
  into = {true, kNaN, kNaN, record_->quality->at_most};
  if (is_known && 0 <= low && low <= expected && expected <= high && high <= 1) into = {true, expected, low, high};
}

void AnswerRule::answer_cause(const AnswerRows& rows, bool is_known, CauseAnswer& into) {
  const CauseRecord& record = *record_->cause;
  const std::size_t count = record.names.size();
  const double* shares = rows.causes;
  double total = 0;
  for (std::size_t i = 0; i < count; ++i) {
    is_known = is_known && shares[i] >= 0;
    total += shares[i];
  }
  is_known = is_known && std::abs(total - 1) <= kRounding && 0 <= *rows.severity && *rows.severity <= kLargestSeverity;
  into.is_told = true;
  into.cause = kUnknown;
  if (!is_known) return;
  order_.resize(count);
  for (std::size_t i = 0; i < count; ++i) order_[i] = i;
  std::sort(order_.begin(), order_.end(), [shares](std::size_t one, std::size_t other) {
    return shares[one] != shares[other] ? shares[one] > shares[other] : one < other;
  });
  for (const std::size_t i : order_) {
    if (shares[i] >= record.set_threshold) into.set.push_back(record.names[i]);
  }
  if (into.set.empty()) return;
  into.cause = into.set.front();
  into.probability = shares[order_.front()];
  const bool is_own = std::any_of(record.own.begin(), record.own.end(), [&into](const auto& own) { return own.first == into.cause; });
  into.severity = into.cause == kNoCause ? 0.0 : is_own ? kNaN : *rows.severity;
}

// Mean confidence of the cells of each class; 0 for a class without a cell, and where it is unknown.
void AnswerRule::answer_confidence(const AnswerRows& rows, std::vector<double>& into) const {
  const std::size_t count = record_->confidence->shares.size();
  const double* shares = rows.confidence;
  const double* sums = shares + count;
  into.assign(count, 0);
  double total = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (!(shares[i] >= 0) || !(sums[i] >= 0) || !(sums[i] <= shares[i] + kCellRounding)) return;
    total += shares[i];
  }
  if (!(std::abs(total - 1) <= kCellRounding)) return;
  for (std::size_t i = 0; i < count; ++i) {
    if (shares[i] > 0) into[i] = std::min(sums[i] / shares[i], 1.0);
  }
}

void AnswerRule::set_unknown_tiles(TilesAnswer& into) const {
  const auto count = static_cast<std::size_t>(record_->tiles->rows * record_->tiles->columns);
  into.is_told = true;
  into.rows = record_->tiles->rows;
  into.columns = record_->tiles->columns;
  into.abnormal.assign(count, 0);
  into.values.assign(count, kNaN);
  into.words.clear();
}

void AnswerRule::answer_tiles(const AnswerRows& rows, TilesAnswer& into) const {
  const TilesRecord& record = *record_->tiles;
  set_unknown_tiles(into);
  const std::size_t count = into.values.size();
  if (!std::all_of(rows.tiles, rows.tiles + count, [](double each) { return each >= 0 && std::isfinite(each); })) return;
  const TileBits abnormal = abnormal_tiles(rows.tiles, static_cast<std::size_t>(record.rows),
                                           static_cast<std::size_t>(record.columns), record.limit, record.neighbor_limit);
  for (std::size_t i = 0; i < count; ++i) {
    into.abnormal[i] = abnormal[i] ? 1 : 0;
    into.values[i] = rows.tiles[i] / record.limit;
  }
  if (abnormal.any()) tile_names_->append_words(abnormal, tiles_in_frame(*tile_edges_, abnormal), into.words);
}

void AnswerRule::set_unknown(Assessment& into) const {
  forget(into);
  if (!record_) return;
  into.quality.is_told = record_->quality.has_value();
  if (record_->cause) {
    into.cause.is_told = true;
    into.cause.cause = kUnknown;
  }
  if (record_->tiles) set_unknown_tiles(into.tiles);
  if (record_->confidence) into.class_confidence.assign(record_->confidence->shares.size(), 0);
  if (map_rule_) {
    into.objects.is_told = true;
    into.objects.words = kUnknown;
  }
}

void AnswerRule::forget(Assessment& into) {
  into.quality = {};
  into.cause.is_told = into.tiles.is_told = into.objects.is_told = false;
  into.cause.cause = {};
  into.cause.probability = into.cause.severity = kNaN;
  into.cause.set.clear();
  into.tiles.rows = into.tiles.columns = 0;
  into.tiles.abnormal.clear();
  into.tiles.values.clear();
  into.tiles.words.clear();
  into.objects.objects.clear();
  into.objects.count.reset();
  into.objects.words.clear();
  into.anomaly_map = nullptr;
  into.class_confidence.clear();
}

}  // namespace lsood::detail
