// SPDX-License-Identifier: Apache-2.0
// From the verdict on a frame to what a stream follows of it:
//
//     monitor.assess(frame, verdict, stamp_ns, /*judge_tiles=*/false);
//     stream.follow(frame_verdict(verdict), stamp_ns, image_digest(frame), "front");
#pragma once

#include "lsood/assessment.hpp"
#include "lsood/camera_stream.hpp"

namespace lsood {

inline FrameVerdict frame_verdict(const Assessment& verdict) noexcept {
  return {verdict.state, verdict.p_value, verdict.quality.low, verdict.faulty_tiles};
}

}  // namespace lsood
