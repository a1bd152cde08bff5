// SPDX-License-Identifier: Apache-2.0
#include "detail/picture_check.hpp"

#include <algorithm>

#include "detail/words.hpp"

namespace lsood::detail {

namespace {

constexpr std::uint8_t kDark = 8, kBright = 247;
constexpr int kNight = 40, kWhite = 192;
constexpr double kAlike = 0.99, kCutShare = 0.5;
constexpr std::size_t kMostRows = 64, kLeastPixels = 8, kCutParts = 64, kLeastCut = 3, kStride = 4;

constexpr std::array<std::string_view, 4> kWords{"", "black", "saturated", "of one colour"};

// The step between the rows of a frame that are looked at: 64 to 127 of them, or all where there are fewer.
std::size_t row_step(std::size_t height) { return std::max<std::size_t>(1, height / kMostRows); }

// The first of those rows at or behind a row.
std::size_t sampled_from(std::size_t row, std::size_t step) { return (row + step - 1) / step * step; }

bool is_alike(Blank kind, std::uint8_t value, std::uint8_t colour) {
  return kind == Blank::black ? value <= kDark : kind == Blank::saturated ? value >= kBright : value == colour;
}

// What 99 % of the values of a part of the sampled rows are; the colour is that of its first pixel. Rows are looked at until
// so many values differ that no kind is left, which in a picture is the first row.
Blank kind_of(const Picture& picture, std::size_t top, std::size_t bottom, std::size_t left, std::size_t right) {
  const std::size_t step = row_step(picture.height), first = sampled_from(top, step);
  const std::size_t rows = first < bottom ? (bottom - first + step - 1) / step : 0;
  const auto total = static_cast<double>(rows * 3 * (right - left)), enough = kAlike * total;
  const std::uint8_t* colour = picture.pixel(first, left);
  std::array<double, 4> unlike{};
  for (std::size_t row = first; row < bottom; row += step) {
    const std::uint8_t* pixels = picture.pixel(row, left);
    std::uint32_t not_black = 0, not_bright = 0, not_same = 0;
    for (std::size_t i = 0; i < right - left; ++i) {
      for (std::size_t channel = 0; channel < 3; ++channel) {
        const std::uint8_t value = pixels[3 * i + channel];
        not_black += value > kDark;
        not_bright += value < kBright;
        not_same += value != colour[channel];
      }
    }
    unlike[1] += not_black;
    unlike[2] += not_bright;
    unlike[3] += not_same;
    if (total - std::min({unlike[1], unlike[2], unlike[3]}) < enough) return Blank::neither;
  }
  for (const Blank kind : {Blank::black, Blank::saturated, Blank::one_colour}) {
    if (total - unlike[static_cast<std::size_t>(kind)] >= enough) return kind;
  }
  return Blank::neither;
}

std::size_t edge(std::size_t place, std::size_t length, std::size_t count) { return place * length / count; }

// The picture and its tiles seen from one of its four sides: rows count from there.
struct Side {
  const Picture& picture;
  const TileKinds& kinds;
  std::size_t rows, columns;  // of the tiles in the picture
  bool turned, reversed;

