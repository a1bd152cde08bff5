// SPDX-License-Identifier: Apache-2.0
// Find the unknown objects of a frame: the connected regions of its anomaly map above a limit.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "detail/edges.hpp"
#include "detail/region_words.hpp"
#include "lsood/assessment.hpp"
#include "lsood/manifest.hpp"

namespace lsood::detail {

constexpr std::size_t kMostObjects = 32;

// The class of each pixel of a frame, as the graph gives it.
struct SegmentationView {
  const std::uint8_t* classes = nullptr;  // (height, width)
  const float* logits = nullptr;          // (count, height, width)
  std::size_t count = 0, height = 0, width = 0;

  [[nodiscard]] bool is_there() const { return classes != nullptr || logits != nullptr; }
  // The class of a pixel: of one logit 1 where it is above 0.
  [[nodiscard]] std::int64_t class_at(std::size_t row, std::size_t column) const;
};

// Keeps its working memory from frame to frame.
class MapRule {
 public:
  MapRule(const MapRecord& record, const TileEdges& edges);

  // The objects of a map whose cells are all finite. Allocates nothing once the memory has grown.
  void find(const float* map, const SegmentationView& segmentation, ObjectsAnswer& into);

  [[nodiscard]] std::size_t rows() const { return edges_.rows(); }
  [[nodiscard]] std::size_t columns() const { return edges_.columns(); }
  [[nodiscard]] std::size_t cells() const { return rows() * columns(); }

 private:
  struct Region {
    std::int64_t size = 0;
    float peak = 0;
    std::size_t top = 0, bottom = 0, left = 0, right = 0;  // in cells, the last two behind the region
    double area = 0;
  };

  [[nodiscard]] bool is_shown(std::size_t row, std::size_t column) const;
  void label(const float* map);
  std::int32_t root(std::int32_t label);
  void measure(const float* map);
  void read_classes(const SegmentationView& segmentation);
  void choose_classes();
  void measure_roads();
  [[nodiscard]] std::string_view place_of(const Region& region) const;

  MapRecord record_;
  TileEdges edges_;
  RegionNames names_{4, 8};
  std::vector<std::string> places_;  // by the first and last tile that a box has a part in, both ways

  std::vector<std::int32_t> labels_, parents_, numbers_;  // of cells; of labels; of regions
  std::vector<Region> regions_;
  std::vector<std::size_t> order_;  // regions that are objects, the highest peak first
  std::vector<std::int64_t> classes_;
  std::vector<std::int64_t> counts_;
  std::vector<double> to_road_, distances_, to_region_;
  std::vector<std::int64_t> chosen_classes_;
};

}  // namespace lsood::detail
