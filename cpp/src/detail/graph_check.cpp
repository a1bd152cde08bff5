// SPDX-License-Identifier: Apache-2.0
#include "detail/graph_check.hpp"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <string_view>
#include <vector>

#include "detail/failure.hpp"
#include "detail/grown_tensors.hpp"
#include "detail/protobuf.hpp"
#include "detail/utf8.hpp"

namespace lsood::detail {

namespace {

constexpr std::int64_t kMostFields = 2'000'000;
constexpr std::size_t kLongestName = 200;

// In ascending order.
constexpr std::string_view kOperators[] = {
    "Abs", "Acos", "Acosh", "Add", "AffineGrid", "And", "ArgMax", "ArgMin", "Asin", "Asinh", "Atan", "Atanh",
    "Attention", "AveragePool", "BatchNormalization", "Bernoulli", "BitShift", "BitwiseAnd", "BitwiseNot",
    "BitwiseOr", "BitwiseXor", "BlackmanWindow", "Cast", "CastLike", "Ceil", "Celu", "CenterCropPad", "Clip",
    "Col2Im", "Compress", "Concat", "ConcatFromSequence", "Constant", "ConstantOfShape", "Conv", "ConvInteger",
    "ConvTranspose", "Cos", "Cosh", "CumProd", "CumSum", "DFT", "DeformConv", "DepthToSpace", "DequantizeLinear",
    "Det", "Div", "Dropout", "DynamicQuantizeLinear", "Einsum", "Elu", "Equal", "Erf", "Exp", "Expand", "EyeLike",
    "Flatten", "Floor", "GRU", "Gather", "GatherElements", "GatherND", "Gelu", "Gemm", "GlobalAveragePool",
    "GlobalLpPool", "GlobalMaxPool", "Greater", "GreaterOrEqual", "GridSample", "GroupNormalization",
    "HammingWindow", "HannWindow", "HardSigmoid", "HardSwish", "Hardmax", "Identity", "InstanceNormalization",
    "IsInf", "IsNaN", "LRN", "LSTM", "LayerNormalization", "LeakyRelu", "Less", "LessOrEqual", "Log", "LogSoftmax",
    "LpNormalization", "LpPool", "MatMul", "MatMulInteger", "Max", "MaxPool", "MaxRoiPool", "MaxUnpool", "Mean",
    "MeanVarianceNormalization", "MelWeightMatrix", "Min", "Mish", "Mod", "Mul", "Multinomial", "Neg",
    "NonMaxSuppression", "NonZero", "Not", "OneHot", "Or", "PRelu", "Pad", "Pow", "QLinearConv", "QLinearMatMul",
    "QuantizeLinear", "RMSNormalization", "RNN", "RandomNormal", "RandomNormalLike", "RandomUniform",
    "RandomUniformLike", "Range", "Reciprocal", "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp",
    "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum", "ReduceSumSquare", "Relu", "Reshape",
    "Resize", "ReverseSequence", "RoiAlign", "RotaryEmbedding", "Round", "STFT", "Scatter", "ScatterElements",
    "ScatterND", "Selu", "SequenceAt", "SequenceConstruct", "SequenceEmpty", "SequenceErase", "SequenceInsert",
    "SequenceLength", "Shape", "Shrink", "Sigmoid", "Sign", "Sin", "Sinh", "Size", "Slice", "Softmax", "Softplus",
    "Softsign", "SpaceToDepth", "Split", "SplitToSequence", "Sqrt", "Squeeze", "Sub", "Sum", "Swish", "Tan", "Tanh",
    "TensorScatter", "ThresholdedRelu", "Tile", "TopK", "Transpose", "Trilu", "Unique", "Unsqueeze", "Upsample",
    "Where", "Xor"};

enum : std::uint64_t { kGraph = 7, kTraining = 20, kFunctions = 25 };                                 // of ModelProto
enum : std::uint64_t { kNode = 1, kInitializer = 5, kSparseInitializer = 15 };                        // of GraphProto
enum : std::uint64_t { kInput = 1, kOutput = 2, kName = 3, kType = 4, kAttribute = 5, kDomain = 7 };  // of NodeProto

std::string quoted(std::string_view text) { return "'" + printable(text.substr(0, kLongestName)) + "'"; }

std::string fault_of_node(std::string_view message, std::int64_t& budget, GrownTensors& grown) {
  std::string_view kind, first_output;
  bool has_output = false;
  std::vector<std::string_view> inputs;
  std::vector<NodeAttribute> attributes;
  Field field;
  for (Walk walk(message, budget); walk.next(field);) {
    if (field.number == kName || field.number > kDomain) continue;
    if (field.is_number) throw ProtobufFault{"a text or message of a node is a number"};
    if (field.number == kInput) {
      inputs.push_back(field.bytes);
    } else if (field.number == kOutput) {
      if (!has_output) first_output = field.bytes;
      has_output = true;
    } else if (field.number == kType) {
      kind = field.bytes;
      if (!std::binary_search(std::begin(kOperators), std::end(kOperators), kind)) return quoted(kind);
    } else if (field.number == kAttribute) {
      attributes.push_back(grown.attribute(field.bytes));
      if (attributes.back().inner != nullptr) {
        return std::string(attributes.back().inner) + " inside of a node " + quoted(kind);
      }
    } else if (field.number == kDomain && !field.bytes.empty() && field.bytes != "ai.onnx") {
      return quoted(field.bytes);
    }
  }
  if (kind.empty()) return "a node without a type";
  grown.add_node(kind, std::move(inputs), first_output, std::move(attributes));
  return {};
}

std::string fault_of_graph(std::string_view message, std::int64_t& budget, GrownTensors& grown) {
  Field field;
  for (Walk walk(message, budget); walk.next(field);) {
    if (field.number != kNode && field.number != kInitializer && field.number != kSparseInitializer) continue;
    if (field.is_number) throw ProtobufFault{"a message is a number"};
    if (field.number == kSparseInitializer) return "a sparse tensor";
    if (field.number == kInitializer) {
      grown.add_initializer(field.bytes);
    } else if (std::string fault = fault_of_node(field.bytes, budget, grown); !fault.empty()) {
      return fault;
    }
  }
  return {};
}

std::string fault_of_model(std::string_view model) {
  std::int64_t budget = kMostFields;
  GrownTensors grown(budget);
  bool has_graph = false;
  Field field;
  for (Walk walk(model, budget); walk.next(field);) {
    if (field.number == kFunctions) return "functions of its own";
    if (field.number == kTraining) return "a training graph";
    if (field.number != kGraph) continue;
    if (field.is_number) throw ProtobufFault{"a message is a number"};
    has_graph = true;
    if (std::string fault = fault_of_graph(field.bytes, budget, grown); !fault.empty()) return fault;
  }
  if (!has_graph) throw ProtobufFault{"it has no graph"};
  return grown.fault();
}

}  // namespace

void check_graph(const std::string& name, const std::string& contents) {
  std::string fault;
  try {
    fault = fault_of_model(contents);
  } catch (const ProtobufFault& damage) {
    fail(ErrorCode::bundle,
         "cannot load " + name + ": expected an ONNX model, got damaged bytes (" + damage.what + "); copy the bundle again");
  }
  if (!fault.empty()) {
    fail(ErrorCode::bundle,
         "cannot load " + name + ": expected operators alone that export writes, got " + fault + "; export it again");
  }
}

}  // namespace lsood::detail
