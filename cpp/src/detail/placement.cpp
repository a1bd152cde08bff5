// SPDX-License-Identifier: Apache-2.0
#include "detail/placement.hpp"

#include <algorithm>

#include "detail/failure.hpp"
#include "detail/names.hpp"

namespace lsood::detail {

namespace {

struct Subgraph;
struct Node;

static_assert(ORT_API_VERSION == 23,
              "expected headers of version 23 of ONNX Runtime's interface: drop Api24 and call these functions by name with newer "
              "ones, and count its others anew with older ones");

// The functions that version 24 of the interface has behind those of version 23, of which the headers are. A release only ever
// adds functions at the end. Named are those that are called here.
struct Api24 {
  OrtApi of_version_23;
  void (*others[17])();
  OrtStatus*(ORT_API_CALL* session_subgraphs)(const OrtSession*, const Subgraph* const**, size_t*);
  OrtStatus*(ORT_API_CALL* subgraph_provider)(const Subgraph*, const char**);
  OrtStatus*(ORT_API_CALL* subgraph_nodes)(const Subgraph*, const Node* const**, size_t*);
};

std::string in_words(const Placement& placement) {
  std::string text;
  for (const auto& [provider, count] : placement) {
    text += (text.empty() ? "" : ", ") + std::to_string(count) + " on " + provider;
  }
  return text;
}

const char* remedy(const std::string& provider) {
  if (provider == kCuda || provider == kTensorrt) return "link a build of ONNX Runtime with it, on a machine with an NVIDIA driver";
  return "check the provider's options, its device and the device's driver";
}

}  // namespace

Placement read_placement(const Ort::Session& session) {
  const OrtApi* const found = OrtGetApiBase()->GetApi(24);
  if (found == nullptr) {
    fail(ErrorCode::provider, std::string("expected ONNX Runtime with interface 24, got ") + OrtGetApiBase()->GetVersionString() +
                                  ": link and load 1.24.1 or newer");
  }
  const auto& api = *reinterpret_cast<const Api24*>(found);
  const Subgraph* const* subgraphs = nullptr;
  size_t count = 0;
  Ort::ThrowOnError(api.session_subgraphs(session, &subgraphs, &count));
  Placement placement;
  for (size_t i = 0; i < count; ++i) {
    const char* provider = nullptr;
    const Node* const* nodes = nullptr;
    size_t node_count = 0;
    Ort::ThrowOnError(api.subgraph_provider(subgraphs[i], &provider));
    Ort::ThrowOnError(api.subgraph_nodes(subgraphs[i], &nodes, &node_count));
    auto found = placement.begin();
    while (found != placement.end() && found->first != provider) ++found;
    if (found == placement.end()) found = placement.insert(found, {provider, 0});
    found->second += node_count;
  }
  return placement;
}

void check_placement(const std::string& graph, const Placement& placement, const std::vector<std::string>& providers,
                     bool every_node) {
  std::size_t own = 0, total = 0;
  for (const auto& [provider, count] : placement) {
    total += count;
    if (std::find(providers.begin(), providers.end(), provider) != providers.end()) own += count;
  }
  const std::string& first = providers.front();
  if (own == 0 && total > 0) {
    fail(ErrorCode::provider,
         "expected " + first + " to run " + graph + ", its nodes are " + in_words(placement) + ": " + remedy(first));
  }
  if (!every_node || own == total) return;
  fail(ErrorCode::provider, "expected every node of " + graph + " on " + first + ", its nodes are " + in_words(placement) +
                                ": leave require_provider out to let ONNX Runtime's own CPU provider run the others, or name " +
                                "another provider");
}

}  // namespace lsood::detail
