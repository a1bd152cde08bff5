// SPDX-License-Identifier: Apache-2.0
// Prints the SHA-256 digest of the standard input, taken in pieces of the sizes that are given in turn.
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <string>
#include <vector>

#include "detail/sha256.hpp"

int main(int count, char** values) {
  std::string bytes;
  for (int next = std::getchar(); next != EOF; next = std::getchar()) bytes += static_cast<char>(next);
  lsood::detail::Sha256 digest;
  std::string_view left = bytes;
  for (int i = 1; !left.empty(); i = i + 1 < count ? i + 1 : 1) {
    const std::string_view piece = left.substr(0, count > 1 ? std::strtoul(values[i], nullptr, 10) : left.size());
    digest.update(piece);
    left.remove_prefix(piece.size());
  }
  std::puts(digest.hex().c_str());
}
