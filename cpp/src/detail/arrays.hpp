// SPDX-License-Identifier: Apache-2.0
// Read arrays out of an .npz archive of which neither size nor contents are trusted.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "lsood/manifest.hpp"

namespace lsood::detail {

struct Array {
  std::string type;  // numpy's: |u1, <u2, <f4 or <f8
  Shape shape;
  std::string bytes;  // of the elements, row by row

  [[nodiscard]] const std::uint8_t* data() const { return reinterpret_cast<const std::uint8_t*>(bytes.data()); }

  // An element, of which the type is known.
  template <typename T>
  [[nodiscard]] T at(std::size_t place) const {
    T value;
    std::memcpy(&value, bytes.data() + place * sizeof(T), sizeof(T));
    return value;
  }
};

// What is wrong with an archive that is none, or that does not fit.
struct ArchiveFault {
  std::string what;
};

// The arrays of an archive by name, which must be these and no other. Throws ArchiveFault.
Named<Array> read_arrays(const std::string& archive, const std::vector<std::string>& names);

}  // namespace lsood::detail
