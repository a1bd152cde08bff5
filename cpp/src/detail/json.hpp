// SPDX-License-Identifier: Apache-2.0
// Strict JSON: UTF-8, every number finite, each name once in an object, and nesting of bounded depth.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace lsood::detail {

// A whole number of any size: that of int64 nearest to it, and its magnitude as far as uint64 goes.
struct Integer {
  std::int64_t value = 0;
  std::uint64_t magnitude = 0;
  bool negative = false;
  bool is_wide = false;     // its magnitude is larger than uint64 goes
  double approximate = 0;   // infinite where double does not reach it
};

class Value {
 public:
  using List = std::vector<Value>;
  using Members = std::vector<std::pair<std::string, Value>>;

  Value() = default;
  template <typename T>
  explicit Value(T content) : content_(std::move(content)) {}

  [[nodiscard]] bool is_null() const { return std::holds_alternative<std::monostate>(content_); }
  // The content of this kind; nullptr where it is of another.
  template <typename T>
  [[nodiscard]] const T* get() const {
    return std::get_if<T>(&content_);
  }
  // The member of an object; nullptr where it has none of this name, or is no object.
  [[nodiscard]] const Value* find(std::string_view name) const;
  // The value as short JSON in one line, for messages.
  [[nodiscard]] std::string shown() const;

 private:
  std::variant<std::monostate, bool, Integer, double, std::string, List, Members> content_;
};

// What is wrong with a text that is no such JSON.
struct JsonFault {
  std::string what;
};

// Throws JsonFault.
Value parse_json(std::string_view text);

}  // namespace lsood::detail
