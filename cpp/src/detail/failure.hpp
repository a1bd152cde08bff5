// SPDX-License-Identifier: Apache-2.0
// Errors inside of the library: thrown as a Failure, and turned into a Result where the caller stands.
#pragma once

#include <exception>
#include <new>
#include <string>
#include <type_traits>
#include <utility>

#include "lsood/result.hpp"

namespace lsood::detail {

struct Failure {
  Error error;
};

[[noreturn]] inline void fail(ErrorCode code, std::string message) { throw Failure{{code, std::move(message)}}; }

// The value of a result; a failure where it has none.
template <typename T>
T unwrapped(Result<T> result) {
  if (!result) throw Failure{result.error()};
  if constexpr (!std::is_void_v<T>) return std::move(result).value();
}

// An error whose message is left out where there is no memory for it.
inline Error error_of(ErrorCode code, const char* message) noexcept {
  Error error{code, {}};
  try {
    error.message = message;
  } catch (const std::bad_alloc&) {  // the code says enough
  }
  return error;
}

template <typename T>
struct ResultOf {
  using Type = Result<T>;
};
template <typename T>
struct ResultOf<Result<T>> {
  using Type = Result<T>;
};

// The result of a call, in which nothing that it throws gets out; that of a call that gives a result is this one.
template <typename Call>
auto guarded(Call&& call) noexcept -> typename ResultOf<std::invoke_result_t<Call>>::Type {
  try {
    if constexpr (std::is_void_v<std::invoke_result_t<Call>>) {
      call();
      return {};
    } else {
      return call();
    }
  } catch (Failure& failure) {
    return std::move(failure.error);
  } catch (const std::bad_alloc&) {
    return error_of(ErrorCode::memory, "no memory left");
  } catch (const std::exception& error) {
    return error_of(ErrorCode::internal, error.what());
  } catch (...) {
    return error_of(ErrorCode::internal, "unknown");
  }
}

}  // namespace lsood::detail
