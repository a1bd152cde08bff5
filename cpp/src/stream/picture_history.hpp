// SPDX-License-Identifier: Apache-2.0
// Watches the pictures of a camera over time: images that come again, wholly or in part, and tiles without a picture.
#pragma once

#include <cstdint>
#include <optional>

#include "lsood/image_digest.hpp"
#include "lsood/state.hpp"
#include "lsood/stream_fault.hpp"
#include "lsood/tile_mask.hpp"
#include "stream/frozen_tiles.hpp"
#include "stream/shown_images.hpp"

namespace lsood::stream {

// From when on a camera is frozen, and which tiles may be faulty.
struct PictureRules {
  std::optional<double> frozen_after_s;  // seconds without a new image; none for never
  double tolerance = 0.0;                // share of an image's tiles that may change in one that is not new
  std::optional<TileCheck> check;        // none to look at whole images alone
};

// What is wrong with the pictures of a frame.
struct PictureFaults {
  StreamFault frozen;                    // the whole image is an old one
  StreamFault tiles;                     // so many tiles have no picture of their own, for so many frames
  std::optional<TileMask> faulty_tiles;  // those without a picture, and the frozen ones; none where they were not looked at
  bool has_faulty_part = false;          // these are as many as may be faulty
};

// The pictures of the frames that follow each other by one clock. All memory is taken when it is made.
class PictureHistory {
 public:
  explicit PictureHistory(const PictureRules& rules);

  // Takes in the next frame: its digest, none where there is no image, and its tiles without a picture, none where they were
  // not looked at. A repeated one is the last frame, sent twice, which counts once.
  PictureFaults take(const ImageDigest* digest, const std::optional<TileMask>& blank, std::int64_t time_ns,
                     bool repeated) noexcept;

  // Whether this is the image that was seen last.
  [[nodiscard]] bool equals_last(const ImageDigest* digest) const noexcept { return images_.equals_last(digest); }

  void reset() noexcept;

  // Moves the times of what was seen to another clock.
  void shift(std::int64_t by_ns) noexcept;

 private:
  PictureRules rules_;
  ShownImages images_;
  std::optional<FrozenTiles> tiles_;
  int faulty_frames_ = 0;
};

}  // namespace lsood::stream
