// SPDX-License-Identifier: Apache-2.0
// A camera's frame, and how raw frames are checked.
#pragma once

#include <cstddef>
#include <cstdint>

namespace lsood {

// A view of a frame in host memory; it is read in the call alone, and never written.
struct Frame {
  const std::uint8_t* data = nullptr;  // row by row, the channels of a pixel beside each other
  std::int64_t height = 0, width = 0, channels = 3;
  std::int64_t stride = 0;  // bytes from one row to the next; 0 for rows without a gap
};

// Into how many tiles a raw frame is divided, and how many of them may be black, saturated or of one colour.
struct TileCheck {
  int rows = 4, columns = 8;  // 1 to 16 each
  double share = 0.25;        // of the tiles that must be faulty for the frame to be INVALID, above 0, at most 1
  int frames = 3;             // of a camera, one after another, that must be so in a stream, at least 1
};

}  // namespace lsood
