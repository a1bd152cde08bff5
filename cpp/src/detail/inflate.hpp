// SPDX-License-Identifier: Apache-2.0
// Unpacks the deflate format (RFC 1951) into as many bytes as are expected and no more.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace lsood::detail {

// The unpacked bytes; empty text and false where the stream is damaged or has another length.
bool inflate(std::string_view packed, std::size_t length, std::string& into);

// The checksum CRC-32 of a zip archive.
std::uint32_t crc32(std::string_view bytes);

}  // namespace lsood::detail
