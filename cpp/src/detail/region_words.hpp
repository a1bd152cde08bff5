// SPDX-License-Identifier: Apache-2.0
// Say in words which part of a picture some of its tiles make up: `left half (16 of 32 tiles)`.
#pragma once

#include <bitset>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace lsood::detail {

constexpr std::size_t kMostTileRows = 16, kMostTileColumns = 16;

// Which tiles of a picture something is said of; bit `row * columns + column`.
using TileBits = std::bitset<kMostTileRows * kMostTileColumns>;

// The named regions of a grid of at most 16 x 16 tiles. Naming tiles allocates nothing.
class RegionNames {
 public:
  RegionNames(std::size_t rows, std::size_t columns);

  // Append the name of the region that tiles make up, exactly where it has one, else of one that holds all of them: `NAME`,
  // `all but NAME`, `most of NAME` (more than half of its tiles), `part of NAME`; `beside the frame` for none of them.
  void append_name(const TileBits& tiles, std::string& text) const;

  // Append the name and the number of tiles: `left half (16 of 32 tiles)`. The region is that of `in_frame`.
  void append_words(const TileBits& tiles, const TileBits& in_frame, std::string& text) const;

  [[nodiscard]] std::size_t rows() const { return rows_; }
  [[nodiscard]] std::size_t columns() const { return columns_; }
  [[nodiscard]] std::size_t count() const { return rows_ * columns_; }

 private:
  struct Region {
    std::string name;
    TileBits tiles;
    std::size_t size;
    bool is_coarse;  // tells where something is that fills less than half of it
  };

  void add(std::string name, std::size_t top, std::size_t bottom, std::size_t left, std::size_t right, bool is_coarse);
  void add_parts();
  void add_bands();

  std::size_t rows_, columns_;
  TileBits all_;
  std::vector<Region> regions_;  // the plainest name of a region first
};

}  // namespace lsood::detail
