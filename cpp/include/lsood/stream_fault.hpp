// SPDX-License-Identifier: Apache-2.0
// Why a stream calls a frame invalid: what its camera's other frames show.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "lsood/result.hpp"

namespace lsood {

// What is wrong with a camera. Only the numbers of its kind are set; `text` makes a sentence of them.
struct StreamFault {
  enum class Kind : std::uint8_t {
    none,
    stamp,            // a stamp below 0, which no clock gives
    clock_back,       // steps back of more than a second, again and again
    clock_not_later,  // three stamps in a row and more that are not later than the one before
    clock_still,      // the same stamp again and again
    frozen,           // the same images again and again
    tiles,            // many tiles without a picture of their own
    silent,           // no frame came
  };

  Kind kind = Kind::none;
  bool nearly = false;        // frozen: but for a few pixels
  int count = 0;              // clock_not_later: stamps; frozen: frames in a row; tiles: frames in a row
  int different = 0;          // frozen: images in turn; tiles: faulty tiles
  int tiles = 0;              // tiles: of so many
  std::int64_t stamp_ns = 0;  // stamp, clock_back and clock_still
  double seconds = 0.0;       // frozen; silent: since the last frame; tiles: for which frozen ones stood still, 0 for none
  bool never = false;         // silent: no frame came yet

  static StreamFault clock_back(std::int64_t stamp_ns) noexcept { return at(Kind::clock_back, stamp_ns); }
  static StreamFault clock_still(std::int64_t stamp_ns) noexcept { return at(Kind::clock_still, stamp_ns); }
  static StreamFault wrong_stamp(std::int64_t stamp_ns) noexcept { return at(Kind::stamp, stamp_ns); }
  static StreamFault clock_not_later(int count) noexcept {
    StreamFault fault;
    fault.kind = Kind::clock_not_later;
    fault.count = count;
    return fault;
  }

  explicit operator bool() const noexcept { return kind != Kind::none; }

  // One sentence, that of the Python runtime but for the places of tiles; empty where nothing is wrong. Errors: `memory`.
  [[nodiscard]] Result<std::string> text(std::string_view camera = "camera") const noexcept;

 private:
  static StreamFault at(Kind kind, std::int64_t stamp_ns) noexcept {
    StreamFault fault;
    fault.kind = kind;
    fault.stamp_ns = stamp_ns;
    return fault;
  }
};

}  // namespace lsood
