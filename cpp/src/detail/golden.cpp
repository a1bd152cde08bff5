// SPDX-License-Identifier: Apache-2.0
// Read golden frames out of the bytes of their archive.
#include <cmath>

#include "detail/bundle.hpp"
#include "detail/failure.hpp"
#include "detail/manifest_checks.hpp"

namespace lsood::detail {

namespace {

constexpr std::int64_t kMostFrames = 100;

[[noreturn]] void fail_array(const std::string& expected, const Array& got) {
  fail(ErrorCode::bundle, "expected " + expected + " in " + kGoldenFile + ", got " + shown(got.shape) + " " + got.type +
                              ": export the bundle again");
}

Shape batch_of(std::int64_t count, Shape behind) {
  behind.insert(behind.begin(), count);
  return behind;
}

template <typename T>
bool is_finite(const Array& array) {
  const std::size_t count = array.bytes.size() / sizeof(T);
  for (std::size_t i = 0; i < count; ++i) {
    if (!std::isfinite(array.at<T>(i))) return false;
  }
  return true;
}

}  // namespace

Golden parse_golden(const std::string& archive, const Manifest& manifest) {
  std::vector<std::string> names{"frames", "scores"};
  for (std::size_t i = 0; i < manifest.masks.noise.size(); ++i) names.push_back("noise_" + std::to_string(i));
  const bool has_classes = !manifest.golden.pixel_changes.empty();
  if (has_classes) names.emplace_back(kClasses);
  const Named<Shape> answers = manifest.answers ? answer_shapes(*manifest.answers) : Named<Shape>{};
  for (const auto& answer : answers) names.push_back(answer.first);
  Named<Array> arrays;
  try {
    arrays = read_arrays(archive, names);
  } catch (const ArchiveFault& fault) {
    fail(ErrorCode::bundle, std::string("expected ") + kGoldenFile + " to hold frames and scores, got damaged contents: " +
                                fault.what);
  }
  Golden golden;
  std::size_t next = 0;
  const auto take = [&arrays, &next] { return std::move(arrays[next++].second); };
  golden.frames = take();
  const Shape size{manifest.input.frame_height, manifest.input.frame_width, 3};
  const std::int64_t count = golden.frames.shape.empty() ? 0 : golden.frames.shape[0];
  if (golden.frames.type != "|u1" || count == 0 || golden.frames.shape != batch_of(count, size)) {
    fail_array("golden frames (G, ...) " + shown(size) + " uint8", golden.frames);
  }
  if (count > kMostFrames) fail_array("at most 100 golden frames", golden.frames);
  golden.count = static_cast<std::size_t>(count);
  golden.scores = take();
  if (golden.scores.type != "<f8" || golden.scores.shape != Shape{count}) {
    fail_array(std::to_string(count) + " float64 scores", golden.scores);
  }
  for (const Shape& shape : manifest.masks.noise) {
    Shape wanted = shape;
    wanted.insert(wanted.begin(), {count, manifest.masks.count});
    golden.noise.push_back(take());
    if (golden.noise.back().type != "<f4" || golden.noise.back().shape != wanted) {
      fail_array("noise " + shown(wanted) + " float32", golden.noise.back());
    }
  }
  if (has_classes) {
    const SegmentationRecord& segmentation = manifest.segmentation;
    golden.classes = take();
    const Shape maps{count, segmentation.height.value_or(0), segmentation.width.value_or(0)};
    const bool whole = golden.classes->type == "|u1" || golden.classes->type == "<u2";
    if (!whole || golden.classes->shape != maps || segmentation.kind == "none") {
      fail_array("class maps " + shown(maps), *golden.classes);
    }
  }
  for (const auto& [name, shape] : answers) {
    Array values = take();
    const bool single = name == kAnomalyMap;
    const bool finite = values.type == "<f4" ? is_finite<float>(values) : values.type == "<f8" && is_finite<double>(values);
    if (values.type != (single ? "<f4" : "<f8") || values.shape != batch_of(count, shape) || !finite) {
      fail_array(name + " " + shown(batch_of(count, shape)) + (single ? " float32" : " float64") + ", finite", values);
    }
    golden.answers.emplace_back(name, std::move(values));
  }
  return golden;
}

}  // namespace lsood::detail
