// SPDX-License-Identifier: Apache-2.0
// PCG64 (O'Neill 2014, setseq xsl rr 128/64), seeded as numpy's SeedSequence does.
#include "detail/noise.hpp"

#include <array>

namespace lsood::detail {

namespace {

constexpr std::size_t kPool = 4;

std::uint32_t mixed(std::uint32_t one, std::uint32_t other) {
  const std::uint32_t value = 0xca01f9ddu * one - 0x4973f715u * other;
  return value ^ value >> 16;
}

// Hashes one word after another, with a constant that changes in each step.
struct Hash {
  std::uint32_t constant, factor;

  std::uint32_t operator()(std::uint32_t value) {
    value ^= constant;
    constant *= factor;
    value *= constant;
    return value ^ value >> 16;
  }
};

std::array<std::uint32_t, 8> words_of(std::uint64_t seed) {
  const std::array<std::uint32_t, kPool> entropy{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)};
  std::array<std::uint32_t, kPool> pool{};
  Hash hash{0x43b0d7e5u, 0x931e8875u};
  for (std::size_t i = 0; i < kPool; ++i) pool[i] = hash(entropy[i]);
  for (std::size_t from = 0; from < kPool; ++from) {
    for (std::size_t to = 0; to < kPool; ++to) {
      if (from != to) pool[to] = mixed(pool[to], hash(pool[from]));
    }
  }
  std::array<std::uint32_t, 8> words{};
  Hash drawn{0x8b51f9ddu, 0x58f38dedu};
  for (std::size_t i = 0; i < words.size(); ++i) words[i] = drawn(pool[i % kPool]);
  return words;
}

constexpr Wide kFactor = Wide{2549297995355413924u} << 64 | 4865540595714422341u;

}  // namespace

NoiseSource::NoiseSource(std::uint64_t seed) {
  const auto words = words_of(seed);
  const auto long_word = [&words](std::size_t i) { return Wide{words[2 * i]} | Wide{words[2 * i + 1]} << 32; };
  increment_ = (long_word(2) << 64 | long_word(3)) << 1 | 1;
  state_ = increment_ + (long_word(0) << 64 | long_word(1));
  state_ = state_ * kFactor + increment_;
}

std::uint32_t NoiseSource::next() {
  if (has_kept_) {
    has_kept_ = false;
    return kept_;
  }
  state_ = state_ * kFactor + increment_;
  const auto folded = static_cast<std::uint64_t>(state_ >> 64) ^ static_cast<std::uint64_t>(state_);
  const auto turn = static_cast<unsigned>(state_ >> 122);
  const std::uint64_t value = folded >> turn | folded << (-turn & 63);
  kept_ = static_cast<std::uint32_t>(value >> 32);
  has_kept_ = true;
  return static_cast<std::uint32_t>(value);
}

void NoiseSource::draw(float* into, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) into[i] = static_cast<float>(next() >> 8) * 0x1p-24f;
}

}  // namespace lsood::detail
