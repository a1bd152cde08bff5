// SPDX-License-Identifier: Apache-2.0
// Hands the latest frame of each camera from the thread that receives it to the one that scores it.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "lsood/result.hpp"

namespace lsood {

// Frames that wait, one a camera; one that still waits when its camera sends another is dropped. A camera keeps its place in
// the queue, so that no other can starve it. `T` is what stands for a frame: an image with its stamp, or a pointer to it.
template <typename T>
class LatestFrames {
  static_assert(std::is_nothrow_move_constructible_v<T>, "no exception crosses the interface: hold what may throw by a pointer");

 public:
  // Hands over a frame and returns at once; the value is whether no waiting frame was dropped for it.
  // Errors: `argument` after `close`, `memory` for a camera that was never seen.
  Result<bool> put(std::string_view camera, T frame) noexcept {
    try {
      const std::lock_guard<std::mutex> held(lock_);
      if (closed_) {
        return Error{ErrorCode::argument, "expected an open queue, this one was closed: make a new LatestFrames"};
      }
      Waiting& waiting = place_of(camera);
      const bool dropped = waiting.frame.has_value();
      waiting.turn = dropped ? waiting.turn : next_turn_++;
      waiting.frame = std::move(frame);
      dropped_ += dropped ? 1 : 0;
      changed_.notify_one();
      return !dropped;
    } catch (const std::bad_alloc&) {
      return Error{ErrorCode::memory, {}};
    } catch (...) {
      return Error{ErrorCode::internal, {}};
    }
  }

  // Waits for a frame: that of the camera that has waited for longest, with its name, which lives as long as this object.
  // None after `close`, once nothing waits any more.
  std::optional<std::pair<std::string_view, T>> take() noexcept {
    std::unique_lock<std::mutex> held(lock_);
    Waiting* first = nullptr;
    changed_.wait(held, [&] {
      first = nullptr;
      for (const auto& each : cameras_) {
        if (each->frame && (first == nullptr || each->turn < first->turn)) {
          first = each.get();
        }
      }
      return first != nullptr || closed_;
    });
    if (first == nullptr) {
      return std::nullopt;
    }
    std::pair<std::string_view, T> taken(first->camera, std::move(*first->frame));
    first->frame.reset();
    return taken;
  }

  // Ends `take`, after what still waits.
  void close() noexcept {
    const std::lock_guard<std::mutex> held(lock_);
    closed_ = true;
    changed_.notify_all();
  }

  // Frames that were never taken because a later one came.
  [[nodiscard]] std::int64_t dropped() const noexcept {
    const std::lock_guard<std::mutex> held(lock_);
    return dropped_;
  }

 private:
  struct Waiting {
    std::string camera;
    std::optional<T> frame;
    std::uint64_t turn = 0;
  };

  Waiting& place_of(std::string_view camera) {
    for (const auto& each : cameras_) {
      if (each->camera == camera) {
        return *each;
      }
    }
    cameras_.push_back(std::make_unique<Waiting>(Waiting{std::string(camera), std::nullopt, 0}));
    return *cameras_.back();
  }

  mutable std::mutex lock_;
  std::condition_variable changed_;
  std::vector<std::unique_ptr<Waiting>> cameras_;
  std::uint64_t next_turn_ = 0;
  std::int64_t dropped_ = 0;
  bool closed_ = false;
};

}  // namespace lsood
