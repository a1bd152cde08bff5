// SPDX-License-Identifier: Apache-2.0
// SHA-256 digests (FIPS 180-4).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace lsood::detail {

class Sha256 {
 public:
  void update(std::string_view bytes);
  // The digest of all bytes, in lower-case hex; the object is used up.
  std::string hex();

 private:
  void block(const unsigned char* bytes);

  std::array<std::uint32_t, 8> state_{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<unsigned char, 64> rest_{};
  std::size_t held_ = 0;
  std::uint64_t length_ = 0;
};

std::string sha256_hex(std::string_view bytes);

// Whether a text is 64 lower-case hexadecimal digits.
bool is_sha256(std::string_view text);

}  // namespace lsood::detail