  [[nodiscard]] std::size_t count() const { return turned ? columns : rows; }
  [[nodiscard]] std::size_t across() const { return turned ? rows : columns; }
  [[nodiscard]] std::size_t length() const { return turned ? picture.width : picture.height; }
  [[nodiscard]] std::size_t width() const { return turned ? picture.height : picture.width; }
  [[nodiscard]] std::size_t place(std::size_t row, std::size_t column) const {
    const std::size_t from_there = reversed ? count() - 1 - row : row;
    return turned ? column * columns + from_there : from_there * columns + column;
  }
  [[nodiscard]] Blank kind(std::size_t row, std::size_t column) const { return kinds[place(row, column)]; }
  [[nodiscard]] const std::uint8_t* pixel(std::size_t row, std::size_t column) const {
    const std::size_t from_there = reversed ? length() - 1 - row : row;
    return turned ? picture.pixel(column, from_there) : picture.pixel(from_there, column);
  }
  [[nodiscard]] std::size_t tile_edge(std::size_t number) const {
    return reversed ? length() - edge(count() - number, length(), count()) : edge(number, length(), count());
  }
};

// Whether a straight line across the picture ends the complete blank rows of tiles at this side, and how many these are.
std::size_t cut_rows(const Side& side) {
  std::size_t count = 0;
  const auto is_blank = [&side](std::size_t row) {
    for (std::size_t column = 0; column < side.across(); ++column) {
      if (side.kind(row, column) == Blank::neither) return false;
    }
    return true;
  };
  while (count < side.count() && is_blank(count)) ++count;
  if (count == 0 || count == side.count()) return 0;
  const Blank kind = side.kind(0, 0);
  const std::uint8_t* colour = side.pixel(0, 0);
  const std::size_t span = std::max(kLeastCut, side.length() / kCutParts);
  bool has_ended = false;
  std::size_t left = span;
  for (std::size_t row = side.tile_edge(count); row < side.tile_edge(count + 1) && left > 0; ++row) {
    std::size_t alike = 0, total = 0;
    for (std::size_t column = 0; column < side.width(); column += kStride) {
      const std::uint8_t* pixel = side.pixel(row, column);
      for (std::size_t channel = 0; channel < 3; ++channel) alike += is_alike(kind, pixel[channel], colour[channel]);
      total += 3;
    }
    const double share = static_cast<double>(alike) / static_cast<double>(total);
    has_ended = has_ended || share < kAlike;
    if (!has_ended) continue;
    if (share <= kCutShare) return count;
    --left;
  }
  return 0;
}

}  // namespace

PictureCheck::PictureCheck(std::optional<TileCheck> check, const std::vector<Picture>& known) : check_(check) {
  if (!check_) return;
  grid_.emplace(static_cast<std::size_t>(check_->rows), static_cast<std::size_t>(check_->columns));
  bool is_first = true;
  for (const Picture& picture : known) {
    if (!fits(picture)) return;
    TileKinds kinds{};
    find_kinds(picture, kinds);
    TileBits blank;
    for (std::size_t i = 0; i < grid_->count(); ++i) blank[i] = kinds[i] != Blank::neither;
    usual_ = is_first ? blank : usual_ & blank;
    is_first = false;
  }
}

bool PictureCheck::fits(const Picture& picture) const {
  return picture.height >= kLeastPixels * grid_->rows() && picture.width >= kLeastPixels * grid_->columns();
}

void PictureCheck::find_kinds(const Picture& picture, TileKinds& kinds) const {
  const std::size_t rows = grid_->rows(), columns = grid_->columns();
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t column = 0; column < columns; ++column) {
      kinds[place(row, column)] =
          kind_of(picture, edge(row, picture.height, rows), edge(row + 1, picture.height, rows),
                  edge(column, picture.width, columns), edge(column + 1, picture.width, columns));
    }
  }
}

// Whether a tile has a colour that sky may have: clipped, or nearly white or black.
bool PictureCheck::is_like_sky(const Picture& picture, Blank kind, std::size_t row, std::size_t column) const {
  if (kind != Blank::one_colour) return true;
  const std::size_t top = sampled_from(edge(row, picture.height, grid_->rows()), row_step(picture.height));
  const std::uint8_t* colour = picture.pixel(top, edge(column, picture.width, grid_->columns()));
  const auto [least, most] = std::minmax({colour[0], colour[1], colour[2]});
  return least >= kWhite || most < kNight;
}

// Whether the tiles with a picture are dark; false where none has any.
bool PictureCheck::is_dark(const Picture& picture, const TileBits& live) const {
  std::array<double, kMostTileRows * kMostTileColumns> means;
  const std::size_t step = row_step(picture.height), rows = grid_->rows(), columns = grid_->columns();
  std::size_t count = 0;
  for (std::size_t tile = 0; tile < grid_->count(); ++tile) {
    if (!live[tile]) continue;
    const std::size_t row = tile / columns, column = tile % columns;
    const std::size_t left = edge(column, picture.width, columns), right = edge(column + 1, picture.width, columns);
    std::uint64_t total = 0, values = 0;
    const std::size_t bottom = edge(row + 1, picture.height, rows);
    for (std::size_t y = sampled_from(edge(row, picture.height, rows), step); y < bottom; y += step) {
      const std::uint8_t* pixels = picture.pixel(y, left);
      for (std::size_t i = 0; i < 3 * (right - left); ++i) total += pixels[i];
      values += 3 * (right - left);
    }
    means[count++] = static_cast<double>(total) / static_cast<double>(values);
  }
  if (count == 0) return false;
  std::sort(means.begin(), means.begin() + static_cast<std::ptrdiff_t>(count));
  const double median = count % 2 == 1 ? means[count / 2] : (means[count / 2 - 1] + means[count / 2]) / 2;
  return median < kNight;
}

