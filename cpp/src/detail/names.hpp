// SPDX-License-Identifier: Apache-2.0
// Names of files, of the inputs and outputs of graphs, and of execution providers.
#pragma once

namespace lsood::detail {

constexpr const char* kManifestFile = "manifest.json";
constexpr const char* kDigestFile = "manifest.sha256";
constexpr const char* kSignatureFile = "model.sig";
constexpr const char* kSegmentationFile = "segmentation.onnx";
constexpr const char* kDetectorFile = "detector.onnx";
constexpr const char* kFusedFile = "monitor.onnx";
constexpr const char* kGoldenFile = "golden.npz";
constexpr const char* kWeightsFile = "weights.bin";

constexpr const char* kFrame = "frame";
constexpr const char* kSegmentation = "segmentation";
constexpr const char* kLatentSamples = "latent_samples";
constexpr const char* kEntropy = "entropy";
constexpr const char* kScore = "score";
constexpr const char* kParts = "parts";
constexpr const char* kClasses = "classes";

constexpr const char* kQuality = "quality";
constexpr const char* kCauses = "causes";
constexpr const char* kSeverity = "severity";
constexpr const char* kTiles = "tiles";
constexpr const char* kAnomalyMap = "anomaly_map";
constexpr const char* kClassConfidence = "class_confidence";
constexpr const char* kNovelty = "novelty";

constexpr const char* kCpu = "CPUExecutionProvider";
constexpr const char* kCuda = "CUDAExecutionProvider";
constexpr const char* kTensorrt = "TensorrtExecutionProvider";

constexpr const char* kNoCause = "none";
constexpr const char* kUnknown = "unknown";

}  // namespace lsood::detail
