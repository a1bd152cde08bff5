// SPDX-License-Identifier: Apache-2.0
// Scores PPM frames with the fused graph of a bundle (`python -m export ... --fuse`), without Python:
//
//     monitor BUNDLE/monitor.onnx THRESHOLD [--cuda] FRAME.ppm ...
//
// A bundle that was exported with `--grey` takes PGM frames of a grey camera too; any other one refuses them.
// THRESHOLD is what `lsood inspect BUNDLE` prints. Exit code 0: all frames in distribution, 1: one is not, 2: bad input.
#include <onnxruntime_cxx_api.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <regex>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

// Whether the bundle's manifest, which the graph carries, says that grey images are read: "pixels": {..., "grey": true, ...}.
bool takes_grey(const Ort::Session& session) {
  Ort::AllocatorWithDefaultOptions allocator;
  const auto carried = session.GetModelMetadata().LookupCustomMetadataMapAllocated("lsood_manifest", allocator);
  const std::string manifest = carried ? carried.get() : "";
  static const std::regex pixels(R"re([{,]\s*"pixels"\s*:\s*\{[^{}]*"grey"\s*:\s*true)re");
  return std::regex_search(manifest, pixels);
}

// The frame's pixels, three values each; those of a grey one are the same three times.
std::vector<uint8_t> read_frame(const std::string& path, int64_t height, int64_t width, bool grey_too) {
  std::ifstream file(path, std::ios::binary);
  std::string magic;
  int64_t columns = 0, rows = 0, deepest = 0;
  if (!(file >> magic >> columns >> rows >> deepest) || (magic != "P6" && magic != "P5") || deepest != 255) {
    throw std::runtime_error("expected a binary PPM of 8 bits, cannot read " + path);
  }
  const bool grey = magic == "P5";
  if (grey && !grey_too) {
    throw std::runtime_error("expected a frame in colour, " + path +
                             " is grey: export the bundle with --grey for a grey camera, or convert what is a colour frame");
  }
  if (rows != height || columns != width) {
    throw std::runtime_error(path + ": expected " + std::to_string(width) + "x" + std::to_string(height) + ", got " +
                             std::to_string(columns) + "x" + std::to_string(rows));
  }
  file.get();  // the one white space behind the header
  std::vector<uint8_t> pixels(static_cast<size_t>((grey ? 1 : 3) * height * width));
  if (!file.read(reinterpret_cast<char*>(pixels.data()), static_cast<std::streamsize>(pixels.size()))) {
    throw std::runtime_error(path + " ends early");
  }
  if (!grey) return pixels;
  std::vector<uint8_t> repeated(3 * pixels.size());
  for (size_t i = 0; i < repeated.size(); ++i) repeated[i] = pixels[i / 3];
  return repeated;
}

int run(const std::vector<std::string>& arguments) {
  if (arguments.size() < 3) throw std::runtime_error("usage: monitor MONITOR.onnx THRESHOLD [--cuda] FRAME.ppm ...");
  const double threshold = std::stod(arguments[1]);
  const bool cuda = arguments[2] == "--cuda";

  Ort::Env env(ORT_LOGGING_LEVEL_ERROR, "lsood");
  Ort::SessionOptions options;
  options.AddConfigEntry("session.intra_op.allow_spinning", "0");  // idle threads leave the cores to the stack
  if (cuda) {
    OrtCUDAProviderOptionsV2* cuda_options = nullptr;
    Ort::ThrowOnError(Ort::GetApi().CreateCUDAProviderOptions(&cuda_options));
    options.AppendExecutionProvider_CUDA_V2(*cuda_options);  // throws where CUDA does not load: no silent fallback
    Ort::GetApi().ReleaseCUDAProviderOptions(cuda_options);
    options.AddConfigEntry("session.disable_cpu_ep_fallback", "1");
    Ort::ThrowOnError(Ort::GetApi().AddFreeDimensionOverrideByName(options, "batch", 1));
  }
  Ort::Session session(env, arguments[0].c_str(), options);

  const auto shape = session.GetInputTypeInfo(0).GetTensorTypeAndShapeInfo().GetShape();  // batch, height, width, 3
  if (session.GetInputCount() != 1 || shape.size() != 4 || shape[3] != 3) {
    throw std::runtime_error("expected a fused graph that takes frames alone, got " + arguments[0]);
  }
  const std::array<int64_t, 4> one_frame{1, shape[1], shape[2], 3};
  const bool grey_too = takes_grey(session);
  const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
  const char* inputs[] = {"frame"};
  const char* outputs[] = {"score"};
  bool any_ood = false;
  for (size_t i = cuda ? 3 : 2; i < arguments.size(); ++i) {
    auto pixels = read_frame(arguments[i], shape[1], shape[2], grey_too);
    const auto frame = Ort::Value::CreateTensor<uint8_t>(memory, pixels.data(), pixels.size(), one_frame.data(), 4);
    const auto results = session.Run(Ort::RunOptions{}, inputs, &frame, 1, outputs, 1);
    double score = results[0].GetTensorData<double>()[0];
    if (!std::isfinite(score)) score = std::numeric_limits<double>::infinity();  // NaN would pass for in distribution
    const bool is_ood = score > threshold;
    std::printf("%s %.17g %s\n", arguments[i].c_str(), score, is_ood ? "OUT_OF_DISTRIBUTION" : "ok");
    any_ood = any_ood || is_ood;
  }
  return any_ood ? 1 : 0;
}

}  // namespace

int main(int count, char** values) {
  setenv("ORT_DISABLE_TELEMETRY", "1", 0);  // read when the environment is made; a value of the user's own is kept
  try {
    return run(std::vector<std::string>(values + 1, values + count));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "monitor: error: %s\n", error.what());
    return 2;
  }
}
