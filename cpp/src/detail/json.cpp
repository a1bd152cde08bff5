// SPDX-License-Identifier: Apache-2.0
#include "detail/json.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "detail/decimal.hpp"
#include "detail/number_text.hpp"
#include "detail/utf8.hpp"

namespace lsood::detail {

namespace {

constexpr int kDeepest = 200;
constexpr std::size_t kLongestShown = 60;
constexpr const char* kShownForm = "%.12g";

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Value whole() {
    Value value = any(0);
    skip_space();
    if (place_ != text_.size()) fault("there is more behind the value");
    return value;
  }

 private:
  [[noreturn]] void fault(const char* what) const {
    throw JsonFault{std::string(what) + " at byte " + std::to_string(place_)};
  }

  void skip_space() {
    while (place_ < text_.size() && std::string_view(" \t\r\n").find(text_[place_]) != std::string_view::npos) ++place_;
  }

  char next() const { return place_ < text_.size() ? text_[place_] : '\0'; }

  bool taken(std::string_view word) {
    if (text_.substr(place_, word.size()) != word) return false;
    place_ += word.size();
    return true;
  }

  Value any(int depth) {
    if (depth > kDeepest) fault("values are nested too deeply");
    skip_space();
    switch (next()) {
      case '{': return object(depth);
      case '[': return list(depth);
      case '"': return Value(text());
      case 't': if (taken("true")) return Value(true); break;
      case 'f': if (taken("false")) return Value(false); break;
      case 'n': if (taken("null")) return Value(); break;
      default: return number();
    }
    fault("expected a value");
  }

  Value list(int depth) {
    Value::List values;
    ++place_;
    skip_space();
    if (taken("]")) return Value(std::move(values));
    while (true) {
      values.push_back(any(depth + 1));
      skip_space();
      if (taken("]")) return Value(std::move(values));
      if (!taken(",")) fault("expected a comma or the end of a list");
    }
  }

  Value object(int depth) {
    Value::Members members;
    ++place_;
    skip_space();
    if (taken("}")) return Value(std::move(members));
    while (true) {
      skip_space();
      if (next() != '"') fault("expected a name");
      std::string name = text();
      skip_space();
      if (!taken(":")) fault("expected a colon");
      members.emplace_back(std::move(name), any(depth + 1));
      skip_space();
      if (taken("}")) break;
      if (!taken(",")) fault("expected a comma or the end of an object");
    }
    std::vector<std::string_view> names;
    names.reserve(members.size());
    for (const auto& member : members) names.push_back(member.first);
    std::sort(names.begin(), names.end());
    if (std::adjacent_find(names.begin(), names.end()) != names.end()) fault("a name stands twice in the object before");
    return Value(std::move(members));
  }

  std::uint32_t four_digits() {
    std::uint32_t code = 0;
    const auto digits = text_.substr(place_, 4);
    const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), code, 16);
    if (digits.size() < 4 || read.ptr != digits.data() + 4) fault("expected four hexadecimal digits");
    place_ += 4;
    return code;
  }

  std::uint32_t escaped_code() {
    std::uint32_t code = four_digits();
    if (code >= 0xd800 && code < 0xdc00 && taken("\\u")) {
      const std::uint32_t low = four_digits();
      if (low >= 0xdc00 && low < 0xe000) return 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
      code = low;
    }
    if (code >= 0xd800 && code < 0xe000) fault("half a character stands alone");
    return code;
  }

  std::string text() {
    std::string found;
    ++place_;
    while (true) {
      if (place_ >= text_.size()) fault("a text does not end");
      const char each = text_[place_];
      if (each == '"') {
        ++place_;
        if (!is_utf8(found)) fault("a text is no UTF-8");
        return found;
      }
      if (static_cast<unsigned char>(each) < 0x20) fault("a text has a control character");
      ++place_;
      if (each != '\\') {
        found += each;
        continue;
      }
      const char kind = next();
      ++place_;
      constexpr std::string_view kinds = "\"\\/bfnrt", meant = "\"\\/\b\f\n\r\t";
      if (kind == 'u') {
        append_utf8(found, escaped_code());
      } else if (const auto i = kinds.find(kind); kind != '\0' && i != std::string_view::npos) {
        found += meant[i];
      } else {
        fault("an escape in a text is unknown");
      }
    }
  }

  std::size_t digits() {
    const std::size_t start = place_;
    while (next() >= '0' && next() <= '9') ++place_;
    if (place_ == start) fault("expected a value");
    return place_ - start;
  }

  Value number() {
    const std::size_t start = place_;
    const bool negative = taken("-");
    const bool starts_with_zero = next() == '0';
    if (digits() > 1 && starts_with_zero) fault("a number begins with 0");
    const std::size_t end_of_integer = place_;
    if (taken(".")) digits();
    if (next() == 'e' || next() == 'E') {
      ++place_;
      if (!taken("+")) taken("-");
      digits();
    }
    const std::string written(text_.substr(start, place_ - start));
    const double approximate = decimal(written);
    if (place_ == end_of_integer) return Value(integer(written, negative, approximate));
    if (!std::isfinite(approximate)) fault("a number is not finite");
    return Value(approximate);
  }

  static Integer integer(const std::string& written, bool negative, double approximate) {
    Integer found;
    found.negative = negative;
    found.approximate = approximate;
    const char* first = written.data() + (negative ? 1 : 0);
    const auto read = std::from_chars(first, written.data() + written.size(), found.magnitude);
    found.is_wide = read.ec == std::errc::result_out_of_range;
    constexpr auto most = std::numeric_limits<std::int64_t>::max();
    const bool saturates = found.is_wide || found.magnitude > static_cast<std::uint64_t>(most);
    const std::int64_t size = saturates ? most : static_cast<std::int64_t>(found.magnitude);
    found.value = negative ? -size : size;
    return found;
  }

  std::string_view text_;
  std::size_t place_ = 0;
};

void append_shown(const Value& value, std::string& text) {
  if (text.size() > kLongestShown) return;
  if (const bool* flag = value.get<bool>()) text += *flag ? "true" : "false";
  if (const auto* whole = value.get<Integer>()) text += number_text(whole->approximate, kShownForm);
  if (const double* number = value.get<double>()) text += number_text(*number, kShownForm);
  if (const auto* words = value.get<std::string>()) text += '"' + printable(*words) + '"';
  if (value.is_null()) text += "null";
  if (const auto* list = value.get<Value::List>()) {
    text += '[';
    for (const Value& item : *list) {
      if (text.size() > kLongestShown) break;
      append_shown(item, text);
      if (&item != &list->back()) text += ", ";
    }
    text += ']';
  }
  if (const auto* members = value.get<Value::Members>()) {
    text += '{';
    for (const auto& member : *members) {
      if (text.size() > kLongestShown) break;
      text += '"' + printable(member.first) + "\": ";
      append_shown(member.second, text);
      if (&member != &members->back()) text += ", ";
    }
    text += '}';
  }
}

}  // namespace

const Value* Value::find(std::string_view name) const {
  const auto* members = get<Members>();
  if (members == nullptr) return nullptr;
  const auto found =
      std::find_if(members->begin(), members->end(), [name](const auto& member) { return member.first == name; });
  return found == members->end() ? nullptr : &found->second;
}

std::string Value::shown() const {
  std::string text;
  append_shown(*this, text);
  if (text.size() <= kLongestShown) return text;
  std::size_t end = kLongestShown - 3;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return text.substr(0, end) + "...";
}

Value parse_json(std::string_view text) { return Parser(text).whole(); }

}  // namespace lsood::detail
