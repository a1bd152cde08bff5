// SPDX-License-Identifier: Apache-2.0
#include "messages.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "lsood/history.hpp"
#include "lsood/state.hpp"

namespace lsood_ros {

namespace {

using lsood::History;
using lsood::State;
using lsood_msgs::msg::Assessment;

constexpr std::int64_t kSecond = 1'000'000'000;

template <typename Enum>
constexpr bool is_same(std::uint8_t constant, Enum value) {
  return constant == static_cast<std::uint8_t>(value);
}

static_assert(is_same(Assessment::STATE_OK, State::ok) && is_same(Assessment::STATE_LATE, State::late) &&
              is_same(Assessment::STATE_LOW_QUALITY, State::low_quality) &&
              is_same(Assessment::STATE_OUT_OF_DISTRIBUTION, State::out_of_distribution) &&
              is_same(Assessment::STATE_INVALID, State::invalid));
static_assert(is_same(Assessment::HISTORY_BEGINS, History::begins) && is_same(Assessment::HISTORY_CONTINUES, History::continues) &&
              is_same(Assessment::HISTORY_OTHER_CLOCK, History::other_clock) &&
              is_same(Assessment::HISTORY_REPEATED, History::repeated) &&
              is_same(Assessment::HISTORY_AFTER_GAP, History::after_gap) &&
              is_same(Assessment::HISTORY_AFTER_STEP, History::after_step));

bool is_big_endian() {
  const std::uint16_t number = 1;
  std::uint8_t first = 0;
  std::memcpy(&first, &number, 1);
  return first == 0;
}

// A size of the manifest, which its check keeps small.
std::uint32_t size_of(std::int64_t size) { return static_cast<std::uint32_t>(size); }

lsood_msgs::msg::ExpectedQuality quality_message(const lsood::QualityAnswer& quality) {
  lsood_msgs::msg::ExpectedQuality message;
  if (!quality.is_told) return message;
  message.is_told = true;
  message.is_known = std::isfinite(quality.expected);
  message.expected = quality.expected;
  message.low = quality.low;
  message.high = quality.high;
  return message;
}

lsood_msgs::msg::Cause cause_message(const lsood::CauseAnswer& cause) {
  lsood_msgs::msg::Cause message;
  if (!cause.is_told) return message;
  message.is_told = true;
  message.cause = std::string(cause.cause);
  message.probability = cause.probability;
  message.candidates.assign(cause.set.begin(), cause.set.end());
  message.severity = cause.severity;
  return message;
}

lsood_msgs::msg::AbnormalTiles tiles_message(const lsood::TilesAnswer& tiles) {
  lsood_msgs::msg::AbnormalTiles message;
  if (!tiles.is_told) return message;
  message.is_told = true;
  message.is_known = !tiles.values.empty() && std::isfinite(tiles.values.front());
  message.rows = size_of(tiles.rows);
  message.columns = size_of(tiles.columns);
  message.abnormal.assign(tiles.abnormal.begin(), tiles.abnormal.end());
  message.distances = tiles.values;
  message.words = tiles.words;
  return message;
}

lsood_msgs::msg::UnknownObject object_message(const lsood::UnknownObject& object) {
  lsood_msgs::msg::UnknownObject message;
  message.x = object.x;
  message.y = object.y;
  message.width = object.width;
  message.height = object.height;
  message.area = object.area;
  message.peak = object.peak;
  message.class_id = object.class_id ? static_cast<std::int32_t>(*object.class_id) : lsood_msgs::msg::UnknownObject::NO_CLASS;
  message.road_distance = object.road_distance.value_or(lsood::kNaN);
  message.where = std::string(object.where);
  return message;
}

lsood_msgs::msg::UnknownObjects objects_answer(const lsood::ObjectsAnswer& objects) {
  lsood_msgs::msg::UnknownObjects message;
  if (!objects.is_told) return message;
  message.is_told = true;
  message.is_known = objects.count.has_value();
  message.count = size_of(objects.count.value_or(0));
  for (const lsood::UnknownObject& each : objects.objects) message.objects.push_back(object_message(each));
  message.words = objects.words;
  return message;
}

lsood_msgs::msg::FaultyTiles faulty_message(const std::optional<lsood::TileMask>& mask, const std::string& words) {
  lsood_msgs::msg::FaultyTiles message;
  if (!mask) return message;
  message.is_told = true;
  message.rows = size_of(mask->rows);
  message.columns = size_of(mask->columns);
  for (std::size_t i = 0; i < mask->size(); ++i) message.faulty.push_back(mask->tiles[i]);
  message.words = words;
  return message;
}

lsood_msgs::msg::Alarm alarm_message(bool is_active, bool is_onset, std::optional<std::int64_t> since_ns, double statistic) {
  lsood_msgs::msg::Alarm message;
  message.is_watched = true;
  message.is_active = is_active;
  message.is_onset = is_onset;
  if (since_ns) message.since = time_of(*since_ns);
  message.statistic = statistic;
  return message;
}

// An image with rows of as many bytes, without padding.
sensor_msgs::msg::Image image_message(const char* encoding, const void* data, std::int64_t rows, std::int64_t columns,
                                      std::size_t value_bytes, const std_msgs::msg::Header& header) {
  sensor_msgs::msg::Image message;
  message.header = header;
  message.height = size_of(rows);
  message.width = size_of(columns);
  message.encoding = encoding;
  message.is_bigendian = is_big_endian() ? 1 : 0;
  message.step = static_cast<std::uint32_t>(message.width * value_bytes);
  message.data.resize(std::size_t{message.height} * message.step);
  std::memcpy(message.data.data(), data, message.data.size());
  return message;
}

}  // namespace

std::int64_t nanoseconds(const builtin_interfaces::msg::Time& stamp) {
  return std::int64_t{stamp.sec} * kSecond + std::int64_t{stamp.nanosec};
}

builtin_interfaces::msg::Time time_of(std::int64_t stamp_ns) {
  std::int64_t seconds = stamp_ns / kSecond, rest = stamp_ns % kSecond;
  if (rest < 0) {
    seconds -= 1;
    rest += kSecond;
  }
  using Seconds = std::numeric_limits<std::int32_t>;
  builtin_interfaces::msg::Time time;
  time.sec = static_cast<std::int32_t>(std::clamp<std::int64_t>(seconds, Seconds::min(), Seconds::max()));
  time.nanosec = static_cast<std::uint32_t>(time.sec == seconds ? rest : seconds < 0 ? 0 : kSecond - 1);
  return time;
}

ImageBytes bytes_of(const sensor_msgs::msg::Image& image) {
  return {image.encoding, image.height, image.width, image.step, image.data.data(), image.data.size()};
}

Assessment assessment_message(const CameraVerdict& verdict, const std_msgs::msg::Header& header, double wait_ms) {
  const lsood::Assessment& frame = verdict.frame;
  const lsood::StreamAssessment& stream = verdict.stream;
  Assessment message;
  message.header = header;
  message.camera = std::string(stream.camera);
  message.index = static_cast<std::uint64_t>(stream.index);
  message.state = static_cast<std::uint8_t>(frame.state);
  message.reason = frame.reason;
  message.score = frame.score;
  message.threshold = frame.threshold;
  message.p_value = frame.p_value;
  message.is_ood = frame.is_ood;
  message.is_late = frame.is_late;
  message.parts = frame.parts;
  message.latency_ms = frame.latency_ms;
  message.wait_ms = wait_ms;
  message.history = static_cast<std::uint8_t>(stream.history);
  message.alarm = alarm_message(stream.alarm, stream.onset, stream.since_ns, stream.statistic);
  if (const auto& quality = stream.quality) {
    message.quality_alarm = alarm_message(quality->alarm, quality->onset, quality->since_ns, quality->statistic);
  }
  message.expected_quality = quality_message(frame.quality);
  message.cause = cause_message(frame.cause);
  message.abnormal_tiles = tiles_message(frame.tiles);
  message.unknown_objects = objects_answer(frame.objects);
  message.faulty_tiles = faulty_message(stream.faulty_tiles, frame.tile_faults);
  message.class_confidence = frame.class_confidence;
  return message;
}

vision_msgs::msg::Detection2DArray objects_message(const lsood::ObjectsAnswer& objects, const std_msgs::msg::Header& header) {
  vision_msgs::msg::Detection2DArray message;
  message.header = header;
  for (const lsood::UnknownObject& object : objects.objects) {
    vision_msgs::msg::Detection2D detection;
    detection.header = header;
    detection.bbox.center.position.x = object.x + object.width / 2;
    detection.bbox.center.position.y = object.y + object.height / 2;
    detection.bbox.size_x = object.width;
    detection.bbox.size_y = object.height;
    vision_msgs::msg::ObjectHypothesisWithPose hypothesis;
    if (object.class_id) hypothesis.hypothesis.class_id = std::to_string(*object.class_id);
    hypothesis.hypothesis.score = object.peak;
    detection.results.push_back(hypothesis);
    message.detections.push_back(detection);
  }
  return message;
}

sensor_msgs::msg::Image map_message(const float* cells, std::int64_t rows, std::int64_t columns,
                                    const std_msgs::msg::Header& header) {
  return image_message("32FC1", cells, rows, columns, sizeof(float), header);
}

sensor_msgs::msg::Image classes_message(const std::uint8_t* classes, std::int64_t rows, std::int64_t columns,
                                        const std_msgs::msg::Header& header) {
  return image_message("mono8", classes, rows, columns, 1, header);
}

lsood_msgs::msg::BundleDescription description_message(const Watch& watch, double deadline_ms) {
  const lsood::Monitor& monitor = watch.monitor();
  const lsood::Manifest& manifest = monitor.manifest();
  lsood_msgs::msg::BundleDescription message;
  message.name = manifest.name;
  message.created = manifest.created;
  message.manifest_sha256 = monitor.manifest_sha256();
  message.schema = size_of(manifest.schema);
  message.provider = monitor.provider();
  message.operating_point = monitor.operating_point();
  message.threshold = monitor.threshold();
  message.false_alarm_rate = lsood::find_named(manifest.operating_points, monitor.operating_point())->false_alarm_rate;
  message.alarm = watch.alarm();
  message.quality_alarm = watch.quality_alarm();
  message.deadline_ms = deadline_ms;
  message.frame_height = size_of(manifest.input.frame_height);
  message.frame_width = size_of(manifest.input.frame_width);
  for (const lsood::PartRecord& part : manifest.detector.parts) message.parts.push_back(part.name);
  if (manifest.segmentation.kind != "none") {
    message.segmentation_rows = size_of(manifest.segmentation.height.value_or(0));
    message.segmentation_columns = size_of(manifest.segmentation.width.value_or(0));
  }
  if (!manifest.answers) return message;
  if (const auto& map = manifest.answers->map) {
    message.map_rows = size_of(map->rows);
    message.map_columns = size_of(map->columns);
  }
  if (const auto& tiles = manifest.answers->tiles) {
    message.tile_rows = size_of(tiles->rows);
    message.tile_columns = size_of(tiles->columns);
  }
  if (const auto& quality = manifest.answers->quality) {
    message.quality_measure = quality->measure;
    message.quality_coverage = quality->coverage;
  }
  if (const auto& cause = manifest.answers->cause) message.causes = cause->names;
  return message;
}

}  // namespace lsood_ros
