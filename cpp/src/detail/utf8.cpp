// SPDX-License-Identifier: Apache-2.0
#include "detail/utf8.hpp"

#include <algorithm>
#include <cstdio>
#include <iterator>

namespace lsood::detail {

namespace {

struct Character {
  std::uint32_t code;
  std::size_t length;  // in bytes; 0 for what is no UTF-8
};

Character character_at(std::string_view text, std::size_t place) {
  const auto first = static_cast<unsigned char>(text[place]);
  if (first < 0x80) return {first, 1};
  const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || place + length > text.size()) return {0, 0};
  std::uint32_t code = first & (0x7fu >> length);
  for (std::size_t i = 1; i < length; ++i) {
    const auto next = static_cast<unsigned char>(text[place + i]);
    if ((next & 0xc0) != 0x80) return {0, 0};
    code = code << 6 | (next & 0x3fu);
  }
  constexpr std::uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  if (code < least[length] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return {0, 0};
  return {code, length};
}

struct Range {
  std::uint32_t first, last;
};

// Categories Cc, Cf, Zl, Zp, Zs, Co and Cs of Unicode, in ascending order.
constexpr Range kNotPrintable[] = {
    {0x0, 0x1f},       {0x7f, 0xa0},      {0xad, 0xad},       {0x600, 0x605},     {0x61c, 0x61c},
    {0x6dd, 0x6dd},    {0x70f, 0x70f},    {0x890, 0x891},     {0x8e2, 0x8e2},     {0x1680, 0x1680},
    {0x180e, 0x180e},  {0x2000, 0x200f},  {0x2028, 0x202f},   {0x205f, 0x206f},   {0x3000, 0x3000},
    {0xd800, 0xf8ff},  {0xfeff, 0xfeff},  {0xfff9, 0xfffb},   {0x110bd, 0x110bd}, {0x110cd, 0x110cd},
    {0x13430, 0x1343f}, {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a}, {0xe0001, 0xe007f}, {0xf0000, 0x10ffff}};

bool is_printable(std::uint32_t code) {
  const auto* range = std::lower_bound(std::begin(kNotPrintable), std::end(kNotPrintable), code,
                                       [](const Range& each, std::uint32_t wanted) { return each.last < wanted; });
  return range == std::end(kNotPrintable) || code < range->first;
}

}  // namespace

void append_utf8(std::string& text, std::uint32_t code) {
  const auto append = [&text](std::uint32_t byte) { text += static_cast<char>(byte); };
  if (code < 0x80) {
    append(code);
  } else if (code < 0x800) {
    append(0xc0 | code >> 6);
    append(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    append(0xe0 | code >> 12);
    append(0x80 | (code >> 6 & 0x3f));
    append(0x80 | (code & 0x3f));
  } else {
    append(0xf0 | code >> 18);
    append(0x80 | (code >> 12 & 0x3f));
    append(0x80 | (code >> 6 & 0x3f));
    append(0x80 | (code & 0x3f));
  }
}

bool is_utf8(std::string_view text) {
  for (std::size_t place = 0; place < text.size();) {
    const Character found = character_at(text, place);
    if (found.length == 0) return false;
    place += found.length;
  }
  return true;
}

bool is_printable(std::string_view text) {
  for (std::size_t place = 0; place < text.size();) {
    const Character found = character_at(text, place);
    if (found.length == 0 || !is_printable(found.code)) return false;
    place += found.length;
  }
  return true;
}

std::string printable(std::string_view text) {
  std::string shown;
  for (std::size_t place = 0; place < text.size();) {
    const Character found = character_at(text, place);
    const std::size_t length = std::max<std::size_t>(found.length, 1);
    if (found.length > 0 && is_printable(found.code)) {
      shown += text.substr(place, length);
    } else {
      for (const char byte : text.substr(place, length)) {
        char escaped[5];
        std::snprintf(escaped, sizeof escaped, "\\x%02x", static_cast<unsigned char>(byte));
        shown += escaped;
      }
    }
    place += length;
  }
  return shown;
}

}  // namespace lsood::detail
