// SPDX-License-Identifier: Apache-2.0
// The manifest of a bundle: its metadata, as docs/reference/bundle.md describes them, read and checked as the Python runtime does.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "lsood/result.hpp"

namespace lsood {

// Values by name in the order in which the manifest has them.
template <typename T>
using Named = std::vector<std::pair<std::string, T>>;

using Shape = std::vector<std::int64_t>;

struct InputContract {
  std::string channels;  // order of the frame's last axis, rgb or bgr
  std::int64_t frame_height = 0, frame_width = 0;
  std::int64_t network_height = 0, network_width = 0;
  std::optional<Shape> crop;  // top, left, height, width of the part of the frame that is resized; all of it without
  std::string resize;
  std::vector<double> mean, std;
  std::string network_channels = "rgb";
  Shape pad{0, 0};  // rows at the bottom and columns at the right that the graph adds behind the resize
};

struct SegmentationRecord {
  std::string kind;  // classes: (h, w) uint8; logits: (K, h, w) float32; none
  std::optional<std::int64_t> num_classes, height, width;
};

struct TapRecord {
  std::vector<std::string> layers;
  std::int64_t channels = 0;
};

struct MasksRecord {
  std::string mode;  // fixed, fresh or input
  std::int64_t count = 0;
  std::uint64_t seed = 0;
  double drop_prob = 0;
  std::optional<std::int64_t> block_size;
  std::optional<std::string> sha256;
  std::vector<Shape> noise;  // for mode input the shape of each noise input behind (B, S)
};

struct EntropyRecord {
  std::int64_t neighbors = 0;
  double min_dist = 0;
};

struct PartRecord {
  std::string name;
  std::vector<std::string> features;
  std::string kind;
  double centre = 0, scale = 1, weight = 0;
};

struct DetectorRecord {
  std::string kind, reason;
  bool standardise = false;
  std::optional<std::int64_t> pca_components;
  std::int64_t fit_frames = 0, fit_ood_frames = 0;
  std::vector<PartRecord> parts;  // whose shares add up to the score; empty for a detector of one part
};

struct OperatingPoint {
  double value = 0;  // score above which a frame is out of distribution
  double false_alarm_rate = 0;
  std::string guarantee;
  double rate_low = 0, rate_high = 0, confidence = 0;
  std::optional<double> new_drive_rate;
  std::string rule;
  std::int64_t folds = 0;
  std::string weigh;
  std::optional<double> proven_rate, new_drives_expected, new_drives_low, new_drives_high;
};

struct CalibrationRecord {
  std::vector<double> scores;  // ascending
  double effective_frames = 0;
  Named<std::int64_t> drives, fit_drives;
  std::vector<std::string> warnings;
  std::string source;
  std::vector<std::string> advice;
};

struct FloorRecord {
  std::int64_t frames = 0;
  double latent_max_abs = 0, segmentation_disagreement = 0, score_max_abs = 0, near_ties = 0, firm_disagreement = 0;
};

struct ParityRecord {
  std::int64_t frames = 0;
  double latent_max_abs = 0, segmentation_disagreement = 0, score_max_abs = 0;
  FloorRecord floor;
};

struct PrecisionRecord {
  std::string kind = "fp32";  // fp32, fp16, int8 or int8-tensorrt
  std::vector<std::string> float_layers;
  std::int64_t frames = 0;
  double flips = 0, auroc_loss = 0, pixel_changes = 0;
};

struct PixelsRecord {
  bool grey = false;
  std::optional<std::int64_t> bits;
  std::vector<std::string> encodings;
  std::optional<std::string> yuv;
};

// Tolerances of golden frames for the providers `cpu` and `gpu`.
struct GoldenRecord {
  Named<double> tolerance, pixel_changes, answers;
};

struct FileRecord {
  std::string sha256;
  std::int64_t bytes = 0;
};

struct QualityRecord {
  std::string measure;  // miou or agreement
  double coverage = 0, covered = 0;
  std::string worst_kind;
  double worst_kind_covered = 0, median_width = 0, constant_width = 0, mean_absolute_error = 0, constant_error = 0;
  std::optional<double> spearman;
  double at_most = 1;  // upper end of what is said of a frame far from everything seen
  std::vector<double> clean_low;
  Shape clean_drives;
  std::vector<double> rate_low, rate_high;

  // The largest smallest quality below which at most such a share of new clean frames is expected; none where the clean frames
  // are too few for it.
  [[nodiscard]] std::optional<double> min_quality(double rate) const noexcept;
};

struct CauseRecord {
  std::vector<std::string> names;  // none, then the kinds of degradation
  double coverage = 0, set_threshold = 0, clean_kept = 0;
  Named<double> right;
  double severity_error = 0;
  Named<double> own;
};

struct TilesRecord {
  std::int64_t rows = 0, columns = 0;
  std::vector<std::string> layers;
  double limit = 0, neighbor_limit = 0, false_alarm_rate = 0;
  std::string guarantee;
  double clean_kept = 0;
  std::int64_t limit_frames = 0, limit_drives = 0;  // that set the limit; 0 where it is not recorded
  bool picture = false;                             // whether numbers of the picture itself are read beside the layers
};

struct MapRecord {
  std::int64_t rows = 0, columns = 0;
  Named<double> slopes;
  std::int64_t smoothing = 1;
  std::vector<std::string> layers;
  double pixel_limit = 0, pixel_rate = 0, object_limit = 0;
  std::int64_t smallest_object = 1;
  double false_alarm_rate = 0;
  std::string guarantee;
  double clean_kept = 0, average_precision = 0, fpr95 = 0;
  std::string best_single;
  double best_single_average_precision = 0, best_single_fpr95 = 0;
  Shape road_classes;
  std::int64_t own_objects = 0, limit_frames = 0, limit_drives = 0;
};

// Confidence of the segmentation's pixels, fitted with labels; its figures are of drives that were left out.
struct ConfidenceRecord {
  double temperature = 1;
  std::int64_t frames = 0, drives = 0;
  double error_before = 0, error = 0, loss_before = 0, loss = 0, accuracy = 0;
  std::vector<double> shares, class_accuracy, class_confidence;  // a number for each class
};

struct AnswersRecord {
  std::optional<double> novelty_limit;  // distance from all that was seen above which cause and quality are unknown
  std::vector<std::string> kinds;
  std::int64_t frames = 0, drives = 0, rows = 0;
  std::optional<QualityRecord> quality;
  std::optional<CauseRecord> cause;
  std::optional<TilesRecord> tiles;
  std::optional<MapRecord> map;
  std::optional<ConfidenceRecord> confidence;
};

struct Manifest {
  std::int64_t schema = 0;
  std::string name, created;
  InputContract input;
  SegmentationRecord segmentation;
  TapRecord tap;
  MasksRecord masks;
  Named<Shape> features;
  std::string network_sha256;
  EntropyRecord entropy;
  DetectorRecord detector;
  std::string operating_point;
  Named<OperatingPoint> operating_points;
  CalibrationRecord calibration;
  ParityRecord parity;
  GoldenRecord golden;
  Named<FileRecord> files;
  PrecisionRecord precision;
  PixelsRecord pixels;
  std::optional<AnswersRecord> answers;
};

// Parses and checks the bytes of a manifest.json; the errors are of the code `bundle`.
Result<Manifest> parse_manifest(const std::string& json) noexcept;

// The value of a name; nullptr where there is none.
template <typename T>
const T* find_named(const Named<T>& values, const std::string& name) {
  for (const auto& value : values) {
    if (value.first == name) return &value.second;
  }
  return nullptr;
}

}  // namespace lsood
