// SPDX-License-Identifier: Apache-2.0
// Find an operating point of a bundle by its name.
#pragma once

#include <string>

#include "detail/failure.hpp"
#include "lsood/manifest.hpp"

namespace lsood::detail {

// The operating point of a name; a failure where the bundle has none.
inline const OperatingPoint& point_of(const Manifest& manifest, const std::string& name) {
  if (const OperatingPoint* point = find_named(manifest.operating_points, name)) return *point;
  std::string names;
  for (const auto& each : manifest.operating_points) names += (names.empty() ? "" : ", ") + each.first;
  fail(ErrorCode::bundle, "expected an operating point of the bundle (" + names + "), got '" + name + "': choose one of these");
}

}  // namespace lsood::detail
