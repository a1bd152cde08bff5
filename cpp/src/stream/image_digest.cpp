// SPDX-License-Identifier: Apache-2.0
#include "lsood/image_digest.hpp"

#include <algorithm>
#include <cstring>

namespace lsood {
namespace {

constexpr std::size_t kRowsOfABand = 4, kWord = 8;
constexpr int kDark = 8, kBright = 247;
constexpr double kLeastUnclipped = 0.25;
constexpr std::uint64_t kOdd = 0x9e3779b97f4a7c15U;  // 2**64 over the golden ratio

std::uint64_t word_at(const std::uint8_t* bytes) {
  std::uint64_t word;
  std::memcpy(&word, bytes, kWord);
  return word;
}

// A number without a pattern for each argument: the finalizer of splitmix64 (Steele, Lea and Flood 2014).
constexpr std::uint64_t mixed(std::uint64_t number) {
  number += kOdd;
  number = (number ^ (number >> 30)) * 0xbf58476d1ce4e5b9U;
  number = (number ^ (number >> 27)) * 0x94d049bb133111ebU;
  return number ^ (number >> 31);
}

// Four numbers that all words go into in turn; a step is invertible, so that no change of a single word is lost.
class Checksum {
 public:
  void add(const std::uint8_t* bytes, std::size_t size) {
    for (; size >= sizeof lanes_; bytes += sizeof lanes_, size -= sizeof lanes_) {
      for (std::size_t lane = 0; lane < lanes_.size(); ++lane) {
        step(lane, word_at(bytes + lane * kWord));
      }
    }
    std::size_t lane = 0;
    for (; size >= kWord; bytes += kWord, size -= kWord) {
      step(lane++, word_at(bytes));
    }
    if (size > 0) {
      std::array<std::uint8_t, kWord> rest{};
      std::copy_n(bytes, size, rest.begin());
      step(lane, word_at(rest.data()));
    }
  }
  [[nodiscard]] std::uint64_t value() const {
    std::uint64_t all = 0;
    for (const std::uint64_t lane : lanes_) {
      all = mixed(all ^ lane);
    }
    return all;
  }

 private:
  void step(std::size_t lane, std::uint64_t word) {
    const std::uint64_t product = (lanes_[lane] ^ word) * kOdd;
    lanes_[lane] = product << 29 | product >> 35;
  }

  std::array<std::uint64_t, 4> lanes_{1, 2, 3, 4};
};

// What is known of a tile after some of its rows.
struct Tile {
  std::uint64_t number = 0;
  std::uint8_t least = 255, most = 0;
  std::size_t unclipped = 0, bytes = 0;

  void add(const std::uint8_t* row, std::size_t size, std::uint64_t first_place) {
    std::uint64_t place = first_place * kOdd;
    for (std::size_t i = 0; i < size; i += kWord, place += kOdd) {
      const std::uint64_t product = (word_at(row + i) + place) * kOdd;  // another number for each word and place
      number += product ^ product >> 32;
    }
    std::uint8_t low = 255, high = 0;  // in registers: as members they might lie in the row
    unsigned within = 0;
    for (std::size_t i = 0; i < size; ++i) {
      low = std::min(low, row[i]);
      high = std::max(high, row[i]);
      within += static_cast<unsigned>(row[i] > kDark && row[i] < kBright);
    }
    least = std::min(least, low);
    most = std::max(most, high);
    unclipped += within;
    bytes += size;
  }
};

}  // namespace

std::optional<ImageDigest> image_digest(const Frame& frame) noexcept {
  std::int64_t row_bytes = 0, bytes = 0;
  if (frame.data == nullptr || frame.height <= 0 || frame.width <= 0 || frame.channels <= 0 ||
      __builtin_mul_overflow(frame.width, frame.channels, &row_bytes) ||
      (frame.stride != 0 && frame.stride < row_bytes) ||
      __builtin_mul_overflow(frame.height, std::max(frame.stride, row_bytes), &bytes)) {
    return std::nullopt;
  }
  ImageDigest digest;
  digest.height = static_cast<std::size_t>(frame.height);
  digest.width = static_cast<std::size_t>(frame.width);
  digest.channels = static_cast<std::size_t>(frame.channels);
  const std::size_t height = digest.height, row_size = static_cast<std::size_t>(row_bytes);
  const std::size_t stride = frame.stride == 0 ? row_size : static_cast<std::size_t>(frame.stride);
  const auto row_at = [&](std::size_t row) { return frame.data + row * stride; };

  Checksum checksum;
  if (stride == row_size) {
    checksum.add(frame.data, height * row_size);
  } else {
    for (std::size_t row = 0; row < height; ++row) {
      checksum.add(row_at(row), row_size);
    }
  }
  digest.checksum = checksum.value();

  const std::size_t columns = std::min(ImageDigest::most_columns, row_size / kWord);
  if (columns == 0) {
    return digest;
  }
  const std::size_t bands = std::min(ImageDigest::most_bands, height);
  const std::size_t rows = height >= ImageDigest::most_bands * kRowsOfABand ? kRowsOfABand : 1;
  std::array<std::size_t, ImageDigest::most_columns + 1> starts{};
  std::size_t width = row_size;
  for (std::size_t i = 0; i <= columns; ++i) {
    starts[i] = i * digest.width / columns * digest.channels;
    width = i > 0 ? std::min(width, starts[i] - starts[i - 1]) : width;
  }
  width = width / kWord * kWord;
  if (width == 0) {  // columns narrower than a word begin at any byte
    width = row_size / columns / kWord * kWord;
    for (std::size_t i = 0; i < columns; ++i) {
      starts[i] = i * width;
    }
  }
  digest.bands = bands;
  digest.columns = columns;
  for (std::size_t band = 0; band < bands; ++band) {
    for (std::size_t column = 0; column < columns; ++column) {
      Tile tile;
      for (std::size_t row = 0; row < rows; ++row) {
        const std::size_t sampled = (band * rows + row) * height / (bands * rows);
        tile.add(row_at(sampled) + starts[column], width, row * (width / kWord));
      }
      const std::size_t place = band * columns + column;
      digest.tiles[place] = tile.number;
      digest.textured[place] = tile.least != tile.most;
      digest.telling[place] = tile.least != tile.most && static_cast<double>(tile.unclipped) >=
                                                             kLeastUnclipped * static_cast<double>(tile.bytes);
    }
  }
  return digest;
}

}  // namespace lsood
