// SPDX-License-Identifier: Apache-2.0
// Read a bundle from disk: the bytes that were hashed are the bytes that are loaded.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "detail/arrays.hpp"
#include "lsood/manifest.hpp"

namespace lsood::detail {

// Golden frames with their scores, class maps and answers at export.
struct Golden {
  std::size_t count = 0;
  Array frames, scores;
  std::vector<Array> noise;
  std::optional<Array> classes;
  Named<Array> answers;
};

struct SealedManifest {
  Manifest manifest;
  std::string sha256;  // of its bytes
};

struct Bundle {
  SealedManifest sealed;
  Named<std::string> files;  // verified bytes of every file that the manifest records
  Golden golden;
};

// The manifest of the bundle in a folder, compared with the digest beside it and with the one that is expected, if any.
SealedManifest read_sealed_manifest(const std::string& folder, const std::optional<std::string>& expected_sha256);

// The bundle in a folder, each of its files verified, the operators of these graphs looked at.
Bundle open_bundle(const std::string& folder, const std::optional<std::string>& expected_sha256,
                   const std::vector<std::string>& graphs);

// The shapes behind the batch of the outputs that answer, by name.
Named<Shape> answer_shapes(const AnswersRecord& answers);

Golden parse_golden(const std::string& archive, const Manifest& manifest);

}  // namespace lsood::detail
