// SPDX-License-Identifier: Apache-2.0
#include "detail/region_words.hpp"

#include <algorithm>

#include "detail/words.hpp"

namespace lsood::detail {

namespace {

struct Part {
  const char* word;
  std::size_t first, last;
};

std::vector<Part> halves(std::size_t count, const char* first, const char* second) {
  if (count % 2 != 0) return {};
  return {{first, 0, count / 2}, {second, count / 2, count}};
}

std::string named(const char* word, const char* noun) { return std::string("the ") + word + " " + noun; }

std::string named(const char* word, const char* other, const char* noun) {
  return std::string("the ") + word + " " + other + " " + noun;
}

}  // namespace

RegionNames::RegionNames(std::size_t rows, std::size_t columns) : rows_(rows), columns_(columns) {
  for (std::size_t i = 0; i < rows * columns; ++i) all_.set(i);
  add_parts();
  add_bands();
}

void RegionNames::add(std::string name, std::size_t top, std::size_t bottom, std::size_t left, std::size_t right,
                      bool is_coarse) {
  TileBits tiles;
  for (std::size_t row = top; row < bottom; ++row) {
    for (std::size_t column = left; column < right; ++column) tiles.set(row * columns_ + column);
  }
  const std::size_t size = tiles.count();
  regions_.push_back({std::move(name), tiles, size, is_coarse});
}

// The whole picture, halves, quarters, the centre, outer rows and columns, corners.
void RegionNames::add_parts() {
  const auto upright = halves(rows_, "upper", "lower"), sideways = halves(columns_, "left", "right");
  add("the whole picture", 0, rows_, 0, columns_, true);
  for (const Part& down : upright) add(named(down.word, "half"), down.first, down.last, 0, columns_, true);
  for (const Part& across : sideways) add(named(across.word, "half"), 0, rows_, across.first, across.last, true);
  for (const Part& down : upright) {
    for (const Part& across : sideways) {
      add(named(down.word, across.word, "quarter"), down.first, down.last, across.first, across.last, true);
    }
  }
  if (rows_ >= 3 && columns_ >= 3) {
    const std::size_t down = std::max<std::size_t>(1, rows_ / 4), across = std::max<std::size_t>(1, columns_ / 4);
    add("the centre", down, rows_ - down, across, columns_ - across, true);
  }
  const Part outer_rows[] = {{"upper", 0, 1}, {"lower", rows_ - 1, rows_}};
  const Part outer_columns[] = {{"left", 0, 1}, {"right", columns_ - 1, columns_}};
  for (const Part& down : outer_rows) add(named(down.word, "row"), down.first, down.last, 0, columns_, true);
  for (const Part& across : outer_columns) add(named(across.word, "column"), 0, rows_, across.first, across.last, true);
  for (const Part& down : outer_rows) {
    for (const Part& across : outer_columns) {
      add(named(down.word, across.word, "corner"), down.first, down.last, across.first, across.last, true);
    }
  }
}

// Complete rows and complete columns, one or several beside each other.
void RegionNames::add_bands() {
  for (const bool of_rows : {true, false}) {
    const std::string noun = of_rows ? "row" : "column";
    const std::size_t count = of_rows ? rows_ : columns_;
    const std::string of = " of " + std::to_string(count);
    for (std::size_t start = 0; start < count; ++start) {
      for (std::size_t stop = start + 1; stop <= count; ++stop) {
        std::string name = noun + "s " + std::to_string(start + 1) + " to " + std::to_string(stop) + of;
        if (stop - start == 1) {
          name = noun + " " + std::to_string(stop) + of;
        } else if (start == 0 || stop == count) {
          const char* side = start == 0 ? (of_rows ? "upper" : "left") : (of_rows ? "lower" : "right");
          name = std::string("the ") + side + " " + std::to_string(stop - start) + " " + noun + "s";
        }
        if (of_rows) {
          add(std::move(name), start, stop, 0, columns_, false);
        } else {
          add(std::move(name), 0, rows_, start, stop, false);
        }
      }
    }
  }
}

void RegionNames::append_name(const TileBits& tiles, std::string& text) const {
  const std::size_t count = tiles.count();
  if (count == 0) {
    text += "beside the frame";
    return;
  }
  const TileBits others = all_ & ~tiles;
  for (const Region& region : regions_) {
    if (region.tiles == tiles) {
      const std::string_view name = region.name;
      text += name.substr(0, 4) == "the " ? name.substr(4) : name;
      return;
    }
  }
  if (2 * count >= rows_ * columns_) {
    for (const Region& region : regions_) {
      if (region.tiles == others) {
        append(text, "all but ", region.name);
        return;
      }
    }
  }
  const Region* dense = nullptr;
  const Region* coarse = nullptr;
  for (const Region& region : regions_) {
    if ((tiles & ~region.tiles).any()) continue;
    if (2 * count > region.size && (dense == nullptr || region.size < dense->size)) dense = &region;
    if (region.is_coarse && (coarse == nullptr || region.size < coarse->size)) coarse = &region;
  }
  append(text, dense != nullptr ? "most of " : "part of ", (dense != nullptr ? dense : coarse)->name);
}

void RegionNames::append_words(const TileBits& tiles, const TileBits& in_frame, std::string& text) const {
  append_name(in_frame, text);
  append(text, " (", tiles.count(), " of ", rows_ * columns_, " tiles)");
}

}  // namespace lsood::detail
