// SPDX-License-Identifier: Apache-2.0
// Look at a raw frame before any network: as a whole, and tile by tile.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "detail/region_words.hpp"
#include "lsood/frame.hpp"

namespace lsood::detail {

// In the order of the words for them.
enum class Blank : std::uint8_t { neither, black, saturated, one_colour };

using TileKinds = std::array<Blank, kMostTileRows * kMostTileColumns>;

// A frame of three channels; no check of its form is left.
struct Picture {
  const std::uint8_t* data;
  std::size_t height, width, stride;

  [[nodiscard]] const std::uint8_t* row(std::size_t number) const { return data + number * stride; }
  [[nodiscard]] const std::uint8_t* pixel(std::size_t row_number, std::size_t column) const {
    return row(row_number) + 3 * column;
  }
};

// What a raw frame shows; its texts keep their memory from frame to frame.
struct PictureFindings {
  bool has_tiles = false;       // tiles were looked at
  TileBits faulty_tiles;
  std::string reason;  // why the frame is no camera's image; empty where it may be one
  std::string tile_faults;
};

class PictureCheck {
 public:
  // `check` of no tiles looks at whole frames alone; `known` are frames of a working camera. Tiles of fewer than 8 x 8 pixels
  // are not looked at.
  PictureCheck(std::optional<TileCheck> check, const std::vector<Picture>& known);

  // Allocates nothing once the texts have grown.
  //   judge_tiles  give a reason for the share of faulty tiles too: a stream counts frames before it does
  void look(const Picture& picture, bool judge_tiles, PictureFindings& findings) const;

  // The blank tiles that count: sky and night, and those that are blank in every known frame, left out.
  void find_tiles(const Picture& picture, TileKinds& kinds) const;

  [[nodiscard]] const RegionNames* grid() const { return grid_ ? &*grid_ : nullptr; }

 private:
  [[nodiscard]] bool fits(const Picture& picture) const;
  [[nodiscard]] std::size_t place(std::size_t row, std::size_t column) const { return row * grid_->columns() + column; }
  void find_kinds(const Picture& picture, TileKinds& kinds) const;
  [[nodiscard]] bool is_like_sky(const Picture& picture, Blank kind, std::size_t row, std::size_t column) const;
  [[nodiscard]] bool is_dark(const Picture& picture, const TileBits& live) const;
  [[nodiscard]] TileBits cut_off(const Picture& picture, const TileKinds& kinds) const;

  std::optional<TileCheck> check_;
  std::optional<RegionNames> grid_;
  TileBits usual_;
};

}  // namespace lsood::detail
