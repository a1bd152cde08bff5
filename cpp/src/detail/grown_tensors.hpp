// SPDX-License-Identifier: Apache-2.0
// Bound the tensors that nodes of a graph make out of nothing, where constants of the graph say how large they are.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace lsood::detail {

using Numbers = std::vector<double>;

// Name and few numbers of an attribute or a small tensor, and what no attribute of an exported graph holds.
struct NodeAttribute {
  std::string_view name;
  Numbers numbers;
  const char* inner = nullptr;
};

class GrownTensors {
 public:
  explicit GrownTensors(std::int64_t& budget) : budget_(budget) {}

  // Throws ProtobufFault.
  NodeAttribute attribute(std::string_view message) const;

  // Keep the values of an initializer of few numbers. Throws ProtobufFault.
  void add_initializer(std::string_view message);

  // Keep a node that may make a large tensor, or the values of a constant.
  void add_node(std::string_view kind, std::vector<std::string_view> inputs, std::string_view first_output,
                std::vector<NodeAttribute> attributes);

  // A node whose tensor is too large, in words; empty without such.
  [[nodiscard]] std::string fault() const;

 private:
  struct Node {
    std::string_view kind;
    std::vector<std::string_view> inputs;
    std::vector<NodeAttribute> attributes;
  };

  void keep(std::string_view name, Numbers numbers);
  [[nodiscard]] NodeAttribute tensor(std::string_view message) const;
  [[nodiscard]] const std::vector<Numbers>& of_input(const Node& node, std::size_t place) const;
  [[nodiscard]] double largest(const Node& node) const;

  std::int64_t& budget_;
  std::map<std::string_view, std::vector<Numbers>> constants_;
  std::vector<Node> nodes_;
};

}  // namespace lsood::detail
