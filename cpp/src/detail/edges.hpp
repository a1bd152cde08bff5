// SPDX-License-Identifier: Apache-2.0
// Find where in the frame the tiles of a picture lie that a network sees of it: cropped, resized and padded.
#pragma once

#include <cstdint>
#include <vector>

#include "detail/region_words.hpp"
#include "lsood/manifest.hpp"

namespace lsood::detail {

// Where rows and columns of tiles begin and end in the frame, in its pixels. A row or column that lies in the padding begins
// where it ends.
struct TileEdges {
  std::vector<double> down, across;
  std::int64_t height = 0, width = 0;  // of the frame

  [[nodiscard]] std::size_t rows() const { return down.size() - 1; }
  [[nodiscard]] std::size_t columns() const { return across.size() - 1; }
};

// Of the tiles into which the picture is divided that the network sees, with its padding.
TileEdges tile_edges(const InputContract& input, std::int64_t rows, std::int64_t columns);

// Of the cells of a map that has one for every n-th row and column of the segmentation.
TileEdges cell_edges(const InputContract& input, const SegmentationRecord& segmentation, std::int64_t rows,
                     std::int64_t columns);

// The tiles of the whole frame, in a grid of as many rows and columns, that tiles of the picture make up.
TileBits tiles_in_frame(const TileEdges& edges, const TileBits& tiles);

}  // namespace lsood::detail
