// SPDX-License-Identifier: Apache-2.0
// Stands in for ONNX Runtime's C++ interface, with what examples/cpp/monitor.cpp uses of it, so that what the program does
// beside the graph is tested without the library. The "graph" is a text file: rows and columns, then the metadata's manifest.
// Its score is the sum of the frame's bytes, each times 1 + its channel.
#pragma once
#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

enum OrtLoggingLevel { ORT_LOGGING_LEVEL_ERROR };
enum OrtAllocatorType { OrtArenaAllocator };
struct OrtCUDAProviderOptionsV2 {};
struct OrtStatus {};

namespace Ort {
struct SessionOptions;
struct StandInApi {
  OrtStatus* CreateCUDAProviderOptions(OrtCUDAProviderOptionsV2**) const { throw std::runtime_error("CUDA is not here"); }
  void ReleaseCUDAProviderOptions(OrtCUDAProviderOptionsV2*) const {}
  OrtStatus* AddFreeDimensionOverrideByName(SessionOptions&, const char*, int64_t) const { return nullptr; }
};
inline const StandInApi& GetApi() {
  static const StandInApi api;
  return api;
}
inline void ThrowOnError(OrtStatus*) {}
struct Env {
  Env(OrtLoggingLevel, const char*) {}
};
struct SessionOptions {
  void AddConfigEntry(const char*, const char*) {}
  void AppendExecutionProvider_CUDA_V2(const OrtCUDAProviderOptionsV2&) {}
};
struct AllocatorWithDefaultOptions {
  operator void*() const { return nullptr; }
};
struct FreeChars {
  void operator()(char* text) const { std::free(text); }
};
using AllocatedStringPtr = std::unique_ptr<char, FreeChars>;
struct ModelMetadata {
  std::string manifest;
  AllocatedStringPtr LookupCustomMetadataMapAllocated(const char* key, void*) const {
    return AllocatedStringPtr(manifest.empty() || std::string(key) != "lsood_manifest" ? nullptr : strdup(manifest.c_str()));
  }
};
struct MemoryInfo {
  static MemoryInfo CreateCpu(OrtAllocatorType, int) { return {}; }
};
constexpr int OrtMemTypeDefault = 0;
struct Value {
  const uint8_t* bytes = nullptr;
  size_t count = 0;
  double score = 0;
  template <typename T>
  static Value CreateTensor(const MemoryInfo&, T* data, size_t count, const int64_t*, size_t) {
    return {data, count, 0};
  }
  template <typename T>
  const T* GetTensorData() const {
    return &score;
  }
};
struct TensorInfo {
  std::vector<int64_t> shape;
  TensorInfo GetTensorTypeAndShapeInfo() const { return *this; }
  std::vector<int64_t> GetShape() const { return shape; }
};
struct RunOptions {};
struct Session {
  int64_t rows = 0, columns = 0;
  std::string manifest;
  Session(const Env&, const char* path, const SessionOptions&) {
    std::ifstream file(path);
    if (!(file >> rows >> columns)) throw std::runtime_error("no graph");
    manifest.assign(std::istreambuf_iterator<char>(file), {});
    manifest.erase(0, manifest.find('{'));
  }
  TensorInfo GetInputTypeInfo(size_t) const { return {{-1, rows, columns, 3}}; }
  size_t GetInputCount() const { return 1; }
  ModelMetadata GetModelMetadata() const { return {manifest}; }
  std::vector<Value> Run(const RunOptions&, const char* const*, const Value* frame, size_t, const char* const*, size_t) {
    double score = 0;
    for (size_t i = 0; i < frame->count; ++i) score += frame->bytes[i] * (1.0 + static_cast<double>(i % 3));
    return {{nullptr, 0, score}};
  }
};
}  // namespace Ort

using Ort::OrtMemTypeDefault;
