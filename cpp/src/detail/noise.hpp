// SPDX-License-Identifier: Apache-2.0
// Uniform noise from a seed, the numbers that numpy.random.default_rng(seed).random(dtype=float32) draws.
#pragma once

#include <cstddef>
#include <cstdint>

namespace lsood::detail {

__extension__ typedef unsigned __int128 Wide;

class NoiseSource {
 public:
  explicit NoiseSource(std::uint64_t seed);

  // The next numbers, in [0, 1).
  void draw(float* into, std::size_t count);

 private:
  std::uint32_t next();

  Wide state_ = 0, increment_ = 0;
  std::uint32_t kept_ = 0;
  bool has_kept_ = false;
};

}  // namespace lsood::detail
