// SPDX-License-Identifier: Apache-2.0
// Read the files of a bundle, of which neither name, size nor kind is trusted.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lsood/manifest.hpp"

namespace lsood::detail {

constexpr std::int64_t kLargestManifest = std::int64_t{64} << 20;

// The bytes of a regular file, once what the file system says of it fits.
//   largest      bytes that it may have
//   length       bytes that it must have, where that is known
//   follow_link  read the file behind a link
std::string read_file(const std::string& folder, const std::string& name, std::int64_t largest,
                      std::optional<std::int64_t> length, bool follow_link);

// The bytes of a file that the manifest records; its digest is checked by `check_digest`.
std::string read_recorded(const std::string& folder, const std::string& name, const FileRecord& record);

void check_digest(const std::string& name, const std::string& contents, const FileRecord& record);

bool is_folder(const std::string& path);
bool is_file(const std::string& path);
bool is_there(const std::string& path);  // a link to nothing too

std::vector<std::string> names_in(const std::string& folder);

}  // namespace lsood::detail
