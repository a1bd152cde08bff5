// SPDX-License-Identifier: Apache-2.0
#include "stream/picture_history.hpp"

namespace lsood::stream {

PictureHistory::PictureHistory(const PictureRules& rules) : rules_(rules), images_(rules.tolerance) {
  if (rules.check) {
    tiles_.emplace(*rules.check);
  }
}

PictureFaults PictureHistory::take(const ImageDigest* digest, const std::optional<TileMask>& blank,
                                   std::int64_t time_ns, bool repeated) noexcept {
  PictureFaults faults;
  faults.faulty_tiles = blank;
  images_.see(digest, time_ns);
  if (rules_.frozen_after_s) {
    faults.frozen = images_.frozen(time_ns, *rules_.frozen_after_s);
  }
  if (!tiles_) {
    return faults;
  }
  tiles_->see(digest, time_ns);
  if (digest == nullptr) {
    return faults;
  }
  double still_s = 0.0;
  const TileCheck& check = *rules_.check;
  const bool fits = !blank || (blank->rows == check.rows && blank->columns == check.columns);
  if (rules_.frozen_after_s && fits) {
    FrozenPart part = tiles_->frozen(*digest, time_ns, *rules_.frozen_after_s);
    if (blank) {
      part.tiles.tiles &= ~blank->tiles;
    }
    if (part.tiles.tiles.any()) {
      still_s = part.still_s;
      if (blank) {
        part.tiles.tiles |= blank->tiles;
      }
      faults.faulty_tiles = part.tiles;
    }
  }
  faults.has_faulty_part = faults.faulty_tiles && faults.faulty_tiles->reaches(check);
  if (!repeated) {
    faulty_frames_ = faults.has_faulty_part ? faulty_frames_ + 1 : 0;
  }
  if (faulty_frames_ >= check.frames) {
    faults.tiles.kind = StreamFault::Kind::tiles;
    faults.tiles.count = faulty_frames_;
    faults.tiles.different = faults.faulty_tiles ? static_cast<int>(faults.faulty_tiles->tiles.count()) : 0;
    faults.tiles.tiles = check.rows * check.columns;
    faults.tiles.seconds = still_s;
  }
  return faults;
}

void PictureHistory::reset() noexcept {
  images_.reset();
  if (tiles_) {
    tiles_->reset();
  }
  faulty_frames_ = 0;
}

void PictureHistory::shift(std::int64_t by_ns) noexcept {
  images_.shift(by_ns);
  if (tiles_) {
    tiles_->shift(by_ns);
  }
}

}  // namespace lsood::stream
