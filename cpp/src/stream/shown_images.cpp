// SPDX-License-Identifier: Apache-2.0
#include "stream/shown_images.hpp"

#include "stream/observed_time.hpp"

namespace lsood::stream {
namespace {

constexpr int kFewestRepeats = 3;
constexpr double kNearlyLonger = 2.0;

}  // namespace

void Repeats::take(std::optional<std::size_t> known, std::int64_t time_ns) noexcept {
  if (known) {
    ++count;
    again.set(*known);
    return;
  }
  count = 1;
  since_ns = time_ns;
  again.reset();
}

ShownImages::ShownImages(double tolerance)
    : tolerance_(tolerance), known_tiles_(tolerance > 0 ? kRememberedImages : 0) {}

bool ShownImages::Bytes::equals(const ImageDigest& digest) const noexcept {
  return checksum == digest.checksum && height == digest.height && width == digest.width &&
         channels == digest.channels;
}

void ShownImages::see(const ImageDigest* digest, std::int64_t time_ns) noexcept {
  std::optional<std::size_t> known;
  for (std::size_t i = 0; digest != nullptr && i < bytes_known_ && !known; ++i) {
    if (known_bytes_[i].equals(*digest)) {
      known = i;
    }
  }
  bytes_.take(known, time_ns);
  last_.reset();
  if (digest != nullptr) {
    last_ = Bytes{digest->height, digest->width, digest->channels, digest->checksum};
    if (!known) {
      known_bytes_[next_bytes_] = *last_;
      next_bytes_ = (next_bytes_ + 1) % kRememberedImages;
      bytes_known_ = std::min(bytes_known_ + 1, kRememberedImages);
    }
  }
  if (tolerance_ > 0) {
    const std::optional<std::size_t> same = digest == nullptr ? std::nullopt : same_tiles(*digest);
    tiles_.take(same, time_ns);
    if (digest != nullptr && !same) {
      known_tiles_[next_tiles_] = *digest;
      next_tiles_ = (next_tiles_ + 1) % kRememberedImages;
      tiles_known_ = std::min(tiles_known_ + 1, kRememberedImages);
    }
  }
}

std::optional<std::size_t> ShownImages::same_tiles(const ImageDigest& digest) const noexcept {
  for (std::size_t i = 0; i < tiles_known_; ++i) {
    if (known_tiles_[i].equals(digest)) {
      return i;
    }
  }
  const std::size_t size = digest.size();
  std::optional<std::size_t> nearest;
  std::size_t fewest = size + 1;
  // From the latest to the oldest: of two that are as near the latest counts.
  for (std::size_t age = 1; age <= tiles_known_ && size > 0; ++age) {
    const std::size_t i = (next_tiles_ + kRememberedImages - age) % kRememberedImages;
    const ImageDigest& known = known_tiles_[i];
    if (!known.has_shape_of(digest)) {
      continue;
    }
    std::size_t changed = 0;
    for (std::size_t tile = 0; tile < size; ++tile) {
      changed += static_cast<std::size_t>(known.tiles[tile] != digest.tiles[tile]);
    }
    if (changed < fewest) {
      fewest = changed;
      nearest = i;
    }
  }
  const auto allowed = static_cast<std::size_t>(tolerance_ * static_cast<double>(digest.textured.count()));
  const bool few = static_cast<double>(fewest) <= tolerance_ * static_cast<double>(size);
  return few && allowed > 0 && fewest <= allowed ? nearest : std::nullopt;
}

StreamFault ShownImages::frozen(std::int64_t time_ns, double after_s) const noexcept {
  for (const bool nearly : {false, true}) {
    const Repeats& repeats = nearly ? tiles_ : bytes_;
    const double same_s = seconds(time_ns - repeats.since_ns);
    if (repeats.count >= kFewestRepeats && same_s >= (nearly ? kNearlyLonger : 1.0) * after_s) {
      StreamFault fault;
      fault.kind = StreamFault::Kind::frozen;
      fault.nearly = nearly;
      fault.count = repeats.count;
      fault.different = repeats.different();
      fault.seconds = same_s;
      return fault;
    }
  }
  return {};
}

bool ShownImages::equals_last(const ImageDigest* digest) const noexcept {
  return digest != nullptr && last_ && last_->equals(*digest);
}

void ShownImages::reset() noexcept {
  bytes_ = tiles_ = {};
  bytes_known_ = next_bytes_ = tiles_known_ = next_tiles_ = 0;
  last_.reset();
}

void ShownImages::shift(std::int64_t by_ns) noexcept {
  bytes_.since_ns += by_ns;
  tiles_.since_ns += by_ns;
}

}  // namespace lsood::stream
