// SPDX-License-Identifier: Apache-2.0
#include "lsood/manifest.hpp"

#include "detail/fields.hpp"
#include "detail/manifest_checks.hpp"

namespace lsood {

namespace detail {

// A field of a type that nobody reads here, but that must be what it is.
struct Anything {};
struct TextOrNumber {};
struct Seed {
  std::uint64_t value = 0;
};

void take(const Value&, const Where&, Anything&) {}

void take(const Value& value, const Where& where, TextOrNumber&) {
  if (value.get<Integer>() != nullptr) return;
  std::string text;
  take(value, where, text);
}

void take(const Value& value, const Where& where, Seed& into) {
  std::int64_t any = 0;
  take(value, where, any);
  const Integer& whole = *value.get<Integer>();
  if (whole.is_wide || (whole.negative && whole.magnitude > 0)) fail_type(where, "from 0 to 2**64 - 1", value);
  into.value = whole.magnitude;
}

void take(const Value& value, const Where& where, InputContract& into) {
  Fields(value, where)
      .required("channels", into.channels)
      .required("frame_height", into.frame_height)
      .required("frame_width", into.frame_width)
      .required("network_height", into.network_height)
      .required("network_width", into.network_width)
      .required("crop", into.crop)
      .required("resize", into.resize)
      .required("mean", into.mean)
      .required("std", into.std)
      .optional("network_channels", into.network_channels)
      .optional("pad", into.pad);
}

void take(const Value& value, const Where& where, SegmentationRecord& into) {
  Fields(value, where)
      .required("kind", into.kind)
      .required("num_classes", into.num_classes)
      .required("height", into.height)
      .required("width", into.width);
}

void take(const Value& value, const Where& where, TapRecord& into) {
  Fields(value, where).required("layers", into.layers).required("channels", into.channels);
}

void take(const Value& value, const Where& where, MasksRecord& into) {
  Seed seed;
  Fields(value, where)
      .required("mode", into.mode)
      .required("count", into.count)
      .required("seed", seed)
      .required("drop_prob", into.drop_prob)
      .required("block_size", into.block_size)
      .required("sha256", into.sha256)
      .required("noise", into.noise);
  into.seed = seed.value;
}

void take(const Value& value, const Where& where, EntropyRecord& into) {
  Fields(value, where).required("neighbors", into.neighbors).required("min_dist", into.min_dist);
}

void take(const Value& value, const Where& where, PartRecord& into) {
  Fields(value, where)
      .required("name", into.name)
      .required("features", into.features)
      .required("kind", into.kind)
      .required("centre", into.centre)
      .required("scale", into.scale)
      .required("weight", into.weight);
}

void take(const Value& value, const Where& where, DetectorRecord& into) {
  Named<Anything> parameters;
  Fields(value, where)
      .required("kind", into.kind)
      .required("reason", into.reason)
      .required("parameters", parameters)
      .required("standardise", into.standardise)
      .required("pca_components", into.pca_components)
      .required("fit_frames", into.fit_frames)
      .required("fit_ood_frames", into.fit_ood_frames)
      .optional("parts", into.parts);
}

void take(const Value& value, const Where& where, OperatingPoint& into) {
  Fields(value, where)
      .required("value", into.value)
      .required("false_alarm_rate", into.false_alarm_rate)
      .required("guarantee", into.guarantee)
      .required("rate_low", into.rate_low)
      .required("rate_high", into.rate_high)
      .required("confidence", into.confidence)
      .required("new_drive_rate", into.new_drive_rate)
      .required("rule", into.rule)
      .optional("folds", into.folds)
      .optional("weigh", into.weigh)
      .optional("proven_rate", into.proven_rate)
      .optional("new_drives_expected", into.new_drives_expected)
      .optional("new_drives_low", into.new_drives_low)
      .optional("new_drives_high", into.new_drives_high);
}

void take(const Value& value, const Where& where, CalibrationRecord& into) {
  Fields(value, where)
      .required("scores", into.scores)
      .required("effective_frames", into.effective_frames)
      .required("drives", into.drives)
      .required("fit_drives", into.fit_drives)
      .required("warnings", into.warnings)
      .required("source", into.source)
      .optional("advice", into.advice);
}

// A record that an older bundle may lack has all of its fields where it is there.
void take(const Value& value, const Where& where, FloorRecord& into) {
  Fields(value, where)
      .required("frames", into.frames)
      .required("latent_max_abs", into.latent_max_abs)
      .required("segmentation_disagreement", into.segmentation_disagreement)
      .required("score_max_abs", into.score_max_abs)
      .required("near_ties", into.near_ties)
      .required("firm_disagreement", into.firm_disagreement);
}

void take(const Value& value, const Where& where, ParityRecord& into) {
  Fields(value, where)
      .required("frames", into.frames)
      .required("latent_max_abs", into.latent_max_abs)
      .required("segmentation_disagreement", into.segmentation_disagreement)
      .required("score_max_abs", into.score_max_abs)
      .optional("floor", into.floor);
}

void take(const Value& value, const Where& where, PrecisionRecord& into) {
  Fields(value, where)
      .required("kind", into.kind)
      .required("float_layers", into.float_layers)
      .required("frames", into.frames)
      .required("flips", into.flips)
      .required("auroc_loss", into.auroc_loss)
      .required("pixel_changes", into.pixel_changes);
}

void take(const Value& value, const Where& where, PixelsRecord& into) {
  Fields(value, where)
      .required("grey", into.grey)
      .required("bits", into.bits)
      .required("encodings", into.encodings)
      .required("yuv", into.yuv);
}

void take(const Value& value, const Where& where, GoldenRecord& into) {
  Fields(value, where)
      .required("tolerance", into.tolerance)
      .optional("pixel_changes", into.pixel_changes)
      .optional("answers", into.answers);
}

void take(const Value& value, const Where& where, FileRecord& into) {
  Fields(value, where).required("sha256", into.sha256).required("bytes", into.bytes);
}

void take(const Value& value, const Where& where, QualityRecord& into) {
  Fields(value, where)
      .required("measure", into.measure)
      .required("coverage", into.coverage)
      .required("covered", into.covered)
      .required("worst_kind", into.worst_kind)
      .required("worst_kind_covered", into.worst_kind_covered)
      .required("median_width", into.median_width)
      .required("constant_width", into.constant_width)
      .required("mean_absolute_error", into.mean_absolute_error)
      .required("constant_error", into.constant_error)
      .required("spearman", into.spearman)
      .required("at_most", into.at_most)
      .required("clean_low", into.clean_low)
      .optional("clean_drives", into.clean_drives)
      .optional("rate_low", into.rate_low)
      .optional("rate_high", into.rate_high);
}

void take(const Value& value, const Where& where, CauseRecord& into) {
  Fields(value, where)
      .required("names", into.names)
      .required("coverage", into.coverage)
      .required("set_threshold", into.set_threshold)
      .required("clean_kept", into.clean_kept)
      .required("right", into.right)
      .required("severity_error", into.severity_error)
      .optional("own", into.own);
}

void take(const Value& value, const Where& where, TilesRecord& into) {
  Fields(value, where)
      .required("rows", into.rows)
      .required("columns", into.columns)
      .required("layers", into.layers)
      .required("limit", into.limit)
      .required("neighbor_limit", into.neighbor_limit)
      .required("false_alarm_rate", into.false_alarm_rate)
      .required("guarantee", into.guarantee)
      .required("clean_kept", into.clean_kept)
      .optional("limit_frames", into.limit_frames)
      .optional("limit_drives", into.limit_drives)
      .optional("picture", into.picture);
}

void take(const Value& value, const Where& where, MapRecord& into) {
  Fields(value, where)
      .required("rows", into.rows)
      .required("columns", into.columns)
      .required("slopes", into.slopes)
      .required("smoothing", into.smoothing)
      .required("layers", into.layers)
      .required("pixel_limit", into.pixel_limit)
      .required("pixel_rate", into.pixel_rate)
      .required("object_limit", into.object_limit)
      .required("smallest_object", into.smallest_object)
      .required("false_alarm_rate", into.false_alarm_rate)
      .required("guarantee", into.guarantee)
      .required("clean_kept", into.clean_kept)
      .required("average_precision", into.average_precision)
      .required("fpr95", into.fpr95)
      .required("best_single", into.best_single)
      .required("best_single_average_precision", into.best_single_average_precision)
      .required("best_single_fpr95", into.best_single_fpr95)
      .optional("road_classes", into.road_classes)
      .optional("own_objects", into.own_objects)
      .optional("limit_frames", into.limit_frames)
      .optional("limit_drives", into.limit_drives);
}

void take(const Value& value, const Where& where, ConfidenceRecord& into) {
  Fields(value, where)
      .required("temperature", into.temperature)
      .required("frames", into.frames)
      .required("drives", into.drives)
      .required("error_before", into.error_before)
      .required("error", into.error)
      .required("loss_before", into.loss_before)
      .required("loss", into.loss)
      .required("accuracy", into.accuracy)
      .required("shares", into.shares)
      .required("class_accuracy", into.class_accuracy)
      .required("class_confidence", into.class_confidence);
}

void take(const Value& value, const Where& where, AnswersRecord& into) {
  Fields(value, where)
      .required("novelty_limit", into.novelty_limit)
      .required("kinds", into.kinds)
      .required("frames", into.frames)
      .required("drives", into.drives)
      .required("rows", into.rows)
      .required("quality", into.quality)
      .required("cause", into.cause)
      .optional("tiles", into.tiles)
      .optional("map", into.map)
      .optional("confidence", into.confidence);
}

Manifest parsed(const Value& value) {
  Manifest into;
  Named<Anything> anything;
  Named<TextOrNumber> versions;
  const Where whole;
  const Fields fields(value, whole);
  const std::int64_t schema = schema_of(value);
  if (schema == 2) {
    // One feature, the latent samples, and one part.
    into.features = {};
  } else {
    fields.required("features", into.features);
  }
  fields.required("schema", into.schema)
      .required("name", into.name)
      .required("created", into.created)
      .required("input", into.input)
      .required("segmentation", into.segmentation)
      .required("tap", into.tap)
      .required("masks", into.masks)
      .required("network_sha256", into.network_sha256)
      .required("entropy", into.entropy)
      .required("detector", into.detector)
      .required("operating_point", into.operating_point)
      .required("operating_points", into.operating_points)
      .required("calibration", into.calibration)
      .required("parity", into.parity)
      .required("golden", into.golden)
      .required("evaluation", anything)
      .required("versions", versions)
      .required("config", anything)
      .required("files", into.files)
      .optional("precision", into.precision)
      .optional("pixels", into.pixels)
      .optional("answers", into.answers);
  if (schema == 2) {
    into.features = {{kLatentSamples, {into.masks.count, into.tap.channels}}};
    into.detector.parts.clear();
  }
  return into;
}

}  // namespace detail

Result<Manifest> parse_manifest(const std::string& json) noexcept {
  return detail::guarded([&json] {
    detail::Value value;
    try {
      value = detail::parse_json(json);
    } catch (const detail::JsonFault& fault) {
      detail::fail(ErrorCode::bundle,
                   "expected the manifest to be JSON, got damaged text (" + fault.what + "): copy the bundle again");
    }
    if (value.get<detail::Value::Members>() == nullptr) {
      detail::fail(ErrorCode::bundle,
                   "expected the manifest to be a JSON object, got " + value.shown() + ": copy the bundle again");
    }
    Manifest manifest = detail::parsed(value);
    detail::check_manifest(manifest);
    return manifest;
  });
}

}  // namespace lsood
