// SPDX-License-Identifier: Apache-2.0
// Digest of an image: a checksum of all its bytes, and a number for each of 256 tiles of some of its rows.
#pragma once

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "lsood/frame.hpp"

namespace lsood {

// What is kept of an image to tell whether it comes again. It holds no memory of its own.
struct ImageDigest {
  static constexpr std::size_t most_bands = 16, most_columns = 16;

  std::size_t height = 0, width = 0, channels = 0;
  std::uint64_t checksum = 0;  // of all bytes
  std::size_t bands = 0;       // of tiles; 0 for an image that is too small for any
  std::size_t columns = 0;
  std::array<std::uint64_t, most_bands * most_columns> tiles{};  // a number for each, which any changed pixel changes
  std::bitset<most_bands * most_columns> textured;               // tiles whose bytes are not all equal
  std::bitset<most_bands * most_columns> telling;                // of these, those that are not clipped by three quarters

  [[nodiscard]] std::size_t size() const noexcept { return bands * columns; }

  // Whether both are of the same image.
  [[nodiscard]] bool equals(const ImageDigest& other) const noexcept {
    return checksum == other.checksum && has_shape_of(other);
  }
  [[nodiscard]] bool has_shape_of(const ImageDigest& other) const noexcept {
    return height == other.height && width == other.width && channels == other.channels;
  }
};

// The digest of an image. Of 64 evenly spaced rows 4 make a band, and a sixteenth of the columns of a band makes a tile; fewer
// tiles are made of an image with fewer rows or columns. None of a frame without a pixel, whose rows overlap, or of more bytes
// than can be counted.
std::optional<ImageDigest> image_digest(const Frame& frame) noexcept;

}  // namespace lsood
