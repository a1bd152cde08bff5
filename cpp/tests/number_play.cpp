// SPDX-License-Identifier: Apache-2.0
// Reads and writes numbers in the locale of the environment, whose decimal mark is printed first. Of each line of the standard
// input: `read NUMBER` as JSON, to its last bit, and `write FORM NUMBER` as messages show it.
#include <clocale>
#include <iostream>
#include <sstream>

#include "detail/json.hpp"
#include "detail/number_text.hpp"
#include "play.hpp"

int main() {
  using namespace lsood;
  std::setlocale(LC_ALL, "");
  std::puts(std::localeconv()->decimal_point);
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string command, form, number;
    words >> command;
    if (command == "write") words >> form;
    words >> number;
    try {
      const detail::Value value = detail::parse_json(number);
      const auto* whole = value.get<detail::Integer>();
      const double read = whole == nullptr ? *value.get<double>() : whole->approximate;
      std::puts(command == "write" ? detail::number_text(read, form.c_str()).c_str() : test::hex(read).c_str());
    } catch (const detail::JsonFault& fault) {
      std::puts(fault.what.c_str());
    }
  }
}
