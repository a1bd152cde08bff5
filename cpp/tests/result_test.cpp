// SPDX-License-Identifier: Apache-2.0
// A result holds its value or its error, moves it out, and does not copy what cannot be copied.
#include <memory>

#include "check.hpp"
#include "lsood/frame_verdict.hpp"
#include "lsood/result.hpp"

namespace {

lsood::Result<std::unique_ptr<int>> made(bool fails) {
  if (fails) return lsood::Error{lsood::ErrorCode::bundle, "expected one, got none: make one"};
  return std::make_unique<int>(7);
}

lsood::Result<void> done(bool fails) {
  if (fails) return lsood::Error{lsood::ErrorCode::frame, "no"};
  return {};
}

}  // namespace

int main() {
  auto good = made(false);
  CHECK(good.ok() && good && *good.value() == 7);
  const std::unique_ptr<int> taken = std::move(good).value();
  CHECK(*taken == 7);
  const auto bad = made(true);
  CHECK(!bad.ok() && bad.error().code == lsood::ErrorCode::bundle);
  CHECK(bad.error().message == "expected one, got none: make one");
  CHECK(done(false).ok() && !done(true).ok());
  lsood::Assessment verdict;
  verdict.state = lsood::State::low_quality;
  verdict.p_value = 0.25;
  verdict.quality.low = 0.5;
  verdict.faulty_tiles = lsood::TileMask{1, 2, 2};
  const lsood::FrameVerdict followed = lsood::frame_verdict(verdict);
  CHECK(followed.state == verdict.state && followed.p_value == 0.25 && followed.quality_low == 0.5);
  CHECK(followed.faulty_tiles->at(0, 1) && !followed.faulty_tiles->at(0, 0));
  return lsood::test::failures();
}
