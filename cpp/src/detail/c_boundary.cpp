// SPDX-License-Identifier: Apache-2.0
#include "detail/c_boundary.hpp"

#include <algorithm>

namespace lsood::detail {

namespace {

constexpr std::size_t kLongestMessage = 2000;

thread_local char message_of_thread[kLongestMessage] = "";

}  // namespace

int keep_error(const Error& error) noexcept {
  copy_text(error.message, message_of_thread, sizeof message_of_thread);
  return 1 + static_cast<int>(error.code);
}

const char* kept_error() noexcept { return message_of_thread; }

void copy_text(std::string_view text, char* field, std::size_t size) noexcept {
  std::size_t length = std::min(size - 1, text.size());
  while (length > 0 && length < text.size() && (static_cast<unsigned char>(text[length]) & 0xC0) == 0x80) --length;
  std::copy_n(text.data(), length, field);
  field[length] = '\0';
}

}  // namespace lsood::detail
