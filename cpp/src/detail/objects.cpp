// SPDX-License-Identifier: Apache-2.0
#include "detail/objects.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "detail/words.hpp"

namespace lsood::detail {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr std::int32_t kNothing = -1;

// A box's place among the tiles of 4 x 8, from the first to behind the last one both ways.
std::size_t place_number(std::size_t top, std::size_t bottom, std::size_t left, std::size_t right) {
  return ((top * 5 + bottom) * 9 + left) * 9 + right;
}

double square(double value) { return value * value; }

// Where a cell's centre is.
double centre(const std::vector<double>& edges, std::size_t cell) { return (edges[cell] + edges[cell + 1]) / 2; }

// The tiles of an even division of a side, from the first to behind the last, that a box has a part in.
std::pair<std::size_t, std::size_t> touched(std::size_t count, double length, double first, double last) {
  std::size_t from = count, to = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const double start = static_cast<double>(i) / static_cast<double>(count) * length;
    const double stop = static_cast<double>(i + 1) / static_cast<double>(count) * length;
    if (start < last && stop > first) {
      from = std::min(from, i);
      to = i + 1;
    }
  }
  return {from, to};
}

bool starts_with(std::string_view text, std::string_view start) { return text.substr(0, start.size()) == start; }

}  // namespace

std::int64_t SegmentationView::class_at(std::size_t row, std::size_t column) const {
  const std::size_t pixel = row * width + column, size = height * width;
  if (classes != nullptr) return classes[pixel];
  if (count == 1) return logits[pixel] > 0 ? 1 : 0;
  std::size_t best = 0;
  for (std::size_t i = 1; i < count; ++i) {
    const float most = logits[best * size + pixel], value = logits[i * size + pixel];
    if (std::isnan(most)) break;  // the first one that is no number counts as the largest
    if (value > most || std::isnan(value)) best = i;
  }
  return static_cast<std::int64_t>(best);
}

MapRule::MapRule(const MapRecord& record, const TileEdges& edges) : record_(record), edges_(edges) {
  labels_.resize(cells());
  classes_.resize(cells());
  places_.resize(place_number(3, 4, 7, 8) + 1);
  for (std::size_t top = 0; top < 4; ++top) {
    for (std::size_t bottom = top + 1; bottom <= 4; ++bottom) {
      for (std::size_t left = 0; left < 8; ++left) {
        for (std::size_t right = left + 1; right <= 8; ++right) {
          TileBits tiles;
          for (std::size_t row = top; row < bottom; ++row) {
            for (std::size_t column = left; column < right; ++column) tiles.set(row * 8 + column);
          }
          names_.append_name(tiles, places_[place_number(top, bottom, left, right)]);
        }
      }
    }
  }
}

bool MapRule::is_shown(std::size_t row, std::size_t column) const {
  return edges_.down[row + 1] > edges_.down[row] && edges_.across[column + 1] > edges_.across[column];
}

std::int32_t MapRule::root(std::int32_t label) {
  const auto parent = [this](std::int32_t of) -> std::int32_t& { return parents_[static_cast<std::size_t>(of)]; };
  while (parent(label) != label) {
    parent(label) = parent(parent(label));
    label = parent(label);
  }
  return label;
}

