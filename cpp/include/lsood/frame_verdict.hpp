// SPDX-License-Identifier: Apache-2.0
// From the verdict on a frame to what a stream follows of it, and from what the stream found back to the verdict:
//
//     monitor.assess(frame, verdict, stamp_ns, /*judge_tiles=*/false);
//     auto found = stream.follow(frame_verdict(verdict), stamp_ns, image_digest(frame), "front");
//     take_in(found.value(), verdict);
#pragma once

#include "lsood/assessment.hpp"
#include "lsood/camera_stream.hpp"

namespace lsood {

inline FrameVerdict frame_verdict(const Assessment& verdict) noexcept {
  return {verdict.state, verdict.p_value, verdict.quality.low, verdict.faulty_tiles};
}

// Takes what a stream found into the verdict that it followed, which is then that of the Python runtime's streams: one whose
// camera or clock does not work is invalid, with the reason, and every answer is unknown; score, p-value and segmentation stay.
// Its texts name no frozen tiles. Errors: `memory`; state and answers are taken in then too, the reason is not.
Result<void> take_in(const StreamAssessment& found, Assessment& verdict) noexcept;

}  // namespace lsood
