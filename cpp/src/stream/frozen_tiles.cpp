// SPDX-License-Identifier: Apache-2.0
#include "stream/frozen_tiles.hpp"

#include <algorithm>

#include "stream/observed_time.hpp"

namespace lsood::stream {
namespace {

constexpr std::int64_t kFewestRepeats = 3;
constexpr double kLonger = 2.0;
constexpr double kOldShare = 0.5, kNewShare = 0.9, kLiveShare = 0.75, kRowShare = 0.5, kStillShare = 0.25;
constexpr std::size_t kLeastPixels = 8;

using Lines = std::bitset<TileMask::most_rows>;

// The lines where they lie beside each other; none where others lie between them.
Lines one_band(const Lines& lines) {
  const Lines starts = lines & ~(lines << 1);
  return starts.count() == 1 ? lines : Lines{};
}

double share(double part, double count) { return part / count; }

}  // namespace

FrozenTiles::FrozenTiles(const TileCheck& check)
    : check_(check), contents_(kParts), next_(kParts), count_(kParts), since_ns_(kParts) {}

std::size_t FrozenTiles::first_part(int tile, int tiles, std::size_t parts) const noexcept {
  const auto each = static_cast<std::size_t>(tile), all = static_cast<std::size_t>(tiles);
  return (each * parts + all - 1) / all;
}

void FrozenTiles::begin(const ImageDigest& digest) noexcept {
  known_ = true;
  bands_ = digest.bands;
  columns_ = digest.columns;
  for (std::size_t part = 0; part < digest.size(); ++part) {
    contents_[part].fill(~digest.tiles[part]);
    next_[part] = 0;
    count_[part] = since_ns_[part] = 0;
  }
  new_.reset();
}

void FrozenTiles::see(const ImageDigest* digest, std::int64_t time_ns) noexcept {
  if (digest == nullptr || digest->size() == 0 ||
      digest->height < kLeastPixels * static_cast<std::size_t>(check_.rows) ||
      digest->width < kLeastPixels * static_cast<std::size_t>(check_.columns)) {
    known_ = false;
    return;
  }
  if (!known_ || bands_ != digest->bands || columns_ != digest->columns) {
    begin(*digest);
  }
  Parts fresh;
  for (std::size_t part = 0; part < digest->size(); ++part) {
    auto& contents = contents_[part];
    if (std::find(contents.begin(), contents.end(), digest->tiles[part]) != contents.end()) {
      ++count_[part];
      continue;
    }
    fresh.set(part);
    contents[next_[part]] = digest->tiles[part];
    next_[part] = static_cast<std::uint8_t>((next_[part] + 1) % kRemembered);
    count_[part] = 1;
    since_ns_[part] = time_ns;
  }
  if (fresh.any()) {
    new_ = fresh;
  }
}

FrozenPart FrozenTiles::frozen(const ImageDigest& digest, std::int64_t time_ns, double after_s) const noexcept {
  FrozenPart none;
  none.tiles.rows = check_.rows;
  none.tiles.columns = check_.columns;
  if (!known_) {
    return none;
  }
  const std::size_t parts = digest.size();
  Parts old;
  for (std::size_t part = 0; part < parts; ++part) {
    const auto still_ns = static_cast<double>(time_ns - since_ns_[part]);
    old[part] = still_ns >= kLonger * after_s * 1e9 && count_[part] >= kFewestRepeats;
  }
  const auto old_share = share(static_cast<double>(old.count()), static_cast<double>(parts));
  if (old.count() == parts || old_share < kOldShare * check_.share) {
    return none;
  }
  FrozenPart found = none;
  TileMask live = none.tiles, counted = none.tiles;
  std::size_t going_on = 0;
  for (int row = 0; row < check_.rows; ++row) {
    for (int column = 0; column < check_.columns; ++column) {
      int telling = 0, frozen_parts = 0, new_parts = 0;
      for (std::size_t band = first_part(row, check_.rows, bands_); band < first_part(row + 1, check_.rows, bands_);
           ++band) {
        for (std::size_t i = first_part(column, check_.columns, columns_);
             i < first_part(column + 1, check_.columns, columns_); ++i) {
          const std::size_t part = band * columns_ + i;
          const bool tells = digest.telling[part];
          telling += static_cast<int>(tells);
          frozen_parts += static_cast<int>(tells && old[part]);
          new_parts += static_cast<int>(tells && new_[part]);
        }
      }
      const bool is_frozen = telling > 0 && frozen_parts >= kOldShare * telling;
      const bool is_live = telling > 0 && !is_frozen;
      found.tiles.tiles[found.tiles.place(row, column)] = is_frozen;
      live.tiles[live.place(row, column)] = is_live;
      going_on += static_cast<std::size_t>(is_live && new_parts >= kNewShare * telling);
    }
  }
  if (!live.reaches(check_) ||
      static_cast<double>(going_on) < kLiveShare * static_cast<double>(live.tiles.count())) {
    return none;
  }
  const auto whole_lines = [&](int lines, int across, bool rows) {
    Lines whole;
    for (int line = 0; line < lines; ++line) {
      int frozen_tiles = 0;
      bool any_live = false;
      for (int i = 0; i < across; ++i) {
        const std::size_t place = rows ? live.place(line, i) : live.place(i, line);
        frozen_tiles += static_cast<int>(found.tiles.tiles[place]);
        any_live = any_live || live.tiles[place];
      }
      whole[static_cast<std::size_t>(line)] = !any_live && share(frozen_tiles, across) >= kRowShare;
    }
    return one_band(whole);
  };
  Lines whole_rows = whole_lines(check_.rows, check_.columns, true);
  const Lines whole_columns = whole_lines(check_.columns, check_.rows, false);
  const auto rows = static_cast<std::size_t>(check_.rows);
  for (const bool from_top : {true, false}) {
    std::size_t outer = 0;
    while (outer < rows && whole_rows[from_top ? outer : rows - 1 - outer]) {
      ++outer;
    }
    for (std::size_t i = 0; i < outer && static_cast<double>(outer) <= kStillShare * static_cast<double>(rows); ++i) {
      whole_rows.reset(from_top ? i : rows - 1 - i);
    }
  }
  std::int64_t still_ns = time_ns - *std::min_element(since_ns_.begin(), since_ns_.begin() + static_cast<std::ptrdiff_t>(parts));
  for (int row = 0; row < check_.rows; ++row) {
    for (int column = 0; column < check_.columns; ++column) {
      if (!found.tiles.at(row, column) ||
          !(whole_rows[static_cast<std::size_t>(row)] || whole_columns[static_cast<std::size_t>(column)])) {
        continue;
      }
      counted.tiles.set(counted.place(row, column));
      for (std::size_t band = first_part(row, check_.rows, bands_); band < first_part(row + 1, check_.rows, bands_);
           ++band) {
        for (std::size_t i = first_part(column, check_.columns, columns_);
             i < first_part(column + 1, check_.columns, columns_); ++i) {
          const std::size_t part = band * columns_ + i;
          if (digest.telling[part] && old[part]) {
            still_ns = std::min(still_ns, time_ns - since_ns_[part]);
          }
        }
      }
    }
  }
  return {counted, seconds(still_ns)};
}

void FrozenTiles::shift(std::int64_t by_ns) noexcept {
  for (std::int64_t& since : since_ns_) {
    since += by_ns;
  }
}

}  // namespace lsood::stream
