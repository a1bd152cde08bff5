// SPDX-License-Identifier: Apache-2.0
#include "detail/frame_check.hpp"

#include <cstring>

#include "detail/failure.hpp"
#include "detail/manifest_checks.hpp"
#include "detail/utf8.hpp"
#include "detail/words.hpp"

namespace lsood::detail {

FrameCheck::FrameCheck(const InputContract& input, const std::string& channels)
    : height_(static_cast<std::size_t>(input.frame_height)), width_(static_cast<std::size_t>(input.frame_width)),
      channels_(channels.empty() ? input.channels : channels) {
  if (!is_one_of(channels_, {"rgb", "bgr", "grey", "rgba", "bgra"})) {
    fail(ErrorCode::argument, "expected channels rgb or bgr, got '" + printable(channels_) +
                                  "': pass the camera's order, grey, rgba or bgra");
  }
  count_ = channels_ == "grey" ? 1 : channels_.size();
  const bool is_turned = count_ > 1 && channels_.substr(0, 3) != input.channels;
  for (std::size_t i = 0; i < 3; ++i) places_[i] = count_ == 1 ? 0 : is_turned ? 2 - i : i;
  is_plain_ = count_ == 3 && !is_turned;
  for (const char each : channels_) words_ += static_cast<char>(each - 'a' + 'A');
}

bool FrameCheck::fits(const Frame& frame, std::string& reason) const {
  const auto height = static_cast<std::int64_t>(height_), width = static_cast<std::int64_t>(width_);
  const auto count = static_cast<std::int64_t>(count_);
  const bool has_size = frame.height == height && frame.width == width && frame.channels == count;
  const bool has_rows = frame.stride == 0 || frame.stride >= width * count;
  if (frame.data != nullptr && has_size && has_rows) return true;
  reason.clear();
  append(reason, "expected a (", height, ", ", width, ", ", count, ") uint8 frame in ", words_, ", got ");
  if (frame.data == nullptr) {
    append(reason, "no data. Pass the camera's image.");
  } else if (has_size) {
    append(reason, "rows of ", frame.stride, " bytes. Pass a stride of 0, or the bytes from one row to the next.");
  } else {
    append(reason, "(", frame.height, ", ", frame.width, ", ", frame.channels, ") uint8. ");
    if (frame.channels == 1 && count == 3) {
      append(reason, "This looks like a grey image: the network was trained on colour, pass the camera's colour image, or open "
                     "the monitor with channels = \"grey\".");
    } else if (frame.channels == 4 && count == 3) {
      append(reason, "This looks like an image with an alpha channel: open the monitor with channels = \"rgba\" or \"bgra\".");
    } else if (frame.channels != count) {
      append(reason, "Pass the camera's own image, or open the monitor with its order of channels.");
    } else if (frame.height == width && frame.width == height) {
      append(reason, "Rows and columns look swapped: turn the camera's image.");
    } else {
      append(reason, "This monitor was calibrated for images ", width, " wide and ", height,
             " high: pass the camera's image as it was at calibration, or export a bundle for this size.");
    }
  }
  return false;
}

const std::uint8_t* FrameCheck::prepared(const Frame& frame) {
  const std::size_t packed = width_ * count_;
  const std::size_t stride = frame.stride == 0 ? packed : static_cast<std::size_t>(frame.stride);
  if (is_plain_ && stride == packed) return frame.data;
  turned_.resize(3 * height_ * width_);
  for (std::size_t row = 0; row < height_; ++row) {
    const std::uint8_t* from = frame.data + row * stride;
    std::uint8_t* to = turned_.data() + row * 3 * width_;
    if (is_plain_) {
      std::memcpy(to, from, packed);
      continue;
    }
    for (std::size_t column = 0; column < width_; ++column) {
      for (std::size_t channel = 0; channel < 3; ++channel) to[3 * column + channel] = from[column * count_ + places_[channel]];
    }
  }
  return turned_.data();
}

}  // namespace lsood::detail
