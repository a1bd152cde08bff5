// SPDX-License-Identifier: Apache-2.0
// From the fields of an image message to a frame that the monitor takes. Needs nothing of ROS.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "lsood/frame.hpp"
#include "lsood/manifest.hpp"
#include "lsood/result.hpp"

namespace lsood_ros {

// The picture of a sensor_msgs/Image. Its byte order is not here: all encodings that are read have values of one byte.
struct ImageBytes {
  std::string_view encoding;
  std::uint32_t height = 0, width = 0;
  std::uint32_t step = 0;  // bytes from one row to the next; 0 for rows without padding
  const std::uint8_t* data = nullptr;
  std::size_t size = 0;  // bytes that there are
};

// Reads rgb8, bgr8, rgba8, bgra8 and, with a bundle that was made for grey cameras, mono8; 8UC1, 8UC3 and 8UC4 where the bundle
// states which of these they hold.
class ImageReader {
 public:
  ImageReader(const lsood::InputContract& input, const lsood::PixelsRecord& pixels);

  // A frame of three channels in the order of the bundle: the bytes of the image itself where they are that, else a copy that
  // lives until the next call. Errors: `frame` for another encoding, and for fewer bytes than the fields state.
  lsood::Result<lsood::Frame> frame(const ImageBytes& image);

 private:
  std::string order_;  // rgb or bgr
  bool takes_grey_;
  std::vector<std::string> stated_;  // what images without names of their channels hold
  std::vector<std::uint8_t> turned_;
};

}  // namespace lsood_ros
