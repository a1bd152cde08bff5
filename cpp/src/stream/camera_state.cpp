// SPDX-License-Identifier: Apache-2.0
#include "stream/camera_state.hpp"

#include <algorithm>
#include <cmath>

namespace lsood::stream {

CameraState::CameraState(const StreamRules& rules, double received)
    : clock(rules.policy, rules.calibration,
            {rules.options.frozen_after_s, rules.options.frozen_tolerance, rules.options.tile_check}),
      received_s(received),
      rules_(rules) {
  if (rules.options.quality) {
    quality_.emplace(*rules.options.quality);
  }
}

StreamAssessment CameraState::follow(const FrameVerdict& verdict, std::optional<std::int64_t> stamp_ns,
                                     const ImageDigest* image, const Receipt& receipt,
                                     std::string_view camera) noexcept {
  StreamAssessment result;
  result.camera = camera;
  result.index = summary.frames;
  const bool stamped = !stamp_ns || *stamp_ns >= 0;
  result.stamp_ns = stamp_ns && stamped ? *stamp_ns : receipt.epoch_ns;
  if (stamp_ns && clock.is_unset(result.stamp_ns)) {
    result.stamp_ns = receipt.epoch_ns;
  }
  Sequence* sequence = nullptr;
  StreamFault fault;
  if (stamped) {
    const Place place = clock.place(result.stamp_ns, result.index);
    sequence = place.sequence;
    result.history = place.history;
    fault = place.fault;
  } else {
    fault = StreamFault::wrong_stamp(*stamp_ns);
    result.history = result.index > 0 ? History::continues : History::begins;
    sequence = &clock.place_unstamped(result.stamp_ns, result.index);
  }
  if (!fault && sequence->same_stamp && sequence->image.equals_last(image)) {
    result.history = History::repeated;
  }
  const PictureFaults pictures =
      sequence->image.take(image, verdict.faulty_tiles, sequence->time_ns, result.history == History::repeated);
  result.faulty_tiles = pictures.faulty_tiles;
  result.has_faulty_part = pictures.has_faulty_part;
  ++summary.frames;
  summary.clock_faults += static_cast<int>(static_cast<bool>(fault));
  summary.frozen += static_cast<int>(static_cast<bool>(pictures.frozen));
  summary.faulty_tiles += static_cast<int>(static_cast<bool>(pictures.tiles));
  if (!fault) {
    fault = pictures.frozen ? pictures.frozen : pictures.tiles;
  }
  result.state = fault ? State::invalid : verdict.state;
  if (verdict.state != State::invalid) {
    result.fault = fault;
  }
  last_ns_ = result.stamp_ns;
  received_s = receipt.steady_s;
  silent_ns_ = 0;
  return judge(*sequence, result, verdict.p_value, stamped, std::nullopt, verdict.quality_low);
}

StreamAssessment CameraState::report_silent(std::optional<std::int64_t> now_ns, const Receipt& receipt,
                                            std::string_view camera) noexcept {
  StreamAssessment result;
  result.camera = camera;
  result.index = summary.frames;
  result.stamp_ns = now_ns.value_or(receipt.epoch_ns);
  result.fault.kind = StreamFault::Kind::silent;
  result.fault.never = summary.frames == 0;
  result.fault.seconds = age_s(now_ns, receipt.steady_s);
  const std::int64_t age_ns = whole(std::nearbyint(std::max(0.0, result.fault.seconds) * 1e9));
  const std::int64_t elapsed_ns = std::max(std::int64_t{0}, age_ns - silent_ns_);
  silent_ns_ += elapsed_ns;
  result.history = clock.has_begun() ? History::continues : History::begins;
  Sequence& sequence = clock.place_unstamped(result.stamp_ns, result.index, elapsed_ns);
  ++summary.silent;
  return judge(sequence, result, std::nan(""), false, elapsed_ns, std::nan(""));
}

double CameraState::age_s(std::optional<std::int64_t> now_ns, double received) const noexcept {
  if (!now_ns || !last_ns_ || *now_ns < *last_ns_) {
    return received - received_s;
  }
  return seconds(*now_ns - *last_ns_);
}

// Updates the alarms of the camera.
StreamAssessment CameraState::judge(Sequence& sequence, StreamAssessment result, double p_value, bool stamped,
                                    std::optional<std::int64_t> elapsed_ns, double quality_low) noexcept {
  const bool invalid = result.state == State::invalid, repeated = result.history == History::repeated;
  if (quality_) {
    const double low = invalid ? std::nan("") : quality_low;
    result.quality = quality_->take(low, {result.stamp_ns, result.index, stamped, repeated, elapsed_ns});
    summary.quality_alarms += static_cast<int>(result.quality->onset);
  }
  if (!repeated) {
    const bool unknown = invalid || std::isnan(p_value);
    const bool counts = invalid || result.state == State::out_of_distribution || result.state == State::low_quality;
    sequence.alarmed = sequence.alarm->update(
        {counts, unknown ? rules_.calibration.smallest_p_value() : p_value, sequence.time_ns});
  }
  result.alarm = clock.alarmed();
  result.onset = result.alarm && !since_ns_;
  if (result.onset) {
    since_ns_ = result.stamp_ns;
  } else if (!result.alarm) {
    since_ns_.reset();
  }
  result.since_ns = since_ns_;
  result.statistic = clock.statistic();
  summary.invalid += static_cast<int>(invalid);
  summary.alarms += static_cast<int>(result.onset);
  summary.repeated += static_cast<int>(repeated);
  summary.gaps += static_cast<int>(result.history == History::after_gap);
  summary.steps += static_cast<int>(result.history == History::after_step);
  summary.other_clock += static_cast<int>(result.history == History::other_clock);
  return result;
}

}  // namespace lsood::stream
