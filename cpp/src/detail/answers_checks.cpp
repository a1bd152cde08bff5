// SPDX-License-Identifier: Apache-2.0
// Check what a manifest states of the answers beside the score.
#include <algorithm>
#include <cctype>
#include <set>

#include "detail/manifest_checks.hpp"

namespace lsood::detail {

namespace {

constexpr double kLargestSeverity = 5.0;
constexpr std::int64_t kMostTiles = 16;

using Kinds = std::vector<std::string>;

void check_shares(const std::string& where, std::initializer_list<double> shares) {
  for (const double share : shares) check(where, within(0.0, share, 1.0), "shares from 0 to 1", share);
}

// Whether a name can stand for a kind of degradation: a word, and not one of those for no kind.
bool is_kind(const std::string& name) {
  const bool has_space = std::any_of(name.begin(), name.end(), [](unsigned char each) { return std::isspace(each) != 0; });
  return !is_one_of(name, {"", kNoCause, kUnknown}) && !has_space && is_printable(name);
}

bool is_among(const std::string& name, const Kinds& kinds) {
  return std::find(kinds.begin(), kinds.end(), name) != kinds.end();
}

void check_quality(const QualityRecord& quality, const Kinds& kinds) {
  const std::string where = "answers.quality";
  check(where + ".measure", is_one_of(quality.measure, {"miou", "agreement"}), "miou or agreement", quality.measure);
  check(where + ".coverage", 0 < quality.coverage && quality.coverage < 1, "between 0 and 1", quality.coverage);
  const std::string& worst = quality.worst_kind;
  check(where + ".worst_kind", worst == kNoCause || is_among(worst, kinds), "one of answers.kinds", worst);
  const std::pair<const char*, double> shares[] = {{".covered", quality.covered},
                                                   {".worst_kind_covered", quality.worst_kind_covered},
                                                   {".median_width", quality.median_width},
                                                   {".constant_width", quality.constant_width},
                                                   {".mean_absolute_error", quality.mean_absolute_error},
                                                   {".constant_error", quality.constant_error},
                                                   {".at_most", quality.at_most}};
  for (const auto& [name, share] : shares) check(where + name, within(0.0, share, 1.0), "from 0 to 1", share);
  const auto& lows = quality.clean_low;
  const bool ascending = !lows.empty() && std::is_sorted(lows.begin(), lows.end()) && lows.front() >= 0 && lows.back() <= 1;
  check(where + ".clean_low", ascending, "one or more ascending numbers from 0 to 1", lows);
  const auto& drives = quality.clean_drives;
  const bool whole = drives.empty() || (drives.size() == lows.size() && *std::min_element(drives.begin(), drives.end()) >= 0);
  check(where + ".clean_drives", whole, "nothing, or a number of at least 0 for each of clean_low", drives);
  const std::size_t count = quality.rate_low.size();
  const bool counted = count == quality.rate_high.size() && (count == 0 || count == lows.size() + 1);
  check(where + ".rate_low", counted, "as many as rate_high, none or one more than clean_low", quality.rate_low);
  for (std::size_t i = 0; i < count; ++i) {
    const bool holds = 0 <= quality.rate_low[i] && quality.rate_low[i] <= quality.rate_high[i] && quality.rate_high[i] <= 1;
    check(where + ".rate_high", holds, "shares of at least rate_low", quality.rate_high[i]);
  }
  const auto correlation = quality.spearman;
  check(where + ".spearman", !correlation || within(-1.0, *correlation, 1.0), "from -1 to 1, or null", correlation);
}

void check_cause(const CauseRecord& cause, const Kinds& kinds) {
  const std::string where = "answers.cause";
  Kinds names{kNoCause};
  names.insert(names.end(), kinds.begin(), kinds.end());
  check(where + ".names", cause.names == names, "none, then answers.kinds", cause.names);
  check(where + ".coverage", 0 < cause.coverage && cause.coverage < 1, "between 0 and 1", cause.coverage);
  for (const auto& [name, share] : cause.right) {
    check(where + ".right", is_one_of(name, {"1", "2", "3", "4", "5"}), "shares by severity, 1 to 5", name);
    check_shares(where, {share});
  }
  for (const auto& [name, share] : cause.own) {
    check(where + ".own", is_among(name, kinds), "shares by kinds of answers.kinds", name);
    check_shares(where, {share});
  }
  check_shares(where, {cause.set_threshold, cause.clean_kept});
  check(where + ".severity_error", within(0.0, cause.severity_error, kLargestSeverity), "from 0 to 5", cause.severity_error);
}

// Frames that set a limit, where they are recorded, can promise its rate.
template <typename Record>
void check_limit(const std::string& where, const Record& told) {
  const bool is_recorded = 1 <= told.limit_drives && told.limit_drives <= told.limit_frames;
  const bool is_left_out = told.limit_frames == 0 && told.limit_drives == 0;
  check(where + ".limit_frames", is_recorded || is_left_out, "0, or as many as limit_drives and more",
        Shape{told.limit_frames, told.limit_drives});
  const std::int64_t units = told.guarantee == "drives" ? told.limit_drives : told.limit_frames;
  const double least = 1 / (static_cast<double>(units) + 1) - 1e-9;
  check(where + ".false_alarm_rate", !is_recorded || told.false_alarm_rate >= least,
        "what " + std::to_string(units) + " " + told.guarantee + " can promise", told.false_alarm_rate);
}

void check_tiles(const TilesRecord& tiles) {
  const std::string where = "answers.tiles";
  const Shape grid{tiles.rows, tiles.columns};
  for (const std::int64_t count : grid) {
    check(where + ".rows", within<std::int64_t>(1, count, kMostTiles), "rows and columns from 1 to 16", grid);
  }
  check(where + ".layers", !tiles.layers.empty(), "one or more layers", tiles.layers);
  const std::vector<double> limits{tiles.neighbor_limit, tiles.limit};
  check(where + ".limit", 0 < limits[0] && limits[0] <= limits[1], "above 0, and neighbor_limit at most that", limits);
  check(where + ".guarantee", is_one_of(tiles.guarantee, {"drives", "frames"}), "drives or frames", tiles.guarantee);
  const double rate = tiles.false_alarm_rate;
  check(where + ".false_alarm_rate", 0 < rate && rate < 1, "between 0 and 1", rate);
  check(where + ".clean_kept", within(0.0, tiles.clean_kept, 1.0), "from 0 to 1", tiles.clean_kept);
  check_limit(where, tiles);
}

void check_map(const MapRecord& map, const SegmentationRecord& segmentation) {
  const std::string where = "answers.map";
  const Shape grid{map.rows, map.columns}, sides{segmentation.height.value_or(0), segmentation.width.value_or(0)};
  for (std::size_t i = 0; i < 2; ++i) {
    check(where + ".rows", within<std::int64_t>(1, grid[i], sides[i]),
          "rows and columns of at most those of the segmentation, " + shown(sides), grid);
  }
  check(where + ".slopes", !map.slopes.empty(), "one or more scores", map.slopes);
  check(where + ".smoothing", map.smoothing >= 1 && map.smoothing % 2 == 1, "an odd side", map.smoothing);
  check(where + ".smallest_object", map.smallest_object >= 1, "1 or more", map.smallest_object);
  check(where + ".guarantee", is_one_of(map.guarantee, {"drives", "frames"}), "drives or frames", map.guarantee);
  for (const double rate : {map.pixel_rate, map.false_alarm_rate}) {
    check(where + ".false_alarm_rate", 0 < rate && rate < 1, "rates between 0 and 1", rate);
  }
  check_shares(where, {map.clean_kept, map.average_precision, map.fpr95, map.best_single_average_precision,
                       map.best_single_fpr95});
  for (const std::int64_t number : map.road_classes) {
    check(where + ".road_classes", number >= 0 && number < segmentation.num_classes.value_or(0),
          "classes of the segmentation", map.road_classes);
  }
  check_limit(where, map);
  check(where + ".own_objects", map.own_objects >= 0, "0 or more", map.own_objects);
}

void check_confidence(const ConfidenceRecord& told, const SegmentationRecord& segmentation) {
  const std::string where = "answers.confidence";
  check(where + ".temperature", told.temperature > 0, "above 0", told.temperature);
  check(where + ".frames", told.frames >= told.drives && told.drives >= 1, "counts", Shape{told.frames, told.drives});
  check(where + ".loss", std::min(told.loss_before, told.loss) >= 0, "0 or more", told.loss);
  check_shares(where, {told.error_before, told.error, told.accuracy});
  const auto count = static_cast<std::size_t>(segmentation.num_classes.value_or(0));
  for (const auto* numbers : {&told.shares, &told.class_accuracy, &told.class_confidence}) {
    check(where + ".shares", numbers->size() == count,
          "a number for each of the " + std::to_string(count) + " classes of the segmentation", *numbers);
    for (const double share : *numbers) check_shares(where, {share});
  }
}

void check_golden(const Manifest& manifest) {
  const auto& shares = manifest.golden.answers;
  const std::size_t wanted = manifest.answers ? 2 : 0;
  const bool named = shares.size() == wanted && (wanted == 0 || (find_named(shares, "cpu") && find_named(shares, "gpu")));
  check("golden.answers", named, wanted == 0 ? "nothing" : "cpu and gpu", shares);
  for (const auto& [provider, share] : shares) {
    const double largest = manifest.masks.mode == "fresh" ? 1.0 : provider == "cpu" ? 0.005 : 0.05;
    check("golden.answers." + provider, within(0.0, share, largest), "from 0 to " + shown(largest), share);
  }
}

}  // namespace

void check_answers(const Manifest& manifest) {
  check_golden(manifest);
  if (!manifest.answers) return;
  const AnswersRecord& answers = *manifest.answers;
  const bool tells_segmentation = manifest.segmentation.kind != "none";
  const bool alone = !answers.quality && !answers.cause;
  check("answers", !alone || answers.tiles || answers.map, "an answer, or null", std::string("none"));
  const auto limit = answers.novelty_limit;
  check("answers.novelty_limit", limit ? *limit > 0 : alone, "above 0, or null without quality and cause", limit);
  const Kinds& kinds = answers.kinds;
  const bool named = std::all_of(kinds.begin(), kinds.end(), is_kind) &&
                     std::set<std::string>(kinds.begin(), kinds.end()).size() == kinds.size() && (!kinds.empty() || !limit);
  check("answers.kinds", named, "one or more kinds with names of their own", kinds);
  const bool counted = answers.drives >= 1 && answers.frames >= answers.drives && answers.rows >= answers.frames;
  check("answers.frames", counted, "counts", Shape{answers.frames, answers.drives, answers.rows});
  if (answers.quality) {
    check("answers.quality", tells_segmentation, "null without a segmentation", answers.quality->measure);
    check_quality(*answers.quality, kinds);
  }
  if (answers.cause) check_cause(*answers.cause, kinds);
  if (answers.tiles) check_tiles(*answers.tiles);
  if (answers.map) {
    check("answers.map", tells_segmentation, "null without a segmentation", answers.map->best_single);
    check_map(*answers.map, manifest.segmentation);
  }
  if (answers.confidence) {
    check("answers.confidence", answers.map.has_value(), "null without a map", answers.confidence->temperature);
    check_confidence(*answers.confidence, manifest.segmentation);
  }
}

}  // namespace lsood::detail
