// SPDX-License-Identifier: Apache-2.0
#include "detail/inflate.hpp"

#include <algorithm>
#include <array>
#include <numeric>
#include <optional>

namespace lsood::detail {

namespace {

constexpr int kLongestCode = 15;
constexpr std::size_t kMostSymbols = 288;

class Bits {
 public:
  explicit Bits(std::string_view bytes) : bytes_(bytes) {}

  // The next bits, the least significant first; nothing where the stream ends.
  std::optional<unsigned> take(int count) {
    while (held_ < count) {
      if (place_ == bytes_.size()) return std::nullopt;
      word_ |= static_cast<std::uint64_t>(static_cast<unsigned char>(bytes_[place_++])) << held_;
      held_ += 8;
    }
    const auto value = static_cast<unsigned>(word_ & ((std::uint64_t{1} << count) - 1));
    word_ >>= count;
    held_ -= count;
    return value;
  }

  // The bytes from the next whole one on, of which the caller has used up so many.
  std::string_view bytes() {
    word_ = 0;
    place_ -= static_cast<std::size_t>(held_ / 8);
    held_ = 0;
    return bytes_.substr(place_);
  }
  void skip(std::size_t count) { place_ += count; }

 private:
  std::string_view bytes_;
  std::size_t place_ = 0;
  std::uint64_t word_ = 0;
  int held_ = 0;
};

// A canonical Huffman code.
class Code {
 public:
  // Whether lengths of codes, 0 for a symbol without one, make a code that is not oversubscribed.
  bool build(const std::uint8_t* lengths, std::size_t count) {
    counts_.fill(0);
    for (std::size_t i = 0; i < count; ++i) ++counts_[lengths[i]];
    counts_[0] = 0;
    std::array<std::uint16_t, kLongestCode + 2> first{};
    int left = 1;
    for (std::size_t length = 1; length <= kLongestCode; ++length) {
      left = 2 * left - counts_[length];
      if (left < 0) return false;
      first[length + 1] = static_cast<std::uint16_t>(first[length] + counts_[length]);
    }
    for (std::size_t i = 0; i < count; ++i) {
      if (lengths[i] > 0) symbols_[first[lengths[i]]++] = static_cast<std::uint16_t>(i);
    }
    return true;
  }

  std::optional<unsigned> next(Bits& bits) const {
    int code = 0, first = 0, place = 0;
    for (std::size_t length = 1; length <= kLongestCode; ++length) {
      const auto bit = bits.take(1);
      if (!bit) return std::nullopt;
      code |= static_cast<int>(*bit);
      if (code - first < counts_[length]) return symbols_[static_cast<std::size_t>(place + code - first)];
      place += counts_[length];
      first = (first + counts_[length]) << 1;
      code <<= 1;
    }
    return std::nullopt;
  }

 private:
  std::array<std::uint16_t, kLongestCode + 1> counts_{};
  std::array<std::uint16_t, kMostSymbols> symbols_{};
};

constexpr std::array<std::uint16_t, 29> kLengths{3,  4,  5,  6,  7,  8,  9,  10, 11,  13,  15,  17,  19,  23, 27,
                                                 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258};
constexpr std::array<std::uint8_t, 29> kLengthBits{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2,
                                                   2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0};
constexpr std::array<std::uint16_t, 30> kDistances{1,   2,   3,   4,   5,   7,    9,    13,   17,   25,
                                                   33,  49,  65,  97,  129, 193,  257,  385,  513,  769,
                                                   1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577};
constexpr std::array<std::uint8_t, 30> kDistanceBits{0, 0, 0, 0, 1, 1, 2, 2,  3,  3,  4,  4,  5,  5,  6,
                                                     6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13};

class Inflater {
 public:
  Inflater(std::string_view packed, std::size_t length, std::string& into) : bits_(packed), length_(length), into_(into) {}

  bool run() {
    while (true) {
      const auto last = bits_.take(1), kind = bits_.take(2);
      if (!last || !kind) return false;
      const bool done = *kind == 0 ? stored() : *kind == 1 ? fixed() : *kind == 2 ? dynamic() : false;
      if (!done) return false;
      if (*last != 0) return into_.size() == length_;
    }
  }

