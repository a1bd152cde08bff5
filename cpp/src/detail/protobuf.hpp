// SPDX-License-Identifier: Apache-2.0
// Walk over the fields of a protobuf message without a copy.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace lsood::detail {

// What is wrong with bytes that are no protobuf message.
struct ProtobufFault {
  std::string what;
};

struct Field {
  std::uint64_t number = 0;
  bool is_number = false;
  std::uint64_t value = 0;  // of a varint, or the bytes of a fixed number
  std::string_view bytes;   // of a text or message
};

// The next number of variable length at the head of bytes, which are shortened by it. Throws ProtobufFault.
std::uint64_t take_varint(std::string_view& bytes);

class Walk {
 public:
  // `budget` counts the fields that this walk and others may still read.
  Walk(std::string_view message, std::int64_t& budget) : left_(message), budget_(budget) {}

  // The next field; false at the end. Throws ProtobufFault.
  bool next(Field& field);

 private:
  std::string_view left_;
  std::int64_t& budget_;
};

}  // namespace lsood::detail
