// SPDX-License-Identifier: Apache-2.0
#include "detail/grown_tensors.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>

#include "detail/protobuf.hpp"

namespace lsood::detail {

namespace {

constexpr double kMostElements = 2147483648.0;  // of float32 they are eight gigabytes
constexpr std::int64_t kMostValues = 64;        // of a constant that can be the size of something
constexpr std::size_t kLongest = 4096;          // bytes of an initializer of so few values at most
constexpr std::size_t kMostOfOneName = 64;      // constants: a valid graph has one

enum : std::uint64_t { kName = 1, kFloat = 2, kInt = 3, kTensor = 5, kGraph = 6, kFloats = 7, kInts = 8, kGraphs = 11,
                       kSparse = 22, kSparses = 23 };  // of AttributeProto
enum : std::uint64_t { kDims = 1, kDataType = 2, kFloatData = 4, kInt32Data = 5, kInt64Data = 7, kTensorName = 8,
                       kRaw = 9, kDoubleData = 10 };  // of TensorProto

double as_signed(std::uint64_t value) { return static_cast<double>(static_cast<std::int64_t>(value)); }

// Little-endian numbers of a type, 64 at most.
template <typename T>
void append_fixed(std::string_view bytes, Numbers& numbers) {
  const std::size_t count = std::min(bytes.size() / sizeof(T), static_cast<std::size_t>(kMostValues));
  for (std::size_t i = 0; i < count; ++i) {
    T value;
    std::memcpy(&value, bytes.data() + i * sizeof(T), sizeof(T));
    numbers.push_back(static_cast<double>(value));
  }
}

void append_varints(std::string_view bytes, Numbers& numbers) {
  while (!bytes.empty()) numbers.push_back(as_signed(take_varint(bytes)));
}

// The value of a fixed number's bytes, as a float32.
double as_float(std::uint64_t value) {
  const auto bits = static_cast<std::uint32_t>(value);
  float number = 0;
  std::memcpy(&number, &bits, sizeof number);
  return static_cast<double>(number);
}

// Where the numbers that the size of a result is the product of come from: an input's constant, or an attribute.
struct Source {
  std::size_t input = 0;
  const char* attribute = nullptr;
};
using Groups = std::vector<std::vector<Source>>;

const std::map<std::string_view, Groups>& sizes_of_kinds() {
  static const std::map<std::string_view, Groups> sizes{
      {"AffineGrid", {{{1}}}},
      {"BlackmanWindow", {{{0}}}},
      {"CenterCropPad", {{{1}}}},
      {"Col2Im", {{{1}}}},
      {"ConstantOfShape", {{{0}}}},
      {"ConvTranspose", {{{0, "output_shape"}}, {{0, "strides"}}}},
      {"DFT", {{{1}}}},
      {"Expand", {{{1}}}},
      {"HammingWindow", {{{0}}}},
      {"HannWindow", {{{0}}}},
      {"MaxRoiPool", {{{0, "pooled_shape"}}}},
      {"MaxUnpool", {{{2}}, {{0, "kernel_shape"}}, {{0, "strides"}}}},
      {"MelWeightMatrix", {{{0}, {1}}}},
      {"Multinomial", {{{0, "sample_size"}}}},
      {"OneHot", {{{1}}}},
      {"RandomNormal", {{{0, "shape"}}}},
      {"RandomUniform", {{{0, "shape"}}}},
      {"Resize", {{{1}}, {{2}}, {{3}}}},
      {"RoiAlign", {{{0, "output_height"}, {0, "output_width"}}}},
      {"Tile", {{{1}}}},
      {"Upsample", {{{1}}, {{0, "scales"}}, {{0, "width_scale"}, {0, "height_scale"}}}},
  };
  return sizes;
}

bool is_padded(std::string_view kind) {
  for (const char* each :
       {"AveragePool", "Conv", "ConvInteger", "ConvTranspose", "DeformConv", "LpPool", "MaxPool", "MaxUnpool", "Pad"}) {
    if (kind == each) return true;
  }
  return false;
}

// Of the values above 1: others, such as -1 for what is left and scales that shrink, do not make a tensor larger.
double product(const Numbers& values) {
  double total = 1;
  for (const double value : values) total *= 1.0 > value ? 1.0 : value;  // NaN stays
  return total;
}

// The largest of several numbers; NaN is larger than any.
void raise(double& largest, double value) {
  if (!std::isnan(largest) && !(value <= largest)) largest = value;
}

const Numbers& named(const std::vector<NodeAttribute>& attributes, std::string_view name) {
  static const Numbers none;
  const auto found = std::find_if(attributes.rbegin(), attributes.rend(),
                                  [name](const NodeAttribute& attribute) { return attribute.name == name; });
  return found == attributes.rend() ? none : found->numbers;
}

// The first number of each constant that has one.
Numbers firsts(const std::vector<Numbers>& constants) {
  Numbers found;
  for (const Numbers& numbers : constants) {
    if (!numbers.empty()) found.push_back(numbers[0]);
  }
  return found;
}

// By the largest results of a range, upwards and downwards, of all that its inputs may be.
void raise_by_range(double& largest, const Numbers& starts, const Numbers& limits, const Numbers& steps) {
  if (starts.empty() || limits.empty() || steps.empty()) return;
  const double infinity = std::numeric_limits<double>::infinity();
  for (const Numbers* numbers : {&starts, &limits, &steps}) {
    for (const double number : *numbers) {
      if (!std::isfinite(number)) raise(largest, infinity);
    }
  }
  for (const double way : {1.0, -1.0}) {
    double furthest = -infinity, nearest = infinity, least = infinity;
    for (const double limit : limits) furthest = std::max(furthest, way * limit);
    for (const double start : starts) nearest = std::min(nearest, way * start);
    for (const double step : steps) {
      if (way * step > 0) least = std::min(least, way * step);
    }
    raise(largest, (furthest - nearest) / least);
  }
}

void raise_by_pads(double& largest, const Numbers& pads) {
  const std::size_t half = pads.size() / 2;
  Numbers grown;
  for (std::size_t i = 0; i < half; ++i) grown.push_back(1 + pads[i] + pads[half + i]);
  raise(largest, product(grown));
  for (const double pad : pads) raise(largest, pad);
}

}  // namespace

NodeAttribute GrownTensors::tensor(std::string_view message) const {
  NodeAttribute found;
  std::int64_t count = 1;
  std::uint64_t type = 0;
  std::vector<Field> packed;
  const auto add_size = [&count](std::uint64_t size) {
    const auto side = static_cast<std::int64_t>(size);
    if (__builtin_mul_overflow(count, side, &count) || count < 0 || count > kMostValues) count = -1;
  };
  Field field;
  for (Walk walk(message, budget_); walk.next(field);) {
    if (field.number == kDims) {
      if (field.is_number) add_size(field.value);
      for (std::string_view left = field.bytes; !left.empty() && count >= 0;) add_size(take_varint(left));
      if (count < 0) return {};
    } else if (field.number == kDataType) {
      type = field.is_number ? field.value : 0;
    } else if (field.number == kTensorName && !field.is_number) {
      found.name = field.bytes;
    } else if (field.number == kFloatData || field.number == kInt32Data || field.number == kInt64Data ||
               field.number == kRaw || field.number == kDoubleData) {
      const bool whole = field.number == kInt32Data || field.number == kInt64Data;
      if (!field.is_number) {
        packed.push_back(field);
      } else if (whole && found.numbers.size() < static_cast<std::size_t>(kMostValues)) {
        found.numbers.push_back(as_signed(field.value));
      }
    }
  }
  constexpr std::uint64_t float32 = 1, int32 = 6, int64 = 7, float64 = 11;
  if (type != float32 && type != int32 && type != int64 && type != float64) {
    found.numbers.clear();
    return found;
  }
  for (const Field& each : packed) {
    if (each.number == kInt32Data || each.number == kInt64Data) {
      std::string_view left = each.bytes.substr(0, 10 * static_cast<std::size_t>(kMostValues));
      append_varints(left, found.numbers);
    } else if (each.number == kFloatData || (each.number == kRaw && type == float32)) {
      append_fixed<float>(each.bytes, found.numbers);
    } else if (each.number == kDoubleData || type == float64) {
      append_fixed<double>(each.bytes, found.numbers);
    } else if (type == int32) {
      append_fixed<std::int32_t>(each.bytes, found.numbers);
    } else {
      append_fixed<std::int64_t>(each.bytes, found.numbers);
    }
  }
  return found;
}

NodeAttribute GrownTensors::attribute(std::string_view message) const {
  NodeAttribute found;
  Field field;
  for (Walk walk(message, budget_); walk.next(field);) {
    const bool is_inner = field.number == kGraph || field.number == kGraphs || field.number == kSparse || field.number == kSparses;
    if (field.is_number) {
      if (field.number == kInt || field.number == kInts) found.numbers.push_back(as_signed(field.value));
      if (field.number == kFloat || field.number == kFloats) found.numbers.push_back(as_float(field.value));
      if (is_inner) throw ProtobufFault{"a message is a number"};
    } else if (field.number == kName) {
      found.name = field.bytes;
    } else if (field.number == kTensor) {
      const Numbers numbers = tensor(field.bytes).numbers;
      found.numbers.insert(found.numbers.end(), numbers.begin(), numbers.end());
    } else if (field.number == kInts) {
      append_varints(field.bytes, found.numbers);
    } else if (field.number == kFloats) {
      append_fixed<float>(field.bytes, found.numbers);
    } else if (is_inner && found.inner == nullptr) {
      found.inner = field.number == kGraph || field.number == kGraphs ? "a graph" : "a sparse tensor";
    }
  }
  return found;
}

void GrownTensors::keep(std::string_view name, Numbers numbers) {
  auto& values = constants_[name];
  if (values.size() == kMostOfOneName) throw ProtobufFault{"many constants have one name"};
  values.push_back(std::move(numbers));
}

void GrownTensors::add_initializer(std::string_view message) {
  if (message.size() > kLongest) return;
  NodeAttribute found = tensor(message);
  if (!found.numbers.empty()) keep(found.name, std::move(found.numbers));
}

void GrownTensors::add_node(std::string_view kind, std::vector<std::string_view> inputs, std::string_view first_output,
                            std::vector<NodeAttribute> attributes) {
  if (kind == "Constant") {
    for (NodeAttribute& attribute : attributes) keep(first_output, std::move(attribute.numbers));
  } else if (sizes_of_kinds().count(kind) > 0 || is_padded(kind) || kind == "Range") {
    nodes_.push_back({kind, std::move(inputs), std::move(attributes)});
  }
}

const std::vector<Numbers>& GrownTensors::of_input(const Node& node, std::size_t place) const {
  static const std::vector<Numbers> none;
  if (place >= node.inputs.size()) return none;
  const auto found = constants_.find(node.inputs[place]);
  return found == constants_.end() ? none : found->second;
}

double GrownTensors::largest(const Node& node) const {
  double most = 0;
  if (const auto groups = sizes_of_kinds().find(node.kind); groups != sizes_of_kinds().end()) {
    for (const auto& group : groups->second) {
      double total = 1;
      for (const Source& source : group) {
        double size = source.attribute == nullptr ? 1 : product(named(node.attributes, source.attribute));
        if (source.attribute == nullptr) {
          for (const Numbers& numbers : of_input(node, source.input)) raise(size, product(numbers));
        }
        total *= size;
      }
      raise(most, total);
    }
  }
  if (is_padded(node.kind)) {
    for (const char* name : {"pads", "paddings"}) raise_by_pads(most, named(node.attributes, name));
    if (node.kind == "Pad") {
      for (const Numbers& pads : of_input(node, 1)) raise_by_pads(most, pads);
    }
    Numbers more = named(node.attributes, "output_padding");
    for (double& value : more) value += 1;
    raise(most, product(more));
  }
  if (node.kind == "Range") {
    raise_by_range(most, firsts(of_input(node, 0)), firsts(of_input(node, 1)), firsts(of_input(node, 2)));
  }
  return most;
}

std::string GrownTensors::fault() const {
  for (const Node& node : nodes_) {
    const double elements = largest(node);
    if (!(elements <= kMostElements)) return std::string(node.kind) + " to more than 2,147,483,648 elements";
  }
  return {};
}

}  // namespace lsood::detail
