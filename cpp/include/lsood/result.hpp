// SPDX-License-Identifier: Apache-2.0
// A value, or the error that stands in its place: no exception crosses the library's interface.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace lsood {

// One code for each class of error of the Python runtime.
enum class ErrorCode {
  argument,   // an argument of the caller that cannot be, such as a number out of range
  bundle,     // the bundle is incomplete, damaged, or of a schema that this version cannot read
  provider,   // an execution provider does not load, or fails in a run
  self_test,  // the scores of the golden frames differ from those at export
  frame,      // a frame that does not fit the input contract
  camera,     // a camera by a name under which a stream has taken in nothing
  memory,     // there is no memory left
  internal,   // a fault of this library
};

struct Error {
  ErrorCode code = ErrorCode::internal;
  std::string message;  // one line: what was expected, what came, a remedy
};

// Holds a T, or an Error. `value()` of a failed one, and `error()` of one that has not failed, are undefined: ask `ok()` first.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : content_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : content_(std::in_place_index<1>, std::move(error)) {}

  [[nodiscard]] bool ok() const noexcept { return content_.index() == 0; }
  explicit operator bool() const noexcept { return ok(); }

  [[nodiscard]] T& value() & noexcept { return *std::get_if<0>(&content_); }
  [[nodiscard]] const T& value() const& noexcept { return *std::get_if<0>(&content_); }
  [[nodiscard]] T&& value() && noexcept { return std::move(*std::get_if<0>(&content_)); }
  [[nodiscard]] T* operator->() noexcept { return std::get_if<0>(&content_); }
  [[nodiscard]] const T* operator->() const noexcept { return std::get_if<0>(&content_); }
  [[nodiscard]] const Error& error() const& noexcept { return *std::get_if<1>(&content_); }

 private:
  std::variant<T, Error> content_;
};

// Success, or an Error.
template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}

  [[nodiscard]] bool ok() const noexcept { return !error_; }
  explicit operator bool() const noexcept { return ok(); }
  [[nodiscard]] const Error& error() const& noexcept { return *error_; }

 private:
  std::optional<Error> error_;
};

}  // namespace lsood
