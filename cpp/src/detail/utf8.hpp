// SPDX-License-Identifier: Apache-2.0
// Text in UTF-8: whether it is such, and whether a terminal shows it as it is.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace lsood::detail {

void append_utf8(std::string& text, std::uint32_t code);

bool is_utf8(std::string_view text);

// Whether no character of a text is a control, a mark of direction or format, a separator but for the space, or of private use.
// Code points that Unicode has not assigned count as printable, unlike in Python: which these are changes with its version.
bool is_printable(std::string_view text);

// The text with each byte of what is not printable written out, such as \x1b.
std::string printable(std::string_view text);

}  // namespace lsood::detail