// Number the regions of cells above the limit, each with its eight neighbours, in the order of their first cells.
void MapRule::label(const float* map) {
  const std::size_t height = rows(), width = columns();
  const auto limit = static_cast<float>(record_.object_limit);  // cells are compared in their own type
  parents_.clear();
  for (std::size_t row = 0; row < height; ++row) {
    for (std::size_t column = 0; column < width; ++column) {
      const std::size_t cell = row * width + column;
      labels_[cell] = kNothing;
      if (!(map[cell] > limit) || !is_shown(row, column)) continue;
      std::int32_t found = kNothing;
      const auto join = [this, &found](std::int32_t other) {
        if (other == kNothing) return;
        other = root(other);
        if (found == kNothing) {
          found = other;
        } else if (found != other) {
          const auto [least, most] = std::minmax(found, other);
          parents_[static_cast<std::size_t>(most)] = least;
          found = least;
        }
      };
      if (column > 0) join(labels_[cell - 1]);
      for (std::size_t i = column == 0 ? 1 : 0; row > 0 && i < 3 && column + i <= width; ++i) join(labels_[cell - width + i - 1]);
      if (found == kNothing) {
        found = static_cast<std::int32_t>(parents_.size());
        parents_.push_back(found);
      }
      labels_[cell] = found;
    }
  }
  numbers_.assign(parents_.size(), kNothing);
  std::int32_t count = 0;
  for (std::int32_t& each : labels_) {
    if (each == kNothing) continue;
    std::int32_t& number = numbers_[static_cast<std::size_t>(root(each))];
    if (number == kNothing) number = count++;
    each = number;
  }
  regions_.assign(static_cast<std::size_t>(count), Region{});
}

// Size, peak, box and area of each region, run by run of cells.
void MapRule::measure(const float* map) {
  const std::size_t height = rows(), width = columns();
  for (std::size_t row = 0; row < height; ++row) {
    const double row_height = edges_.down[row + 1] - edges_.down[row];
    for (std::size_t start = 0; start < width;) {
      const std::int32_t number = labels_[row * width + start];
      std::size_t stop = start + 1;
      while (stop < width && labels_[row * width + stop] == number) ++stop;
      if (number != kNothing) {
        Region& region = regions_[static_cast<std::size_t>(number)];
        const float peak = *std::max_element(map + row * width + start, map + row * width + stop);
        region.peak = region.size == 0 ? peak : std::max(region.peak, peak);
        region.top = region.size == 0 ? row : region.top;
        region.left = region.size == 0 ? start : std::min(region.left, start);
        region.right = std::max(region.right, stop);
        region.bottom = row + 1;
        region.size += static_cast<std::int64_t>(stop - start);
        region.area += row_height * (edges_.across[stop] - edges_.across[start]);
      }
      start = stop;
    }
  }
  const auto frame = static_cast<double>(edges_.height * edges_.width);
  for (Region& region : regions_) region.area /= frame;
}

// The class of the pixel that each cell reads: every n-th one.
void MapRule::read_classes(const SegmentationView& segmentation) {
  const std::size_t height = rows(), width = columns();
  const std::size_t down = (segmentation.height + height - 1) / height, across = (segmentation.width + width - 1) / width;
  for (std::size_t row = 0; row < height; ++row) {
    for (std::size_t column = 0; column < width; ++column) {
      classes_[row * width + column] = segmentation.class_at(std::min(row * down, segmentation.height - 1),
                                                             std::min(column * across, segmentation.width - 1));
    }
  }
}

// The most frequent class of the cells of each object, the lowest of those that are equally frequent.
void MapRule::choose_classes() {
  const std::int64_t most = *std::max_element(classes_.begin(), classes_.end()) + 1;
  chosen_classes_.clear();
  for (const std::size_t number : order_) {
    counts_.assign(static_cast<std::size_t>(most), 0);
    for (std::size_t cell = 0; cell < cells(); ++cell) {
      if (labels_[cell] == static_cast<std::int32_t>(number)) ++counts_[static_cast<std::size_t>(classes_[cell])];
    }
    chosen_classes_.push_back(std::max_element(counts_.begin(), counts_.end()) - counts_.begin());
  }
}

