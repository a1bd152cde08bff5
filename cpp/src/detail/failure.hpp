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

// The result of a call, in which nothing that it throws gets out.
template <typename Call>
auto guarded(Call&& call) noexcept -> Result<std::invoke_result_t<Call>> {
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
    return Error{ErrorCode::memory, "no memory left"};
  } catch (const std::exception& error) {
    return Error{ErrorCode::internal, error.what()};
  } catch (...) {
    return Error{ErrorCode::internal, "unknown"};
  }
}

}  // namespace lsood::detail
