// SPDX-License-Identifier: Apache-2.0
// Options of a monitor written as words, `deadline_ms=100`, as the C interface takes them.
#pragma once

#include <string>

#include "lsood/monitor.hpp"

namespace lsood::detail {

// Sets the option that a word names; a failure where there is none of this name, or the value is none that it can have.
void set_option(const std::string& word, MonitorOptions& options);

}  // namespace lsood::detail
