// SPDX-License-Identifier: Apache-2.0
// A stand-in for the registration of components: the class has to be a node that is made of options alone.
#pragma once

#include <type_traits>

#include "rclcpp/rclcpp.hpp"

#define RCLCPP_COMPONENTS_REGISTER_NODE(NodeClass)                                                \
  static_assert(std::is_base_of_v<rclcpp::Node, NodeClass> &&                                     \
                std::is_constructible_v<NodeClass, const rclcpp::NodeOptions&>);
