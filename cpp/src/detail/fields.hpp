// SPDX-License-Identifier: Apache-2.0
// Takes typed fields out of parsed JSON; a field that is missing or of another type is named in the failure.
#pragma once

#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "detail/failure.hpp"
#include "detail/json.hpp"
#include "detail/utf8.hpp"
#include "lsood/manifest.hpp"

namespace lsood::detail {

// Where a value stands in the manifest; put into words only for a failure.
struct Where {
  const Where* parent = nullptr;
  std::string_view name;
  std::optional<std::size_t> index;

  [[nodiscard]] std::string text() const {
    const std::string before = parent == nullptr ? "" : parent->text();
    if (index) return before + "[" + std::to_string(*index) + "]";
    return before.empty() ? std::string(name) : before + "." + std::string(name);
  }
};

[[noreturn]] inline void fail_field(const std::string& where, const std::string& expected, const std::string& got) {
  fail(ErrorCode::bundle, "expected the manifest's field " + where + " to be " + expected + ", got " + got + ": export it again");
}

[[noreturn]] inline void fail_type(const Where& where, const char* expected, const Value& got) {
  fail_field(where.text(), expected, got.shown());
}

inline void take(const Value& value, const Where& where, bool& into) {
  if (value.get<bool>() == nullptr) fail_type(where, "bool", value);
  into = *value.get<bool>();
}

inline void take(const Value& value, const Where& where, std::int64_t& into) {
  if (value.get<Integer>() == nullptr) fail_type(where, "int", value);
  into = value.get<Integer>()->value;
}

inline void take(const Value& value, const Where& where, double& into) {
  const auto* whole = value.get<Integer>();
  if (whole == nullptr && value.get<double>() == nullptr) fail_type(where, "float", value);
  into = whole == nullptr ? *value.get<double>() : whole->approximate;
  if (!std::isfinite(into)) fail_type(where, "a finite number", value);
}

inline void take(const Value& value, const Where& where, std::string& into) {
  if (value.get<std::string>() == nullptr) fail_type(where, "str", value);
  into = *value.get<std::string>();
  if (!is_printable(into)) fail_type(where, "one line of printable text", value);
}

template <typename T>
void take(const Value& value, const Where& where, std::vector<T>& into);
template <typename T>
void take(const Value& value, const Where& where, Named<T>& into);
template <typename T>
void take(const Value& value, const Where& where, std::optional<T>& into);

// The fields of one object. Those of other names are left alone.
class Fields {
 public:
  Fields(const Value& object, const Where& where) : object_(object), where_(where) {
    if (object.get<Value::Members>() == nullptr) fail_type(where, "an object", object);
  }

  template <typename T>
  const Fields& required(std::string_view name, T& into) const {
    const Value* value = object_.find(name);
    const Where where{&where_, name, {}};
    if (value == nullptr) {
      fail(ErrorCode::bundle, "expected the manifest's field " + where.text() + ", it is missing: export it again");
    }
    take(*value, where, into);
    return *this;
  }

  template <typename T>
  const Fields& optional(std::string_view name, T& into) const {
    const Value* value = object_.find(name);
    if (value != nullptr) take(*value, Where{&where_, name, {}}, into);
    return *this;
  }

  [[nodiscard]] const Value& object() const { return object_; }
  [[nodiscard]] const Where& where() const { return where_; }

 private:
  const Value& object_;
  const Where& where_;
};

template <typename T>
void take(const Value& value, const Where& where, std::vector<T>& into) {
  const auto* list = value.get<Value::List>();
  if (list == nullptr) fail_type(where, "a list", value);
  into.assign(list->size(), T{});
  for (std::size_t i = 0; i < list->size(); ++i) take((*list)[i], Where{&where, {}, i}, into[i]);
}

template <typename T>
void take(const Value& value, const Where& where, Named<T>& into) {
  const auto* members = value.get<Value::Members>();
  if (members == nullptr) fail_type(where, "an object", value);
  into.clear();
  for (const auto& [name, item] : *members) {
    if (!is_printable(name)) fail_type(where, "one line of printable text", Value(name));
    take(item, Where{&where, name, {}}, into.emplace_back(name, T{}).second);
  }
}

template <typename T>
void take(const Value& value, const Where& where, std::optional<T>& into) {
  if (value.is_null()) {
    into.reset();
  } else {
    take(value, where, into.emplace());
  }
}

}  // namespace lsood::detail
