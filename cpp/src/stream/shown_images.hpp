// SPDX-License-Identifier: Apache-2.0
// Notices that a camera sends the same images again: one of them, several in turn, or one in which a few pixels change.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <optional>
#include <vector>

#include "lsood/image_digest.hpp"
#include "lsood/stream_fault.hpp"

namespace lsood::stream {

constexpr std::size_t kRememberedImages = 16;

// Images in a row of which none was new but the first.
struct Repeats {
  int count = 0;
  std::int64_t since_ns = 0;                   // time of the first
  std::bitset<kRememberedImages> again;        // which of the known ones came again

  // Takes in the next image: the known one with this number, or a new one.
  void take(std::optional<std::size_t> known, std::int64_t time_ns) noexcept;

  // How many different images the repeated ones were.
  [[nodiscard]] int different() const noexcept { return again.none() ? 1 : static_cast<int>(again.count()); }
};

// Compares each image of a camera with the last 16 different ones; the noise of a sensor makes any two differ.
class ShownImages {
 public:
  // `tolerance` is the share of an image's tiles that may change in one that is not new; 0 for the same bytes alone.
  explicit ShownImages(double tolerance);

  // Takes in the next image; none is always new.
  void see(const ImageDigest* digest, std::int64_t time_ns) noexcept;

  // Says that the camera is frozen, at the time of the last image: for `after_s` seconds no bytes were new, or for twice as
  // many no more than a few tiles, since still parts of a coded video are copied for a while.
  [[nodiscard]] StreamFault frozen(std::int64_t time_ns, double after_s) const noexcept;

  // Whether this is the image that was seen last.
  [[nodiscard]] bool equals_last(const ImageDigest* digest) const noexcept;

  void reset() noexcept;

  // Moves the times of what was seen to another clock.
  void shift(std::int64_t by_ns) noexcept;

 private:
  // The checksum of an image, which is enough to tell whether all its bytes are the same.
  struct Bytes {
    std::size_t height, width, channels;
    std::uint64_t checksum;
    [[nodiscard]] bool equals(const ImageDigest& digest) const noexcept;
  };

  // The known image of which all but a few tiles are the same.
  [[nodiscard]] std::optional<std::size_t> same_tiles(const ImageDigest& digest) const noexcept;

  double tolerance_;
  Repeats bytes_, tiles_;
  std::array<Bytes, kRememberedImages> known_bytes_{};  // a ring
  std::size_t bytes_known_ = 0, next_bytes_ = 0;
  std::vector<ImageDigest> known_tiles_;  // a ring; empty without a tolerance
  std::size_t tiles_known_ = 0, next_tiles_ = 0;
  std::optional<Bytes> last_;
};

}  // namespace lsood::stream
