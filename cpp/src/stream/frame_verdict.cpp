// SPDX-License-Identifier: Apache-2.0
#include "lsood/frame_verdict.hpp"

#include <algorithm>

#include "detail/failure.hpp"
#include "detail/names.hpp"

namespace lsood {
namespace {

// Makes every answer that is told an unknown one. No memory is taken.
void forget_answers(Assessment& verdict) {
  verdict.quality.expected = verdict.quality.low = verdict.quality.high = kNaN;
  verdict.cause.cause = verdict.cause.is_told ? detail::kUnknown : "";
  verdict.cause.probability = verdict.cause.severity = kNaN;
  verdict.cause.set.clear();
  std::fill(verdict.tiles.abnormal.begin(), verdict.tiles.abnormal.end(), std::uint8_t{0});
  std::fill(verdict.tiles.values.begin(), verdict.tiles.values.end(), kNaN);
  verdict.tiles.words.clear();
  std::fill(verdict.class_confidence.begin(), verdict.class_confidence.end(), 0.0);
  verdict.objects.objects.clear();
  verdict.objects.count.reset();
  verdict.objects.words = verdict.objects.is_told ? detail::kUnknown : "";
  verdict.anomaly_map = nullptr;
}

}  // namespace

Result<void> take_in(const StreamAssessment& found, Assessment& verdict) noexcept {
  return detail::guarded([&] {
    verdict.stamp_ns = found.stamp_ns;
    verdict.faulty_tiles = found.faulty_tiles;
    if (found.fault) {
      verdict.state = State::invalid;
      verdict.is_ood = true;
      forget_answers(verdict);
      verdict.reason = detail::unwrapped(found.fault.text(found.camera));
    } else if (found.has_faulty_part && verdict.state != State::ok && verdict.state != State::invalid &&
               !verdict.tile_faults.empty()) {
      verdict.reason.append("; ").append(verdict.tile_faults);
    }
  });
}

}  // namespace lsood
