// SPDX-License-Identifier: Apache-2.0
// Replay golden frames on the machine that runs them, and compare scores, class maps and answers with those at export.
#pragma once

#include <optional>

#include "detail/bundle.hpp"
#include "detail/frame_pass.hpp"
#include "lsood/monitor.hpp"

namespace lsood::detail {

// A failure where ONNX Runtime fails, or where the frames take longer than these seconds.
SelfTest replay(FramePass& pass, const Golden& golden, const Manifest& manifest, const std::string& provider,
                std::optional<double> seconds);

}  // namespace lsood::detail
