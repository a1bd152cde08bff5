// SPDX-License-Identifier: Apache-2.0
#include "lsood/stream_fault.hpp"

#include "detail/failure.hpp"
#include "detail/number_text.hpp"

namespace lsood {
namespace {

using Kind = StreamFault::Kind;

std::string sentence(const StreamFault& fault, std::string_view camera) {
  const std::string stamp = std::to_string(fault.stamp_ns), name(camera), count = std::to_string(fault.count);
  const std::string time = detail::number_text(fault.seconds, "%.1f");
  switch (fault.kind) {
    case Kind::none:
      return {};
    case Kind::stamp:
      return "expected a stamp from 0 to 2**63 - 1 ns, got " + stamp + ": the clock of the camera is wrong";
    case Kind::clock_back:
      return "expected stamps of one clock, got " + stamp + " ns: the clock goes back";
    case Kind::clock_not_later:
      return "expected a later stamp, got " + count + " in a row that are not: the clock goes back";
    case Kind::clock_still:
      return "expected a later stamp, got " + stamp + " ns once more: the clock of the camera stands still";
    case Kind::frozen: {
      const std::string which =
          fault.different == 1 ? "the same one" : "the same " + std::to_string(fault.different) + " in turn";
      return "expected a new image, got " + std::string(fault.nearly ? "nearly " : "") + which + " for " + time + " s, " +
             count + " in a row: the camera is frozen";
    }
    case Kind::tiles: {
      const std::string how_long =
          fault.seconds > 0 ? ", still for " + time + " s" : ", for " + count + " frames";
      return "expected a live picture in every tile, got none in " + std::to_string(fault.different) + " of " +
             std::to_string(fault.tiles) + " tiles" + how_long +
             ": a part of the camera, of its memory or of its transfer gives no picture";
    }
    case Kind::silent:
      return "expected frames of " + name + ", none came " + (fault.never ? "yet" : "for " + time + " s") +
             ": the camera, its cable or its driver stopped";
  }
  return {};
}

}  // namespace

Result<std::string> StreamFault::text(std::string_view camera) const noexcept {
  return detail::guarded([&] { return sentence(*this, camera); });
}

}  // namespace lsood
