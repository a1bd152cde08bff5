// SPDX-License-Identifier: Apache-2.0
// Read arrays out of an .npz archive of which neither size nor contents are trusted.
#pragma once

#include <string>
#include <vector>

#include "lsood/manifest.hpp"

namespace lsood::detail {

struct Array {
  std::string type;  // numpy's: |u1, <u2, <f4 or <f8
  Shape shape;
  std::string bytes;  // of the elements, row by row

  // The elements, of which the type is known.
  template <typename T>
  [[nodiscard]] const T* data() const {
    return reinterpret_cast<const T*>(bytes.data());
  }
};

// What is wrong with an archive that is none, or that does not fit.
struct ArchiveFault {
  std::string what;
};

// The arrays of an archive by name, which must be these and no other. Throws ArchiveFault.
Named<Array> read_arrays(const std::string& archive, const std::vector<std::string>& names);

}  // namespace lsood::detail
