// SPDX-License-Identifier: Apache-2.0
// ONNX graphs in sessions of ONNX Runtime, each with one frame's inputs and outputs at addresses that stay.
#pragma once

#include <onnxruntime_cxx_api.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "lsood/manifest.hpp"
#include "lsood/monitor.hpp"

namespace lsood::detail {

enum class Element { uint8, float32, float64 };

// Name, type and shape behind the batch of an input or output.
struct TensorForm {
  std::string name;
  Element type;
  Shape shape;

  // A failure where they are more than any bundle's: sizes that a graph leaves open are the manifest's word alone.
  [[nodiscard]] std::size_t elements() const;
  [[nodiscard]] std::size_t bytes() const;
};

using Signature = std::vector<TensorForm>;

// Memory of one tensor with a batch of one.
struct Tensor {
  TensorForm form;
  std::unique_ptr<std::uint64_t[]> memory;  // aligned for every type
  Ort::Value value{nullptr};

  explicit Tensor(TensorForm form_of_it);
  template <typename T>
  [[nodiscard]] T* data() const {
    return reinterpret_cast<T*>(memory.get());
  }
};

// Full name of an execution provider, of which a short one may be given.
std::string provider_name(const std::string& given);

class Graph {
 public:
  // Loads a graph on the provider of the options, and on no other but the CPU for what it cannot run. A failure where it does
  // not load, where the provider runs none of its nodes, or where it has other inputs or outputs.
  Graph(const std::string& name, const std::string& contents, const std::string* weights, const MonitorOptions& options,
        const Signature& inputs, const Signature& outputs);

  // Reads and writes these tensors in every run, in the order of the signatures; one that is left out is the frame's.
  void bind(const std::vector<Tensor*>& inputs, const std::vector<Tensor*>& outputs);

  // Runs once; a failure where ONNX Runtime fails.
  //   frame        in place of the first input; nullptr for what was bound
  //   run_options  nullptr for the default ones
  void run(const OrtValue* frame, const OrtRunOptions* run_options);

 private:
  std::string name_, provider_;
  Ort::Session session_{nullptr};
  std::vector<std::string> input_names_, output_names_;
  std::vector<const char*> input_names_c_, output_names_c_;
  std::vector<const OrtValue*> inputs_;
  std::vector<OrtValue*> outputs_;
};

}  // namespace lsood::detail
