// SPDX-License-Identifier: Apache-2.0
// A bundle that was verified and loaded: it scores and assesses camera frames.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "lsood/assessment.hpp"
#include "lsood/frame.hpp"
#include "lsood/manifest.hpp"
#include "lsood/result.hpp"

namespace lsood {

struct MonitorOptions {
  // cpu, cuda, tensorrt, openvino, qnn, coreml, directml, xnnpack, or ONNX Runtime's own name of one. One that runs no node of
  // a graph is an error; the nodes that it leaves run on the CPU, those that TensorRT leaves on CUDA.
  std::string provider = "cpu";
  std::vector<std::pair<std::string, std::string>> provider_options;
  bool require_provider = false;  // refuse one that leaves nodes to the CPU
  int threads = 0;              // of the CPU provider within an operator; 0 for one a core
  bool fused = false;           // run monitor.onnx, which the export writes with --fuse, in place of the two graphs
  std::string channels;         // order of the camera's channels: rgb, bgr, grey, rgba or bgra; empty for the bundle's own
  std::string operating_point;  // name of the one that sets the threshold; empty for the bundle's own
  std::optional<double> min_quality;  // a frame the lower end of whose expected quality is below it is of low_quality
  std::optional<double> deadline_ms;  // a verdict that takes longer is late
  bool validate = true;               // look at raw frames; without it only their form is checked
  std::optional<TileCheck> tile_check = TileCheck{};  // nothing to look at whole frames alone
  bool self_test = true;                              // replay the golden frames when the monitor opens
  std::optional<double> self_test_seconds;            // that they may take; 60 on the CPU and 1800 elsewhere without
  std::optional<std::string> expected_sha256;         // of the manifest: any other bundle is refused; nothing for any
};

// Scores, class maps and answers of the golden frames on the provider in use, beside those at export.
struct SelfTest {
  std::vector<double> scores, expected;
  double tolerance = 0;
  std::vector<double> pixel_changes;  // share of the pixels of each frame that get another class; empty without class maps
  double pixel_tolerance = 0;
  std::vector<double> answer_errors;  // largest distance of an answer of each frame, as a share of its range
  double answer_tolerance = 0;

  // Success, or an error of the code `self_test` that names the first frame that is not within its tolerance.
  [[nodiscard]] Result<void> require(const std::string& provider) const noexcept;
};

// The metadata of the bundle in a folder, without a look at its other files.
Result<Manifest> read_manifest(const std::string& folder, const std::optional<std::string>& expected_sha256 = {}) noexcept;

// Serves one thread at a time: give each thread a monitor of its own, or lock. No call throws.
class Monitor {
 public:
  // Verifies the bundle in a folder, loads its graphs, and replays its golden frames.
  [[nodiscard]] static Result<Monitor> open(const std::string& folder, const MonitorOptions& options = {}) noexcept;

  Monitor(Monitor&&) noexcept;
  Monitor& operator=(Monitor&&) noexcept;
  ~Monitor();

  // Scores a frame and decides its state. A frame that breaks the contract, or that no working camera sends, is invalid and
  // no error.
  //   stamp_ns     of the frame; nothing for now. A negative one makes the frame invalid.
  //   judge_tiles  whether faulty tiles alone make it invalid: not where a stream follows, which counts frames
  Result<void> assess(const Frame& frame, Assessment& into, std::optional<std::int64_t> stamp_ns = {},
                      bool judge_tiles = true) noexcept;

  // The score alone; infinite where the graphs give no finite number. A frame that breaks the contract is an error.
  Result<double> score(const Frame& frame) noexcept;

  // The verdict on a frame that never became an image: invalid, for this reason.
  Result<void> report_invalid(const std::string& reason, Assessment& into, std::optional<std::int64_t> stamp_ns = {}) noexcept;

  // Replays the golden frames.
  Result<SelfTest> self_test() noexcept;

  [[nodiscard]] const Manifest& manifest() const noexcept;
  [[nodiscard]] const std::string& manifest_sha256() const noexcept;
  [[nodiscard]] double threshold() const noexcept;
  [[nodiscard]] const std::string& operating_point() const noexcept;
  [[nodiscard]] const std::string& provider() const noexcept;  // full name of the execution provider that runs

 private:
  struct Impl;
  explicit Monitor(std::unique_ptr<Impl> impl) noexcept;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lsood
