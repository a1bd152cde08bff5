// SPDX-License-Identifier: Apache-2.0
// Keeps exceptions inside of the library.
#pragma once

#include <new>

#include "lsood/result.hpp"

namespace lsood::stream {

// What the function returns, or the error for the exception that it ends by.
template <typename Function>
auto without_exceptions(Function&& function) noexcept -> decltype(function()) {
  try {
    return function();
  } catch (const std::bad_alloc&) {
    return Error{ErrorCode::memory, {}};
  } catch (...) {
    return Error{ErrorCode::internal, {}};
  }
}

}  // namespace lsood::stream
