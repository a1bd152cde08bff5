// SPDX-License-Identifier: Apache-2.0
// Read from a live session on which execution provider each node of its graph runs.
#pragma once

#include <onnxruntime_cxx_api.h>

#include <cstddef>
#include <string>
#include <vector>

#include "lsood/manifest.hpp"

namespace lsood::detail {

// Nodes by the full name of the provider that runs them.
using Placement = Named<std::size_t>;

// The option by which a session keeps this; its value is "1".
constexpr const char* kRecordPlacement = "session.record_ep_graph_assignment_info";

Placement read_placement(const Ort::Session& session);

// A failure where no node of a graph runs on one of the providers, or with `every_node` where not all do.
void check_placement(const std::string& graph, const Placement& placement, const std::vector<std::string>& providers,
                     bool every_node);

}  // namespace lsood::detail
