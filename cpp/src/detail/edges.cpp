// SPDX-License-Identifier: Apache-2.0
#include "detail/edges.hpp"

#include <algorithm>

namespace lsood::detail {

namespace {

// Share of a side from which on an edge lies at its end: rounding must not leave a trace of the frame to a tile of padding.
constexpr double kWhole = 1 - 1e-9;

// Edges of an even division of a side of the picture that a network sees.
//   start   first pixel of the frame that is seen
//   length  pixels that are seen
//   grown   length of the padded side, as a multiple of that without padding, which lies at the end
std::vector<double> seen_edges(std::int64_t count, std::int64_t start, std::int64_t length, double grown) {
  std::vector<double> edges;
  const double step = grown / static_cast<double>(count);
  for (std::int64_t i = 0; i <= count; ++i) {
    const double share = static_cast<double>(i) * step;
    edges.push_back(static_cast<double>(start) + (share > kWhole ? 1.0 : share) * static_cast<double>(length));
  }
  return edges;
}

Shape crop_of(const InputContract& input) {
  return input.crop.value_or(Shape{0, 0, input.frame_height, input.frame_width});
}

// The cells of a side with one for every n-th pixel, as a multiple of the pixels.
double grown_by_cells(std::int64_t cells, std::int64_t pixels) {
  const std::int64_t step = (pixels + cells - 1) / cells;
  return static_cast<double>(cells * step) / static_cast<double>(pixels);
}

// Whether part `part` between two edges holds the centre of tile `tile` of an even division.
bool holds(const std::vector<double>& edges, std::size_t part, std::size_t tile, double length) {
  const auto count = static_cast<double>(edges.size() - 1);
  const double place = (static_cast<double>(tile) + 0.5) * length / count;
  return edges[part] <= place && place < edges[part + 1];
}

std::size_t own_tile(double first, double last, std::size_t count, double length) {
  const double place = (first + last) / 2 * static_cast<double>(count) / length;
  return std::min(static_cast<std::size_t>(place), count - 1);
}

}  // namespace

TileEdges tile_edges(const InputContract& input, std::int64_t rows, std::int64_t columns) {
  const Shape crop = crop_of(input);
  const double bottom = static_cast<double>(input.pad[0]) / static_cast<double>(input.network_height);
  const double right = static_cast<double>(input.pad[1]) / static_cast<double>(input.network_width);
  return {seen_edges(rows, crop[0], crop[2], 1 + bottom), seen_edges(columns, crop[1], crop[3], 1 + right),
          input.frame_height, input.frame_width};
}

TileEdges cell_edges(const InputContract& input, const SegmentationRecord& segmentation, std::int64_t rows,
                     std::int64_t columns) {
  const Shape crop = crop_of(input);
  const std::int64_t height = segmentation.height.value_or(rows), width = segmentation.width.value_or(columns);
  return {seen_edges(rows, crop[0], crop[2], grown_by_cells(rows, height)),
          seen_edges(columns, crop[1], crop[3], grown_by_cells(columns, width)), input.frame_height, input.frame_width};
}

TileBits tiles_in_frame(const TileEdges& edges, const TileBits& tiles) {
  const std::size_t rows = edges.rows(), columns = edges.columns();
  const auto height = static_cast<double>(edges.height), width = static_cast<double>(edges.width);
  TileBits found;
  for (std::size_t tile = 0; tile < rows * columns; ++tile) {
    if (!tiles[tile]) continue;
    const std::size_t row = tile / columns, column = tile % columns;
    const double top = edges.down[row], bottom = edges.down[row + 1];
    const double left = edges.across[column], right = edges.across[column + 1];
    if (top == bottom || left == right) continue;
    const std::size_t own_row = own_tile(top, bottom, rows, height), own_column = own_tile(left, right, columns, width);
    for (std::size_t i = 0; i < rows; ++i) {
      if (i != own_row && !holds(edges.down, row, i, height)) continue;
      for (std::size_t j = 0; j < columns; ++j) {
        if (j == own_column || holds(edges.across, column, j, width)) found.set(i * columns + j);
      }
    }
  }
  return found;
}

}  // namespace lsood::detail
