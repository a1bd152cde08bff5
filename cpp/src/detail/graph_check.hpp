// SPDX-License-Identifier: Apache-2.0
// Check that an ONNX graph has the operators alone that an export can write, before ONNX Runtime sees it.
#pragma once

#include <string>

namespace lsood::detail {

// A failure where it is no ONNX model, or one with an operator that no export writes, a graph inside of a node, functions, a
// sparse tensor, a node that makes too large a tensor, or too many fields.
void check_graph(const std::string& name, const std::string& contents);

}  // namespace lsood::detail
