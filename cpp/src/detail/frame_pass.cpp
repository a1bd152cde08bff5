// SPDX-License-Identifier: Apache-2.0
#include "detail/frame_pass.hpp"

#include <algorithm>
#include <cmath>

#include "detail/failure.hpp"
#include "detail/names.hpp"
#include "detail/utf8.hpp"

namespace lsood::detail {

namespace {

constexpr std::size_t kMostBytes = std::size_t{8} << 30;
constexpr std::int64_t kSortedFirst = 64;  // samples from which sorting them pays for itself

// The inputs and outputs that the graphs of a bundle must have.
struct Signatures {
  Signature frame, segmentation, features, scores;
};

Signatures signatures_of(const Manifest& manifest) {
  Signatures found;
  const InputContract& input = manifest.input;
  found.frame.push_back({kFrame, Element::uint8, {input.frame_height, input.frame_width, 3}});
  for (std::size_t i = 0; i < manifest.masks.noise.size(); ++i) {
    Shape shape = manifest.masks.noise[i];
    shape.insert(shape.begin(), manifest.masks.count);
    found.frame.push_back({"noise_" + std::to_string(i), Element::float32, shape});
  }
  const SegmentationRecord& segmentation = manifest.segmentation;
  if (segmentation.kind == "classes") {
    found.segmentation.push_back({kSegmentation, Element::uint8, {*segmentation.height, *segmentation.width}});
  } else if (segmentation.kind == "logits") {
    found.segmentation.push_back(
        {kSegmentation, Element::float32, {*segmentation.num_classes, *segmentation.height, *segmentation.width}});
  }
  for (const auto& [name, shape] : manifest.features) found.features.push_back({name, Element::float32, shape});
  found.scores.push_back({kScore, Element::float64, {}});
  const auto count = static_cast<std::int64_t>(manifest.detector.parts.size());
  if (count > 0) found.scores.push_back({kParts, Element::float64, {count}});
  if (manifest.answers) {
    for (const auto& [name, shape] : answer_shapes(*manifest.answers)) {
      found.scores.push_back({name, name == kAnomalyMap ? Element::float32 : Element::float64, shape});
    }
  }
  return found;
}

// Refuse tensors that are larger than those of any bundle before memory is taken for them: a manifest may state any sizes.
void check_sizes(const Signatures& wanted) {
  std::size_t bytes = 0;
  for (const Signature* signature : {&wanted.frame, &wanted.segmentation, &wanted.features, &wanted.scores}) {
    for (const TensorForm& form : *signature) {
      bytes += form.bytes();  // at most four gigabytes each
      if (bytes <= kMostBytes) continue;
      fail(ErrorCode::bundle, "expected the tensors of a frame to have at most " + std::to_string(kMostBytes) +
                                  " bytes together, got more with " + printable(form.name) + ": export the bundle again");
    }
  }
}

Signature joined(Signature one, const Signature& other) {
  one.insert(one.end(), other.begin(), other.end());
  return one;
}

std::vector<Tensor*> joined(std::vector<Tensor*> one, const std::vector<Tensor*>& other) {
  one.insert(one.end(), other.begin(), other.end());
  return one;
}

// In ascending order, what is no number at the end, as numpy sorts.
bool is_before(float one, float other) { return one < other || (std::isnan(other) && !std::isnan(one)); }

}  // namespace

std::vector<std::string> graph_names(const MonitorOptions& options) {
  if (options.fused) return {kFusedFile};
  return {kSegmentationFile, kDetectorFile};
}

FramePass::FramePass(const Manifest& manifest, const Named<std::string>& files, const MonitorOptions& options)
    : host_(Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault)) {
  const Signatures wanted = signatures_of(manifest);
  const std::string* weights = find_named(files, kWeightsFile);
  const auto load = [&](const char* name, const Signature& inputs, const Signature& outputs) {
    return Graph(name, *find_named(files, name), weights, options, inputs, outputs);
  };
  const bool has_samples = find_named(manifest.features, kLatentSamples) != nullptr;
  if (options.fused) {
    network_.emplace(load(kFusedFile, wanted.frame, joined(wanted.segmentation, wanted.scores)));
  } else {
    Signature given = wanted.scores;
    if (has_samples) given.push_back({kEntropy, Element::float32, {manifest.tap.channels}});
    network_.emplace(load(kSegmentationFile, wanted.frame, joined(wanted.segmentation, wanted.features)));
    detector_.emplace(load(kDetectorFile, wanted.features, given));
  }
  check_sizes(wanted);
  const std::vector<Tensor*> frame = add(wanted.frame), segmentation = add(wanted.segmentation), scores = add(wanted.scores);
  if (options.fused) {
    network_->bind(frame, joined(segmentation, scores));
  } else {
    const std::vector<Tensor*> features = add(wanted.features);
    network_->bind(frame, joined(segmentation, features));
    detector_->bind(features, scores);
    if (has_samples) {
      if (manifest.masks.count >= kSortedFirst) samples_ = at(kLatentSamples);
      column_.resize(static_cast<std::size_t>(manifest.masks.count));
    }
  }
  frame_shape_ = {1, manifest.input.frame_height, manifest.input.frame_width, 3};
  noise_.assign(frame.begin() + 1, frame.end());
  if (!noise_.empty()) noise_source_.emplace(manifest.masks.seed);
  if (const Tensor* found = at(kSegmentation)) {
    const bool is_classes = found->form.type == Element::uint8;
    segmentation_.classes = is_classes ? found->data<std::uint8_t>() : nullptr;
    segmentation_.logits = is_classes ? nullptr : found->data<float>();
    segmentation_.count = static_cast<std::size_t>(*manifest.segmentation.num_classes);
    segmentation_.height = static_cast<std::size_t>(*manifest.segmentation.height);
    segmentation_.width = static_cast<std::size_t>(*manifest.segmentation.width);
  }
  const auto numbers = [this](const char* name) -> const double* {
    const Tensor* found = at(name);
    return found == nullptr ? nullptr : found->data<double>();
  };
  const Tensor* map = at(kAnomalyMap);
  answers_ = {numbers(kQuality), numbers(kCauses), numbers(kSeverity), numbers(kTiles),
              map == nullptr ? nullptr : map->data<float>(), numbers(kClassConfidence), numbers(kNovelty)};
}