// The smallest distance between the centre of a cell of each object and of one of the road. For each row of an object and each
// column, the way along that column to the road and the way along that row to the object are the sides of a right angle.
void MapRule::measure_roads() {
  const std::size_t height = rows(), width = columns();
  const auto is_road = [this, width](std::size_t row, std::size_t column) {
    const auto& roads = record_.road_classes;
    return is_shown(row, column) && std::find(roads.begin(), roads.end(), classes_[row * width + column]) != roads.end();
  };
  to_road_.assign(cells(), kInfinity);
  for (std::size_t column = 0; column < width; ++column) {
    double last = -kInfinity;
    for (std::size_t row = 0; row < height; ++row) {
      const double y = centre(edges_.down, row);
      if (is_road(row, column)) last = y;
      to_road_[row * width + column] = y - last;
    }
    last = kInfinity;
    for (std::size_t row = height; row-- > 0;) {
      const double y = centre(edges_.down, row);
      if (is_road(row, column)) last = y;
      to_road_[row * width + column] = square(std::min(to_road_[row * width + column], last - y));
    }
  }
  distances_.clear();
  to_region_.resize(width);
  for (const std::size_t number : order_) {
    double nearest = kInfinity;
    for (std::size_t row = regions_[number].top; row < regions_[number].bottom; ++row) {
      const std::int32_t* labels = labels_.data() + row * width;
      double last = -kInfinity;
      for (std::size_t column = 0; column < width; ++column) {
        const double x = centre(edges_.across, column);
        if (labels[column] == static_cast<std::int32_t>(number)) last = x;
        to_region_[column] = x - last;
      }
      last = kInfinity;
      for (std::size_t column = width; column-- > 0;) {
        const double x = centre(edges_.across, column);
        if (labels[column] == static_cast<std::int32_t>(number)) last = x;
        nearest = std::min(nearest, to_road_[row * width + column] + square(std::min(to_region_[column], last - x)));
      }
    }
    distances_.push_back(std::sqrt(nearest));
  }
}

std::string_view MapRule::place_of(const Region& region) const {
  const auto down = touched(4, static_cast<double>(edges_.height), edges_.down[region.top], edges_.down[region.bottom]);
  const auto across = touched(8, static_cast<double>(edges_.width), edges_.across[region.left], edges_.across[region.right]);
  return places_[place_number(down.first, down.second, across.first, across.second)];
}

void MapRule::find(const float* map, const SegmentationView& segmentation, ObjectsAnswer& into) {
  label(map);
  measure(map);
  order_.clear();
  for (std::size_t i = 0; i < regions_.size(); ++i) {
    if (regions_[i].size >= record_.smallest_object) order_.push_back(i);
  }
  into.count = static_cast<std::int64_t>(order_.size());
  into.objects.clear();
  into.words.clear();
  if (order_.empty()) {
    into.words = "none";
    return;
  }
  // By the peak, and of equal ones by the first cell: without the memory that a stable sort takes.
  std::sort(order_.begin(), order_.end(), [this](std::size_t one, std::size_t other) {
    return regions_[one].peak != regions_[other].peak ? regions_[one].peak > regions_[other].peak : one < other;
  });
  const std::size_t count = order_.size();
  order_.resize(std::min(count, kMostObjects));
  if (segmentation.is_there()) {
    read_classes(segmentation);
    choose_classes();
    if (!record_.road_classes.empty()) measure_roads();
  }
  for (std::size_t i = 0; i < order_.size(); ++i) {
    const Region& region = regions_[order_[i]];
    UnknownObject object;
    object.x = edges_.across[region.left];
    object.y = edges_.down[region.top];
    object.width = edges_.across[region.right] - object.x;
    object.height = edges_.down[region.bottom] - object.y;
    object.area = region.area;
    object.peak = static_cast<double>(region.peak);
    if (segmentation.is_there()) {
      object.class_id = chosen_classes_[i];
      if (!record_.road_classes.empty()) object.road_distance = distances_[i];
    }
    object.where = place_of(region);
    into.objects.push_back(object);
  }
  const UnknownObject& first = into.objects.front();
  bool is_named = false;
  for (const std::string_view start : {"all ", "most ", "part ", "row", "column"}) {
    is_named = is_named || starts_with(first.where, start);
  }
  if (count == 1) {
    append(into.words, "1, with a peak of ", Formatted{"%.1f", first.peak}, ", in ");
  } else {
    append(into.words, count, ", the clearest (", Formatted{"%.1f", first.peak}, ") in ");
  }
  append(into.words, is_named ? "" : "the ", first.where);
}

}  // namespace lsood::detail
