// SPDX-License-Identifier: Apache-2.0
// Takes frames through the graphs of a bundle: both of them, or the fused one.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "detail/answers.hpp"
#include "detail/bundle.hpp"
#include "detail/names.hpp"
#include "detail/noise.hpp"
#include "detail/objects.hpp"
#include "detail/session.hpp"

namespace lsood::detail {

// Names of the graphs that the options ask for.
std::vector<std::string> graph_names(const MonitorOptions& options);

class FramePass {
 public:
  // `files` holds the bytes of the graphs and of the weights, which may go once the graphs are loaded.
  FramePass(const Manifest& manifest, const Named<std::string>& files, const MonitorOptions& options);

  // Takes a frame (frame_height, frame_width, 3) through the graphs, with the noise that lies in the noise inputs.
  void run(const std::uint8_t* frame, const OrtRunOptions* run_options = nullptr);

  // Draws the next noise into the inputs; nothing where the graph takes none.
  void draw_noise();
  // The memory of each noise input.
  [[nodiscard]] std::vector<Tensor*> noise() const;

  [[nodiscard]] double score() const { return *at(kScore)->data<double>(); }
  [[nodiscard]] const double* parts() const;  // nullptr for a detector of one part
  [[nodiscard]] SegmentationView segmentation() const { return segmentation_; }
  [[nodiscard]] const AnswerRows& answers() const { return answers_; }
  // An output of the graphs.
  [[nodiscard]] const Tensor& output(const std::string& name) const { return *at(name.c_str()); }

 private:
  [[nodiscard]] Tensor* at(const char* name) const;
  std::vector<Tensor*> add(const Signature& signature);
  void sort_samples();

  std::vector<std::unique_ptr<Tensor>> tensors_;
  std::optional<Graph> network_, detector_;  // the second one is left out with the fused graph
  std::optional<NoiseSource> noise_source_;
  std::vector<Tensor*> noise_;
  Tensor* samples_ = nullptr;  // latent samples that are sorted between the graphs
  std::vector<float> column_;
  Ort::MemoryInfo host_;
  Shape frame_shape_;
  SegmentationView segmentation_;
  AnswerRows answers_;
};

}  // namespace lsood::detail
