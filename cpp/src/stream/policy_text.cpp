// SPDX-License-Identifier: Apache-2.0
#include <charconv>
#include <optional>

#include "detail/decimal.hpp"
#include "detail/failure.hpp"
#include "lsood/policy.hpp"

namespace lsood {
namespace {

constexpr std::string_view kForms = "3of5, hysteresis:0.01:0.2, duration:0.5 or cusum:1h@30";
constexpr std::size_t kLongest = 60, kMostDigits = 9;

bool is_digit(char c) { return '0' <= c && c <= '9'; }

// Reads a text from the left; a part that is not there leaves it where it is.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  [[nodiscard]] bool at_end() const { return rest_.empty(); }

  bool skip(std::string_view word) {
    if (rest_.substr(0, word.size()) != word) {
      return false;
    }
    rest_.remove_prefix(word.size());
    return true;
  }

  // One to nine digits.
  std::optional<int> count() {
    const std::size_t size = digits(0);
    if (size == 0 || size > kMostDigits) {
      return std::nullopt;
    }
    int number = 0;
    std::from_chars(rest_.data(), rest_.data() + size, number);
    rest_.remove_prefix(size);
    return number;
  }

  // Digits, with a fraction and an exponent where there are any; no sign in front.
  std::optional<double> number() {
    std::size_t size = digits(0);
    if (size == 0) {
      return std::nullopt;
    }
    if (at(size) == '.') {
      size += 1 + digits(size + 1);
    }
    if (at(size) == 'e' || at(size) == 'E') {
      const bool has_sign = at(size + 1) == '-' || at(size + 1) == '+';
      const std::size_t first = size + (has_sign ? 2 : 1);
      if (const std::size_t exponent = digits(first); exponent > 0) {
        size = first + exponent;
      }
    }
    const double value = detail::decimal(rest_.substr(0, size));
    rest_.remove_prefix(size);
    return value;
  }

 private:
  [[nodiscard]] char at(std::size_t place) const { return place < rest_.size() ? rest_[place] : '\0'; }
  [[nodiscard]] std::size_t digits(std::size_t first) const {
    std::size_t last = first;
    while (is_digit(at(last))) {
      ++last;
    }
    return last - first;
  }

  std::string_view rest_;
};

std::optional<Policy::Rule> read_rule(std::string_view text) {
  Reader reader(text);
  std::optional<Policy::Rule> rule;
  if (reader.skip("hysteresis:")) {
    const auto raise_at = reader.number();
    const bool more = reader.skip(":");
    const auto clear_at = reader.number();
    if (raise_at && more && clear_at) {
      rule = Hysteresis{*raise_at, *clear_at};
    }
  } else if (reader.skip("duration:")) {
    const auto seconds = reader.number();
    const auto hold_seconds = reader.skip(":") ? reader.number() : seconds;
    if (seconds && hold_seconds) {
      rule = MinimumDuration{*seconds, *hold_seconds};
    }
  } else if (reader.skip("cusum:")) {
    const auto hours = reader.number();
    const bool more = reader.skip("h@");
    const auto rate = reader.number();
    if (hours && more && rate) {
      rule = Cusum{*hours, *rate};
    }
  } else {
    const auto k = reader.count();
    const bool more = reader.skip("of");
    const auto n = reader.count();
    if (k && more && n) {
      rule = KOfN{*k, *n};
    }
  }
  return reader.at_end() ? rule : std::nullopt;
}

bool is_rate(std::string_view text) {
  Reader reader(text);
  if (!reader.number() || !reader.skip("/h")) {
    return false;
  }
  return reader.at_end() || (reader.skip("@") && reader.number() && reader.at_end());
}

}  // namespace

Result<Policy> Policy::parse(std::string_view text) noexcept {
  return detail::guarded([&]() -> Result<Policy> {
    if (const auto rule = read_rule(text)) {
      return Policy::of(*rule);
    }
    const std::string remedy =
        is_rate(text) ? "`lsood inspect` names the rule that keeps a rate" : "write one of these forms";
    return Error{ErrorCode::argument, "expected an alarm policy such as " + std::string(kForms) + ", got '" +
                                          std::string(text.substr(0, kLongest)) + "': " + remedy};
  });
}

}  // namespace lsood
