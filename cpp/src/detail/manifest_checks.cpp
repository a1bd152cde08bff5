// SPDX-License-Identifier: Apache-2.0
#include "detail/manifest_checks.hpp"

#include <algorithm>
#include <set>

#include "detail/sha256.hpp"

namespace lsood::detail {

namespace {

constexpr std::int64_t kLargestSize = 1 << 16;

void check_input(const InputContract& input) {
  check("input.channels", is_one_of(input.channels, {"rgb", "bgr"}), "rgb or bgr", input.channels);
  const std::string& order = input.network_channels;
  check("input.network_channels", is_one_of(order, {"rgb", "bgr", "grey"}), "rgb or bgr, or grey", order);
  const Shape sizes{input.frame_height, input.frame_width, input.network_height, input.network_width};
  for (const std::int64_t size : sizes) {
    check("input", within<std::int64_t>(1, size, kLargestSize), "sizes of at least 1 and at most 65536", sizes);
  }
  const std::size_t count = order == "grey" ? 1 : 3;
  check("input.mean", input.mean.size() == count, "one number a channel", input.mean);
  bool positive = input.std.size() == count;
  for (const double each : input.std) positive = positive && each > 0;
  check("input.std", positive, "one number above 0 a channel", input.std);
  bool fits = input.pad.size() == 2;
  for (const std::int64_t length : input.pad) fits = fits && within<std::int64_t>(0, length, kLargestSize);
  check("input.pad", fits, "two sizes from 0 to 65536", input.pad);
  if (!input.crop) return;
  const Shape& crop = *input.crop;
  const bool inside = crop.size() == 4 && crop[0] >= 0 && crop[1] >= 0 && crop[2] >= 1 && crop[3] >= 1 &&
                      crop[0] <= input.frame_height && crop[2] <= input.frame_height - crop[0] &&
                      crop[1] <= input.frame_width && crop[3] <= input.frame_width - crop[1];
  check("input.crop", inside, "top, left, height and width inside the frame", crop);
}

void check_masks(const MasksRecord& masks) {
  bool fits = (masks.mode == "input") == !masks.noise.empty();
  for (const Shape& shape : masks.noise) {
    for (const std::int64_t size : shape) fits = fits && size >= 1;
  }
  check("masks.mode", is_one_of(masks.mode, {"fixed", "fresh", "input"}), "fixed, fresh or input", masks.mode);
  check("masks.noise", fits, "shapes that fit mode " + masks.mode, masks.noise);
  check("masks.count", masks.count >= 0, "0 or more", masks.count);
  check("masks.drop_prob", within(0.0, masks.drop_prob, 1.0), "from 0 to 1", masks.drop_prob);
  check("masks.block_size", !masks.block_size || *masks.block_size >= 1, "at least 1", masks.block_size);
}

void check_segmentation(const SegmentationRecord& segmentation) {
  const std::string& kind = segmentation.kind;
  check("segmentation.kind", is_one_of(kind, {"classes", "logits", "none"}), "classes, logits or none", kind);
  for (const auto& size : {segmentation.num_classes, segmentation.height, segmentation.width}) {
    check("segmentation", kind == "none" || size.has_value(), "sizes for " + kind, size);
    check("segmentation", !size || within<std::int64_t>(1, *size, kLargestSize), "sizes from 1 to 65536", size);
  }
}

void check_features(const Manifest& manifest) {
  std::set<std::string> others{"", kFrame, kSegmentation, kEntropy, kScore, kParts};
  for (std::size_t i = 0; i < manifest.masks.noise.size(); ++i) others.insert("noise_" + std::to_string(i));
  check("features", !manifest.features.empty(), "one or more features by name", manifest.features);
  for (const auto& [name, shape] : manifest.features) {
    check("features", others.count(name) == 0, "one or more features by name", name);
    bool positive = !shape.empty();
    for (const std::int64_t size : shape) positive = positive && size >= 1;
    check("features", positive, "shapes with sizes of at least 1", shape);
  }
  const Shape* samples = find_named(manifest.features, kLatentSamples);
  const Shape wanted{manifest.masks.count, manifest.tap.channels};
  check(std::string("features.") + kLatentSamples, samples == nullptr || *samples == wanted,
        shown(wanted) + ", by masks.count and tap.channels", samples == nullptr ? Shape{} : *samples);
}

void check_parts(const Manifest& manifest) {
  std::set<std::string> readable, names;
  for (const auto& feature : manifest.features) {
    readable.insert(feature.first == kLatentSamples ? kEntropy : feature.first);
  }
  for (const PartRecord& part : manifest.detector.parts) {
    const bool own = !part.name.empty() && names.insert(part.name).second;
    check("detector.parts", own, "parts with names of their own", part.name);
  }
  for (std::size_t i = 0; i < manifest.detector.parts.size(); ++i) {
    const PartRecord& part = manifest.detector.parts[i];
    const std::string where = "detector.parts[" + std::to_string(i) + "]";
    bool of_bundle = !part.features.empty();
    for (const std::string& feature : part.features) of_bundle = of_bundle && readable.count(feature) > 0;
    check(where + ".features", of_bundle, "features of the bundle", part.features);
    check(where + ".scale", part.scale > 0, "above 0", part.scale);
    check(where + ".weight", part.weight >= 0, "0 or more", part.weight);
  }
}

void check_operating_points(const Manifest& manifest) {
  const auto& points = manifest.operating_points;
  check("operating_point", find_named(points, manifest.operating_point) != nullptr, "one of the operating points",
        manifest.operating_point);
  for (const auto& [name, point] : points) {
    const std::string where = "operating_points." + name;
    for (const double rate : {point.false_alarm_rate, point.confidence}) {
      check("operating_points", 0 < rate && rate < 1, "rates between 0 and 1", rate);
    }
    check("operating_points", is_one_of(point.guarantee, {"frames", "drives"}), "guarantees for frames or drives",
          point.guarantee);
    check(where + ".weigh", is_one_of(point.weigh, {"", "frames", "drives"}), "frames or drives", point.weigh);
    check(where + ".folds", point.folds >= 0, "0 or more", point.folds);
    const std::vector<double> bounds{point.rate_low, point.rate_high};
    check(where + ".rate_low", 0 <= bounds[0] && bounds[0] <= bounds[1] && bounds[1] <= 1,
          "an interval of rates from 0 to 1", bounds);
    const std::pair<const char*, std::optional<double>> rates[] = {
        {".new_drive_rate", point.new_drive_rate},     {".proven_rate", point.proven_rate},
        {".new_drives_expected", point.new_drives_expected}, {".new_drives_low", point.new_drives_low},
        {".new_drives_high", point.new_drives_high}};
    for (const auto& [field, rate] : rates) check(where + field, !rate || within(0.0, *rate, 1.0), "from 0 to 1", rate);
  }
}

void check_calibration(const CalibrationRecord& calibration) {
  const auto& scores = calibration.scores;
  check("calibration.scores", !scores.empty() && std::is_sorted(scores.begin(), scores.end()),
        "one or more ascending scores", scores);
  check("calibration.effective_frames", calibration.effective_frames > 0, "above 0", calibration.effective_frames);
  for (const auto* drives : {&calibration.drives, &calibration.fit_drives}) {
    const char* name = drives == &calibration.drives ? "calibration.drives" : "calibration.fit_drives";
    for (const auto& drive : *drives) check(name, drive.second >= 1, "at least one frame each", *drives);
  }
  std::size_t total = 0;
  for (const auto& drive : calibration.drives) {
    total += std::min(static_cast<std::size_t>(drive.second), scores.size() + 1);  // cannot overflow: names are few
  }
  check("calibration.drives", total == scores.size(), std::to_string(scores.size()) + " frames, one a score", total);
}

void check_records(const Manifest& manifest) {
  const PrecisionRecord& precision = manifest.precision;
  check("entropy.neighbors", manifest.entropy.neighbors >= 1, "at least 1", manifest.entropy.neighbors);
  check("entropy.min_dist", manifest.entropy.min_dist > 0, "above 0", manifest.entropy.min_dist);
  const auto fitted = std::min(manifest.detector.fit_frames, manifest.detector.fit_ood_frames);
  check("detector.fit_frames", fitted >= 0, "0 or more", fitted);
  const auto components = manifest.detector.pca_components;
  check("detector.pca_components", !components || *components >= 1, "at least 1", components);
  check("precision.kind", is_one_of(precision.kind, {"fp32", "fp16", "int8", "int8-tensorrt"}),
        "fp32, fp16, int8, int8-tensorrt", precision.kind);
  check("precision.frames", precision.frames >= 0, "0 or more", precision.frames);
  check("precision.auroc_loss", within(-1.0, precision.auroc_loss, 1.0), "from -1 to 1", precision.auroc_loss);
  check("precision.flips", within(0.0, precision.flips, 1.0), "from 0 to 1", precision.flips);
  check("precision.pixel_changes", within(0.0, precision.pixel_changes, 1.0), "from 0 to 1", precision.pixel_changes);
  const ParityRecord& parity = manifest.parity;
  const FloorRecord& floor = parity.floor;
  check("parity", parity.frames >= 0 && std::min({parity.latent_max_abs, parity.segmentation_disagreement,
                                                  parity.score_max_abs}) >= 0, "0 or more", parity.score_max_abs);
  const double least = std::min({floor.latent_max_abs, floor.segmentation_disagreement, floor.score_max_abs,
                                 floor.near_ties, floor.firm_disagreement});
  check("parity.floor", floor.frames >= 0 && least >= 0, "0 or more", least);
  check("network_sha256", is_sha256(manifest.network_sha256), "64 hexadecimal digits", manifest.network_sha256);
  const auto& bank = manifest.masks.sha256;
  check("masks.sha256", !bank || is_sha256(*bank), "64 hexadecimal digits", bank);
  for (const auto& [name, record] : manifest.files) {
    const std::string where = "files." + name;
    check(where + ".bytes", within<std::int64_t>(0, record.bytes, kLargestFile), "from 0 to 8589934592", record.bytes);
    check(where + ".sha256", is_sha256(record.sha256), "64 hexadecimal digits", record.sha256);
  }
  for (const char* kind : {"cpu", "gpu"}) {
    const auto* tolerance = find_named(manifest.golden.tolerance, kind);
    check("golden.tolerance", tolerance != nullptr, "cpu and gpu", manifest.golden.tolerance);
  }
  const auto bits = manifest.pixels.bits;
  check("pixels.bits", !bits || within<std::int64_t>(9, *bits, 16), "9 to 16, or null", bits);
}

}  // namespace

std::int64_t schema_of(const Value& manifest) {
  const Value* value = manifest.find("schema");
  const Integer* schema = value == nullptr ? nullptr : value->get<Integer>();
  if (schema == nullptr || !within<std::int64_t>(2, schema->value, 5)) {
    fail(ErrorCode::bundle, "expected a manifest of schema 2, 3, 4 or 5, got " +
                                (value == nullptr ? std::string("none") : value->shown()) +
                                ": export again with this version, or install the version that wrote it");
  }
  return schema->value;
}

void check_manifest(const Manifest& manifest) {
  check_input(manifest.input);
  check_masks(manifest.masks);
  check_segmentation(manifest.segmentation);
  check_features(manifest);
  check_parts(manifest);
  check_operating_points(manifest);
  check_calibration(manifest.calibration);
  check_records(manifest);
  check_answers(manifest);
  check_thresholds_and_tolerances(manifest);
}

}  // namespace lsood::detail
