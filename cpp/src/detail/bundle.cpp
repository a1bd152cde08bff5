// SPDX-License-Identifier: Apache-2.0
#include "detail/bundle.hpp"

#include <algorithm>

#include "detail/failure.hpp"
#include "detail/files.hpp"
#include "detail/graph_check.hpp"
#include "detail/manifest_checks.hpp"
#include "detail/sha256.hpp"
#include "detail/utf8.hpp"

namespace lsood::detail {

namespace {

constexpr ErrorCode kBundle = ErrorCode::bundle;
constexpr std::ptrdiff_t kMostValues = 4'000'000;

std::string digest_line(const std::string& digest) { return digest + "  " + kManifestFile + "\n"; }

// Refuse what the manifest does not record: another program could take it for the bundle's.
void refuse_others(const std::string& folder, const Manifest& manifest) {
  for (const std::string& name : names_in(folder)) {
    const bool own = is_one_of(name, {kManifestFile, kDigestFile, kSignatureFile});
    if (!own && find_named(manifest.files, name) == nullptr) {
      fail(kBundle, "expected in " + folder + " the files that its manifest records and no other, got '" + printable(name) +
                        "': move it elsewhere");
    }
  }
}

}  // namespace

SealedManifest read_sealed_manifest(const std::string& folder, const std::optional<std::string>& expected_sha256) {
  if (!is_folder(folder)) fail(kBundle, "expected a bundle folder, found none at " + printable(folder) + ": check the path");
  if (!is_file(folder + "/" + kManifestFile)) {
    fail(kBundle, std::string("expected a bundle, found no ") + kManifestFile + " in " + printable(folder) +
                      ": give the folder that export wrote");
  }
  const std::string contents = read_file(folder, kManifestFile, kLargestManifest, {}, true);
  if (std::count(contents.begin(), contents.end(), ',') > kMostValues) {
    fail(kBundle, std::string("expected ") + kManifestFile + " to have at most 4000000 values, got more: it was replaced, " +
                      "copy the bundle again");
  }
  SealedManifest sealed;
  sealed.sha256 = sha256_hex(contents);
  if (expected_sha256) {
    std::string expected = *expected_sha256;
    std::transform(expected.begin(), expected.end(), expected.begin(),
                   [](char each) { return each >= 'A' && each <= 'F' ? static_cast<char>(each - 'A' + 'a') : each; });
    if (!is_sha256(expected)) {
      fail(ErrorCode::argument, "expected a sha256 of 64 hexadecimal digits, got '" + printable(*expected_sha256) +
                                    "': pass what `lsood inspect` prints");
    }
    if (expected != sealed.sha256) {
      fail(kBundle, "expected the bundle whose manifest has sha256 " + expected.substr(0, 12) + "..., got " +
                        sealed.sha256.substr(0, 12) + "...: this is another bundle, or it was changed; install the one that " +
                        "was approved");
    }
  }
  const bool has_digest_file = is_there(folder + "/" + kDigestFile);
  if (has_digest_file) {
    const std::string line = digest_line(sealed.sha256);
    const auto longest = static_cast<std::int64_t>(line.size());
    if (read_file(folder, kDigestFile, longest, {}, false) != line) {
      fail(kBundle, std::string("expected ") + kDigestFile + " to be the line that sha256sum prints of " + kManifestFile +
                        ", it is another: one of the two was changed after export, copy the bundle again");
    }
  }
  sealed.manifest = unwrapped(parse_manifest(contents));
  if (sealed.manifest.schema >= kFirstWithDigest && !has_digest_file) {
    fail(kBundle, std::string("expected ") + kDigestFile + " beside a manifest of schema " +
                      std::to_string(sealed.manifest.schema) + ", it is missing: copy the whole bundle");
  }
  return sealed;
}

Bundle open_bundle(const std::string& folder, const std::optional<std::string>& expected_sha256,
                   const std::vector<std::string>& graphs) {
  Bundle bundle;
  bundle.sealed = read_sealed_manifest(folder, expected_sha256);
  const Manifest& manifest = bundle.sealed.manifest;
  for (const char* name : {kSegmentationFile, kDetectorFile, kGoldenFile}) {
    if (find_named(manifest.files, name) == nullptr) {
      fail(kBundle, std::string("expected the manifest to record ") + name + ", it does not: export the bundle again");
    }
  }
  if (manifest.schema >= kFirstWithDigest) refuse_others(folder, manifest);
  for (const auto& [name, record] : manifest.files) {
    std::string contents = read_recorded(folder, name, record);
    check_digest(name, contents, record);
    const bool is_loaded = std::find(graphs.begin(), graphs.end(), name) != graphs.end();
    if (is_loaded || name == kWeightsFile || name == kGoldenFile) bundle.files.emplace_back(name, std::move(contents));
  }
  for (const std::string& name : graphs) {
    const std::string* contents = find_named(bundle.files, name);
    if (contents == nullptr) {
      fail(kBundle, "expected the bundle to have " + name + ", it has not: export it again with --fuse");
    }
    check_graph(name, *contents);
  }
  bundle.golden = parse_golden(*find_named(bundle.files, kGoldenFile), manifest);
  return bundle;
}

Named<Shape> answer_shapes(const AnswersRecord& answers) {
  Named<Shape> shapes;
  if (answers.quality) shapes.emplace_back(kQuality, Shape{3});
  if (answers.cause) {
    shapes.emplace_back(kCauses, Shape{static_cast<std::int64_t>(answers.cause->names.size())});
    shapes.emplace_back(kSeverity, Shape{});
  }
  if (answers.tiles) shapes.emplace_back(kTiles, Shape{answers.tiles->rows, answers.tiles->columns});
  if (answers.map) shapes.emplace_back(kAnomalyMap, Shape{answers.map->rows, answers.map->columns});
  if (answers.confidence) {
    shapes.emplace_back(kClassConfidence, Shape{2, static_cast<std::int64_t>(answers.confidence->shares.size())});
  }
  if (answers.novelty_limit) shapes.emplace_back(kNovelty, Shape{});
  return shapes;
}

}  // namespace lsood::detail
