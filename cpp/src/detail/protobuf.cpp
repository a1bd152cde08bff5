// SPDX-License-Identifier: Apache-2.0
#include "detail/protobuf.hpp"

namespace lsood::detail {

namespace {

[[noreturn]] void fault(std::string what) { throw ProtobufFault{std::move(what)}; }

}  // namespace

std::uint64_t take_varint(std::string_view& bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < 10; ++i) {
    if (i >= bytes.size()) fault("a number is cut off");
    const auto byte = static_cast<unsigned char>(bytes[i]);
    value |= static_cast<std::uint64_t>(byte & 0x7f) << (7 * i);
    if (byte < 0x80) {
      bytes.remove_prefix(i + 1);
      return value;
    }
  }
  fault("a number has more than ten bytes");
}

bool Walk::next(Field& field) {
  if (left_.empty()) return false;
  if (--budget_ < 0) fault("there are too many fields");
  const std::uint64_t key = take_varint(left_), wire = key & 7;
  field = {key >> 3, wire != 2, 0, {}};
  if (field.number == 0) fault("a field has the number 0");
  if (wire == 0) {
    field.value = take_varint(left_);
  } else if (wire == 2) {
    const std::uint64_t length = take_varint(left_);
    if (length > left_.size()) fault("a field ends behind its message");
    field.bytes = left_.substr(0, static_cast<std::size_t>(length));
    left_.remove_prefix(field.bytes.size());
  } else if (wire == 1 || wire == 5) {
    const std::size_t size = wire == 1 ? 8 : 4;
    if (size > left_.size()) fault("a field ends behind its message");
    for (std::size_t i = size; i-- > 0;) field.value = field.value << 8 | static_cast<unsigned char>(left_[i]);
    left_.remove_prefix(size);
  } else {
    fault("a field has the wire type " + std::to_string(wire));
  }
  return true;
}

}  // namespace lsood::detail