// The tiles of complete blank rows, or columns, from an edge up to a straight line across the picture.
TileBits PictureCheck::cut_off(const Picture& picture, const TileKinds& kinds) const {
  TileBits cut;
  for (const bool turned : {false, true}) {
    for (const bool reversed : {false, true}) {
      const Side side{picture, kinds, grid_->rows(), grid_->columns(), turned, reversed};
      const std::size_t count = cut_rows(side);
      for (std::size_t row = 0; row < count; ++row) {
        for (std::size_t column = 0; column < side.across(); ++column) cut.set(side.place(row, column));
      }
    }
  }
  return cut;
}

void PictureCheck::find_tiles(const Picture& picture, TileKinds& kinds) const {
  find_kinds(picture, kinds);
  TileBits blank, black;
  for (std::size_t i = 0; i < grid_->count(); ++i) {
    if (usual_[i]) kinds[i] = Blank::neither;
    blank[i] = kinds[i] != Blank::neither;
    black[i] = kinds[i] == Blank::black;
  }
  if (blank.none()) return;
  TileBits scene, live = ~blank & ~usual_;
  for (std::size_t i = grid_->count(); i < live.size(); ++i) live.reset(i);
  for (std::size_t column = 0; column < grid_->columns(); ++column) {
    std::size_t run = 0;
    while (run < grid_->rows() && blank[place(run, column)]) ++run;
    if (run == grid_->rows()) continue;
    for (std::size_t row = 0; row < run; ++row) {
      if (is_like_sky(picture, kinds[place(row, column)], row, column)) scene.set(place(row, column));
    }
  }
  if (black.any() && is_dark(picture, live)) scene |= black;
  if (scene.any()) scene &= ~cut_off(picture, kinds);
  for (std::size_t i = 0; i < grid_->count(); ++i) {
    if (scene[i]) kinds[i] = Blank::neither;
  }
}

void PictureCheck::look(const Picture& picture, bool judge_tiles, PictureFindings& findings) const {
  findings.reason.clear();
  findings.tile_faults.clear();
  findings.faulty_tiles.reset();
  findings.has_tiles = false;
  const Blank whole = kind_of(picture, 0, picture.height, 0, picture.width);
  if (whole != Blank::neither) {
    std::string& text = findings.reason;
    append(text, "expected a camera's image, got a frame that is ", kWords[static_cast<std::size_t>(whole)],
           ": 99% of the pixels are ");
    if (whole == Blank::black) append(text, "at ", kDark, " or below");
    if (whole == Blank::saturated) append(text, "at ", kBright, " or above");
    const std::uint8_t* first = picture.data;
    if (whole == Blank::one_colour) append(text, "(", first[0], ", ", first[1], ", ", first[2], ")");
  }
  if (!grid_ || !fits(picture)) return;
  TileKinds kinds;
  find_tiles(picture, kinds);
  findings.has_tiles = true;
  for (const Blank kind : {Blank::black, Blank::saturated, Blank::one_colour}) {
    TileBits tiles;
    for (std::size_t i = 0; i < grid_->count(); ++i) tiles[i] = kinds[i] == kind;
    if (tiles.none()) continue;
    findings.faulty_tiles |= tiles;
    append(findings.tile_faults, findings.tile_faults.empty() ? "" : "; ", kWords[static_cast<std::size_t>(kind)], ": ");
    grid_->append_words(tiles, tiles, findings.tile_faults);
  }
  const auto count = static_cast<double>(findings.faulty_tiles.count());
  const bool has_share = count >= check_->share * static_cast<double>(grid_->count());
  if (!findings.reason.empty() || !has_share || !judge_tiles) return;
  const bool is_light = findings.tile_faults.find(kWords[static_cast<std::size_t>(Blank::saturated)]) != std::string::npos;
  append(findings.reason, "expected a live picture in every tile, got ", findings.tile_faults, ": ",
         is_light ? "too much light falls on it, or " : "",
         "a part of the camera, of its memory or of its transfer gives no picture");
}

}  // namespace lsood::detail
