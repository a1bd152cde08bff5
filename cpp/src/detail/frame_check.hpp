// SPDX-License-Identifier: Apache-2.0
// Check the form of a frame, and bring it into the form that the graphs take.
#pragma once

#include <string>
#include <vector>

#include "detail/picture_check.hpp"
#include "lsood/frame.hpp"
#include "lsood/manifest.hpp"

namespace lsood::detail {

class FrameCheck {
 public:
  // A failure where `channels` is no order of a camera's channels; empty stands for the bundle's own.
  FrameCheck(const InputContract& input, const std::string& channels);

  // Whether a frame fits; else why not. Allocates nothing once the text has grown.
  bool fits(const Frame& frame, std::string& reason) const;

  // The frame as rows without a gap, in the bundle's order of channels; its own memory where that is so already.
  const std::uint8_t* prepared(const Frame& frame);

  [[nodiscard]] Picture picture(const std::uint8_t* prepared_frame) const { return {prepared_frame, height_, width_, 3 * width_}; }

 private:
  std::size_t height_, width_;
  std::string channels_, words_;
  std::size_t count_ = 3;         // of the camera's channels
  std::size_t places_[3] = {0, 1, 2};  // of the camera's channels that become those of the bundle
  bool is_plain_ = true;
  std::vector<std::uint8_t> turned_;
};

}  // namespace lsood::detail
