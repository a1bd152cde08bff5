// SPDX-License-Identifier: Apache-2.0
// Which tiles of a frame something is said of.
#pragma once

#include <bitset>
#include <cstddef>

#include "lsood/frame.hpp"

namespace lsood {

// A bit a tile, row by row.
struct TileMask {
  static constexpr int most_rows = 16, most_columns = 16;

  int rows = 0;
  int columns = 0;
  std::bitset<most_rows * most_columns> tiles;

  [[nodiscard]] std::size_t size() const noexcept { return static_cast<std::size_t>(rows * columns); }
  [[nodiscard]] std::size_t place(int row, int column) const noexcept {
    return static_cast<std::size_t>(row * columns + column);
  }
  [[nodiscard]] bool at(int row, int column) const noexcept { return tiles[place(row, column)]; }

  // Whether it has as many tiles as a check says that a faulty frame has.
  [[nodiscard]] bool reaches(const TileCheck& check) const noexcept {
    return static_cast<double>(tiles.count()) >= check.share * static_cast<double>(size());
  }
};

}  // namespace lsood
