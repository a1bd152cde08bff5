// SPDX-License-Identifier: Apache-2.0
// What a handle of the C interface holds of a monitor.
#pragma once

#include <vector>

#include "lsood/lsood.h"
#include "lsood/monitor.hpp"

struct lsood_monitor {
  lsood::Monitor monitor;
  lsood::Assessment verdict;
  lsood_assessment view{};
  std::vector<lsood_object> objects;
  std::vector<uint8_t> faulty_tiles;
};
