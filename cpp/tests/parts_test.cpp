// SPDX-License-Identifier: Apache-2.0
// Parts of the library that need no bundle: results, limits of time and size, placements, texts for C.
#include <memory>
#include <stdexcept>

#include "check.hpp"
#include "detail/c_boundary.hpp"
#include "detail/placement.hpp"
#include "detail/session.hpp"
#include "detail/time_limit.hpp"
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

void results_hold_a_value_or_an_error() {
  auto good = made(false);
  CHECK(good.ok() && good && *good.value() == 7);
  const std::unique_ptr<int> taken = std::move(good).value();
  CHECK(*taken == 7);
  const auto bad = made(true);
  CHECK(!bad.ok() && bad.error().code == lsood::ErrorCode::bundle);
  CHECK(bad.error().message == "expected one, got none: make one");
  CHECK(done(false).ok() && !done(true).ok());
}

void verdicts_are_followed_as_they_are() {
  lsood::Assessment verdict;
  verdict.state = lsood::State::low_quality;
  verdict.p_value = 0.25;
  verdict.quality.low = 0.5;
  verdict.faulty_tiles = lsood::TileMask{1, 2, 2};
  const lsood::FrameVerdict followed = lsood::frame_verdict(verdict);
  CHECK(followed.state == verdict.state && followed.p_value == 0.25 && followed.quality_low == 0.5);
  CHECK(followed.faulty_tiles->at(0, 1) && !followed.faulty_tiles->at(0, 0));
}

// The message of the error that a call fails by; empty where it does not.
template <typename Call>
std::string message_of(Call call) {
  const auto result = lsood::detail::guarded(call);
  return result ? "" : result.error().message;
}

// What throws is an error, what gives a result gives this one.
void calls_throw_nothing() {
  using lsood::detail::guarded;
  CHECK(guarded([] { throw std::bad_alloc(); }).error().code == lsood::ErrorCode::memory);
  CHECK(guarded([] { throw 7; }).error().code == lsood::ErrorCode::internal);
  CHECK(message_of([] { throw std::runtime_error("odd"); }) == "odd");
  CHECK(message_of([] { lsood::detail::unwrapped(done(true)); }) == "no");
  CHECK(guarded([] { return made(true); }).error().code == lsood::ErrorCode::bundle);
}

// However late the thread that tells runs to end: the time is over once it is.
void limits_of_time_are_kept_by_the_clock() {
  for (int i = 0; i < 100; ++i) {
    const lsood::detail::TimeLimit limit(1e-9);
    CHECK(limit.is_over());
  }
  CHECK(!lsood::detail::TimeLimit(1000).is_over());
}

void sizes_of_tensors_do_not_overflow() {
  using lsood::detail::Element;
  using lsood::detail::TensorForm;
  constexpr std::int64_t half = std::int64_t{1} << 32;
  CHECK((TensorForm{"one", Element::float64, {}}.bytes()) == 8);
  CHECK((TensorForm{"frame", Element::uint8, {256, 512, 3}}.bytes()) == 256 * 512 * 3);
  for (const lsood::Shape& shape : {lsood::Shape{half, half}, lsood::Shape{half, half / 2, 2, 5}, lsood::Shape{1 << 15, 1 << 15}}) {
    const TensorForm form{"wide", Element::float32, shape};
    CHECK(message_of([&form] { static_cast<void>(form.bytes()); }).find("the tensor wide to have at most") != std::string::npos);
  }
}

void providers_without_nodes_are_refused() {
  const auto refusal = [](const lsood::detail::Placement& placement, bool every_node) {
    return message_of([&] { lsood::detail::check_placement("g.onnx", placement, {"A", "B"}, every_node); });
  };
  CHECK(refusal({{"C", 3}, {"D", 2}}, false).find("expected A to run g.onnx, its nodes are 3 on C, 2 on D: ") == 0);
  CHECK(refusal({{"C", 3}, {"B", 2}}, false).empty());
  CHECK(refusal({{"C", 3}, {"B", 2}}, true).find("expected every node of g.onnx on A, its nodes are 3 on C, 2 on B: ") == 0);
  CHECK(refusal({{"A", 3}, {"B", 2}}, true).empty());
  CHECK(refusal({}, true).empty());
}

void texts_are_cut_between_characters() {
  const auto cut = [](const char* text, std::size_t size) {
    char field[16];
    lsood::detail::copy_text(text, field, size);
    return std::string(field);
  };
  CHECK(cut("abc", 4) == "abc" && cut("abc", 3) == "ab" && cut("abc", 1).empty() && cut("", 5).empty());
  CHECK(cut("a\u20ac", 5) == "a\u20ac" && cut("a\u20ac", 4) == "a" && cut("a\u20ac", 3) == "a" && cut("a\u20ac", 2) == "a");
  CHECK(cut("\u00e9\u00e9", 4) == "\u00e9" && cut("\U0001f600", 4).empty());
}

}  // namespace

int main() {
  results_hold_a_value_or_an_error();
  verdicts_are_followed_as_they_are();
  calls_throw_nothing();
  limits_of_time_are_kept_by_the_clock();
  sizes_of_tensors_do_not_overflow();
  providers_without_nodes_are_refused();
  texts_are_cut_between_characters();
  return lsood::test::failures();
}
