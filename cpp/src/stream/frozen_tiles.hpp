// SPDX-License-Identifier: Apache-2.0
// Notices that a part of a camera's picture comes again and again while the rest goes on.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <vector>

#include "lsood/image_digest.hpp"
#include "lsood/tile_mask.hpp"

namespace lsood::stream {

// Frozen tiles, and the seconds for which they have stood still.
struct FrozenPart {
  TileMask tiles;
  double still_s = 0.0;
};

// Compares each part of an image with its last 16 different contents, in the bytes that a digest samples.
//
// The parts are the 256 tiles of the digest. A tile of the check is frozen of which half the parts have shown nothing new for
// twice the time after which a whole image is frozen. Frozen tiles count where they make up one band of complete rows or
// columns, while three quarters of the other tiles, and as many as may be faulty at least, have something new in each new
// image. A band of up to a quarter of the height at the top or the bottom is left out, which may be a still sky or a bonnet.
// Parts of one value, and those of which three quarters are clipped, tell nothing.
class FrozenTiles {
 public:
  explicit FrozenTiles(const TileCheck& check);

  // Takes in the next image; none where there is no image.
  void see(const ImageDigest* digest, std::int64_t time_ns) noexcept;

  // The frozen tiles that count, at the time of the last image, which is `digest`.
  [[nodiscard]] FrozenPart frozen(const ImageDigest& digest, std::int64_t time_ns, double after_s) const noexcept;

  void reset() noexcept { known_ = false; }

  // Moves the times of what was seen to another clock.
  void shift(std::int64_t by_ns) noexcept;

 private:
  static constexpr std::size_t kRemembered = 16;
  static constexpr std::size_t kParts = ImageDigest::most_bands * ImageDigest::most_columns;
  using Parts = std::bitset<kParts>;

  [[nodiscard]] std::size_t first_part(int tile, int tiles, std::size_t parts) const noexcept;
  void begin(const ImageDigest& digest) noexcept;

  TileCheck check_;
  bool known_ = false;
  std::size_t bands_ = 0, columns_ = 0;
  std::vector<std::array<std::uint64_t, kRemembered>> contents_;  // of each part, a ring
  std::vector<std::uint8_t> next_;
  std::vector<std::int64_t> count_, since_ns_;
  Parts new_;  // in the last image that had something new
};

}  // namespace lsood::stream
