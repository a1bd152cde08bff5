// SPDX-License-Identifier: Apache-2.0
// The edge of the C interface: nothing that is thrown gets out, and each thread keeps the message of its last call that failed.
#pragma once

#include <cstddef>
#include <string_view>

#include "detail/failure.hpp"

namespace lsood::detail {

// Keeps the message of an error; the code that C gets comes back.
int keep_error(const Error& error) noexcept;

// The message that this thread kept last.
const char* kept_error() noexcept;

// Copies a text into a field of so many bytes, cut between two characters of UTF-8 where it is longer, and ends it with a zero.
void copy_text(std::string_view text, char* field, std::size_t size) noexcept;

// Makes a call: 0, or the code of what it fails by, whose message is kept.
template <typename Call>
int code_of(Call&& call) noexcept {
  const Result<void> done = guarded(call);
  return done ? 0 : keep_error(done.error());
}

// A failure where a pointer that C passed is none.
template <typename... Pointers>
void require_pointers(const char* what, const Pointers*... pointers) {
  if ((... || (pointers == nullptr))) {
    fail(ErrorCode::argument, std::string("expected ") + what + ", got a null pointer: pass all of them");
  }
}

}  // namespace lsood::detail