 private:
  bool stored() {
    const std::string_view bytes = bits_.bytes();
    if (bytes.size() < 4) return false;
    const auto word = [&bytes](std::size_t place) {
      return static_cast<unsigned>(static_cast<unsigned char>(bytes[place])) |
             static_cast<unsigned>(static_cast<unsigned char>(bytes[place + 1])) << 8;
    };
    const unsigned count = word(0);
    if ((count ^ word(2)) != 0xffff || bytes.size() - 4 < count || into_.size() + count > length_) return false;
    into_ += bytes.substr(4, count);
    bits_.skip(4 + count);
    return true;
  }

  bool fixed() {
    std::array<std::uint8_t, kMostSymbols> lengths{};
    for (std::size_t i = 0; i < lengths.size(); ++i) {
      lengths[i] = static_cast<std::uint8_t>(i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8);
    }
    std::array<std::uint8_t, 30> distances{};
    distances.fill(5);
    return literals_.build(lengths.data(), lengths.size()) && distances_.build(distances.data(), distances.size()) && coded();
  }

  bool dynamic() {
    const auto given = bits_.take(5), given_distances = bits_.take(5), given_lengths = bits_.take(4);
    if (!given || !given_distances || !given_lengths || *given > 29 || *given_distances > 29) return false;
    const std::size_t literals = *given + 257, distances = *given_distances + 1;
    constexpr std::array<std::uint8_t, 19> order{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};
    std::array<std::uint8_t, 320> lengths{};
    for (std::size_t i = 0; i < *given_lengths + 4; ++i) {
      const auto length = bits_.take(3);
      if (!length) return false;
      lengths[order[i]] = static_cast<std::uint8_t>(*length);
    }
    Code code;
    if (!code.build(lengths.data(), order.size())) return false;
    lengths.fill(0);
    for (std::size_t place = 0; place < literals + distances;) {
      const auto symbol = code.next(bits_);
      if (!symbol) return false;
      if (*symbol < 16) {
        lengths[place++] = static_cast<std::uint8_t>(*symbol);
        continue;
      }
      if (*symbol == 16 && place == 0) return false;
      const std::uint8_t repeated = *symbol == 16 ? lengths[place - 1] : std::uint8_t{0};
      const auto more = bits_.take(*symbol == 16 ? 2 : *symbol == 17 ? 3 : 7);
      if (!more) return false;
      const std::size_t count = *more + (*symbol == 18 ? 11 : 3);
      if (place + count > literals + distances) return false;
      std::fill_n(lengths.begin() + static_cast<std::ptrdiff_t>(place), count, repeated);
      place += count;
    }
    return lengths[256] > 0 && literals_.build(lengths.data(), literals) &&
           distances_.build(lengths.data() + literals, distances) && coded();
  }

  bool coded() {
    while (true) {
      const auto symbol = literals_.next(bits_);
      if (!symbol || *symbol > 285) return false;
      if (*symbol == 256) return true;
      if (*symbol < 256) {
        if (into_.size() == length_) return false;
        into_ += static_cast<char>(*symbol);
        continue;
      }
      const std::size_t place = *symbol - 257;
      const auto more = bits_.take(kLengthBits[place]);
      const auto far = distances_.next(bits_);
      if (!more || !far || *far > 29) return false;
      const auto farther = bits_.take(kDistanceBits[*far]);
      if (!farther) return false;
      const std::size_t count = kLengths[place] + *more, distance = kDistances[*far] + *farther;
      if (distance > into_.size() || into_.size() + count > length_) return false;
      for (std::size_t i = 0; i < count; ++i) into_ += into_[into_.size() - distance];
    }
  }

  Bits bits_;
  std::size_t length_;
  std::string& into_;
  Code literals_, distances_;
};

}  // namespace

bool inflate(std::string_view packed, std::size_t length, std::string& into) {
  into.clear();
  into.reserve(length);
  if (Inflater(packed, length, into).run()) return true;
  into.clear();
  return false;
}

std::uint32_t crc32(std::string_view bytes) {
  static const auto table = [] {
    std::array<std::uint32_t, 256> values{};
    for (std::uint32_t i = 0; i < values.size(); ++i) {
      std::uint32_t value = i;
      for (int bit = 0; bit < 8; ++bit) value = (value & 1) != 0 ? 0xedb88320 ^ value >> 1 : value >> 1;
      values[i] = value;
    }
    return values;
  }();
  return ~std::accumulate(bytes.begin(), bytes.end(), ~std::uint32_t{0}, [](std::uint32_t sum, char byte) {
    return table[(sum ^ static_cast<unsigned char>(byte)) & 0xff] ^ sum >> 8;
  });
}

}  // namespace lsood::detail
