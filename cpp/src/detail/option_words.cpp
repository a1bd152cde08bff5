// SPDX-License-Identifier: Apache-2.0
#include "detail/option_words.hpp"

#include <charconv>

#include "detail/failure.hpp"
#include "detail/manifest_checks.hpp"
#include "detail/utf8.hpp"

namespace lsood::detail {

namespace {

[[noreturn]] void fail_option(const std::string& word, const std::string& expected) {
  fail(ErrorCode::argument, "expected " + expected + ", got '" + printable(word) + "': see lsood.h");
}

template <typename T>
T number_of(const std::string& word, const std::string& value, const char* expected) {
  T number{};
  const auto read = std::from_chars(value.data(), value.data() + value.size(), number);
  if (read.ec != std::errc() || read.ptr != value.data() + value.size()) fail_option(word, expected);
  return number;
}

bool flag_of(const std::string& word, const std::string& value) {
  if (value != "0" && value != "1") fail_option(word, "0 or 1");
  return value == "1";
}

// `4x8x0.25`: rows, columns and share of the tiles.
TileCheck tiles_of(const std::string& word, const std::string& value) {
  constexpr const char* expected = "tiles as ROWSxCOLUMNSxSHARE, or none";
  const std::size_t first = value.find('x'), second = value.find('x', first + 1);
  if (first == std::string::npos || second == std::string::npos) fail_option(word, expected);
  TileCheck check;
  check.rows = number_of<int>(word, value.substr(0, first), expected);
  check.columns = number_of<int>(word, value.substr(first + 1, second - first - 1), expected);
  check.share = number_of<double>(word, value.substr(second + 1), expected);
  return check;
}

}  // namespace

void set_option(const std::string& word, MonitorOptions& options) {
  const std::size_t middle = word.find('=');
  if (middle == std::string::npos) fail_option(word, "an option as name=value");
  const std::string name = word.substr(0, middle), value = word.substr(middle + 1);
  const auto number = [&] { return number_of<double>(word, value, "a number"); };
  // An empty text is what a script writes whose variable is not set: it would stand for the default, or for no check at all.
  if (value.empty() && is_one_of(name, {"provider", "channels", "operating_point", "expected_sha256"})) {
    fail_option(word, "a text behind " + name + "=");
  }
  if (name == "provider") {
    options.provider = value;
  } else if (name.size() > 9 && name.substr(0, 9) == "provider.") {
    options.provider_options.emplace_back(name.substr(9), value);
  } else if (name == "threads") {
    options.threads = number_of<int>(word, value, "a whole number of threads");
  } else if (name == "channels") {
    options.channels = value;
  } else if (name == "operating_point") {
    options.operating_point = value;
  } else if (name == "expected_sha256") {
    options.expected_sha256 = value;
  } else if (name == "min_quality") {
    options.min_quality = number();
  } else if (name == "deadline_ms") {
    options.deadline_ms = number();
  } else if (name == "self_test_seconds") {
    options.self_test_seconds = number();
  } else if (name == "require_provider") {
    options.require_provider = flag_of(word, value);
  } else if (name == "fused") {
    options.fused = flag_of(word, value);
  } else if (name == "validate") {
    options.validate = flag_of(word, value);
  } else if (name == "self_test") {
    options.self_test = flag_of(word, value);
  } else if (name == "tile_check") {
    options.tile_check = value == "none" ? std::optional<TileCheck>() : tiles_of(word, value);
  } else {
    fail_option(word, "an option of a monitor");
  }
}

}  // namespace lsood::detail