std::vector<Tensor*> FramePass::add(const Signature& signature) {
  std::vector<Tensor*> added;
  for (const TensorForm& form : signature) added.push_back(tensors_.emplace_back(std::make_unique<Tensor>(form)).get());
  return added;
}

Tensor* FramePass::at(const char* name) const {
  for (const auto& tensor : tensors_) {
    if (tensor->form.name == name) return tensor.get();
  }
  return nullptr;
}

const double* FramePass::parts() const {
  const Tensor* found = at(kParts);
  return found == nullptr ? nullptr : found->data<double>();
}

std::vector<Tensor*> FramePass::noise() const { return noise_; }

void FramePass::draw_noise() {
  for (const Tensor* input : noise_) noise_source_->draw(input->data<float>(), input->form.elements());
}

// The entropy does not depend on the order of samples, and the graph sorts sorted ones in half the time.
void FramePass::sort_samples() {
  const auto count = static_cast<std::size_t>(samples_->form.shape[0]), channels = static_cast<std::size_t>(samples_->form.shape[1]);
  auto* values = samples_->data<float>();
  for (std::size_t channel = 0; channel < channels; ++channel) {
    for (std::size_t i = 0; i < count; ++i) column_[i] = values[i * channels + channel];
    std::sort(column_.begin(), column_.end(), is_before);
    for (std::size_t i = 0; i < count; ++i) values[i * channels + channel] = column_[i];
  }
}

void FramePass::run(const std::uint8_t* frame, const OrtRunOptions* run_options) {
  const auto size = static_cast<std::size_t>(frame_shape_[1] * frame_shape_[2] * 3);
  // ONNX Runtime does not write inputs.
  const Ort::Value value = Ort::Value::CreateTensor(host_, const_cast<std::uint8_t*>(frame), size, frame_shape_.data(), 4,
                                                    ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8);
  network_->run(value, run_options);
  if (!detector_) return;
  if (samples_ != nullptr) sort_samples();
  detector_->run(nullptr, run_options);
}

}  // namespace lsood::detail
