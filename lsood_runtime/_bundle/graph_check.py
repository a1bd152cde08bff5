# SPDX-License-Identifier: Apache-2.0
"""Check that an ONNX graph has the operators alone that an export can write, before ONNX Runtime sees it.

Loops, branches, functions and sparse tensors are not among them: their cost does not show in the size of a file. Nor does
that of nodes that make a tensor of a size that a constant states (:mod:`lsood_runtime._bundle.grown_tensors`).
"""

from lsood_runtime._bundle.graph_numbers import NodeAttribute, NumberReader
from lsood_runtime._bundle.grown_tensors import GrownTensors
from lsood_runtime._bundle.protobuf_fields import NUMBER, Budget, walk
from lsood_runtime._exceptions import BundleError

_NAMES = """
    Abs Acos Acosh Add AffineGrid And ArgMax ArgMin Asin Asinh Atan Atanh Attention AveragePool BatchNormalization
    Bernoulli BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor BlackmanWindow Cast CastLike Ceil Celu CenterCropPad
    Clip Col2Im Compress Concat ConcatFromSequence Constant ConstantOfShape Conv ConvInteger ConvTranspose Cos Cosh
    CumProd CumSum DFT DeformConv DepthToSpace DequantizeLinear Det Div Dropout DynamicQuantizeLinear Einsum Elu Equal
    Erf Exp Expand EyeLike Flatten Floor GRU Gather GatherElements GatherND Gelu Gemm GlobalAveragePool GlobalLpPool
    GlobalMaxPool Greater GreaterOrEqual GridSample GroupNormalization HammingWindow HannWindow HardSigmoid HardSwish
    Hardmax Identity InstanceNormalization IsInf IsNaN LRN LSTM LayerNormalization LeakyRelu Less LessOrEqual Log
    LogSoftmax LpNormalization LpPool MatMul MatMulInteger Max MaxPool MaxRoiPool MaxUnpool Mean
    MeanVarianceNormalization MelWeightMatrix Min Mish Mod Mul Multinomial Neg NonMaxSuppression NonZero Not OneHot Or
    PRelu Pad Pow QLinearConv QLinearMatMul QuantizeLinear RMSNormalization RNN RandomNormal RandomNormalLike
    RandomUniform RandomUniformLike Range Reciprocal ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean
    ReduceMin ReduceProd ReduceSum ReduceSumSquare Relu Reshape Resize ReverseSequence RoiAlign RotaryEmbedding Round
    STFT Scatter ScatterElements ScatterND Selu SequenceAt SequenceConstruct SequenceEmpty SequenceErase SequenceInsert
    SequenceLength Shape Shrink Sigmoid Sign Sin Sinh Size Slice Softmax Softplus Softsign SpaceToDepth Split
    SplitToSequence Sqrt Squeeze Sub Sum Swish Tan Tanh TensorScatter ThresholdedRelu Tile TopK Transpose Trilu Unique
    Unsqueeze Upsample Where Xor
"""

OPERATORS = frozenset(_NAMES.split())
"""Operators of ONNX's own domain that a graph may have; no other domain has any."""

MOST_FIELDS = 2_000_000
"""Fields of a model, its graph and their nodes, at most; a node has about ten."""

_KNOWN = frozenset(name.encode() for name in OPERATORS)
_DOMAINS = {b"", b"ai.onnx"}
_GRAPH, _TRAINING, _FUNCTIONS = 7, 20, 25  # fields of ModelProto
_NODE, _INITIALIZER, _SPARSE_INITIALIZER = 1, 5, 15  # of GraphProto
_INPUT, _OUTPUT, _NAME, _TYPE, _ATTRIBUTE, _DOMAIN = 1, 2, 3, 4, 5, 7  # of NodeProto
_LONGEST_NAME = 200


def check_graph(name: str, contents: bytes) -> None:
    """Check the nodes of a serialised ONNX model.

    Args:
        name: of its file, for messages.
        contents: of the file.

    Raises:
        BundleError: no ONNX model (one in ORT's own format is none), or one with an operator that no export writes, a graph
            inside of a node, functions, a sparse tensor, a node that makes too large a tensor, or too many fields.
    """
    try:
        fault = _fault(NumberReader(contents, Budget(MOST_FIELDS)))
    except ValueError as error:
        raise BundleError(
            f"cannot load {name}: expected an ONNX model, got damaged bytes ({error}); copy the bundle again"
        ) from error
    if fault is not None:
        raise BundleError(
            f"cannot load {name}: expected operators alone that export writes, got {fault}; export it again"
        )


def _fault(reader: NumberReader) -> str | None:
    """What no export writes into a model, in words; None without such."""
    graphs, grown = 0, GrownTensors()
    for number, start, stop in walk(reader.model, 0, len(reader.model), reader.budget):
        if number == _FUNCTIONS:
            return "functions of its own"
        if number == _TRAINING:
            return "a training graph"
        if number == _GRAPH:
            graphs += 1
            fault = _fault_of_graph(reader, start, stop, grown)
            if fault is not None:
                return fault
    if graphs == 0:
        raise ValueError("it has no graph")
    return next(grown.faults(), None)


def _fault_of_graph(reader: NumberReader, start: int, stop: int, grown: GrownTensors) -> str | None:
    if start == NUMBER:
        raise ValueError("a message is a number")
    for number, place, end in walk(reader.model, start, stop, reader.budget):
        if number not in (_NODE, _INITIALIZER, _SPARSE_INITIALIZER):
            continue
        if place == NUMBER:
            raise ValueError("a message is a number")
        if number == _SPARSE_INITIALIZER:
            return "a sparse tensor"
        if number == _INITIALIZER:
            grown.add_initializer(reader, place, end)
            continue
        fault = _fault_of_node(reader, place, end, grown)
        if fault is not None:
            return fault
    return None


def _fault_of_node(reader: NumberReader, start: int, stop: int, grown: GrownTensors) -> str | None:
    """What is wrong with a node; of one that states its type several times, each is looked at."""
    model, kind, inputs, outputs = reader.model, b"", list[bytes](), list[bytes]()
    attributes = list[NodeAttribute]()
    for number, place, end in walk(model, start, stop, reader.budget):
        if number == _NAME or number > _DOMAIN:
            continue
        if place == NUMBER:
            raise ValueError("a text or message of a node is a number")
        if number == _INPUT:
            inputs.append(model[place:end])
        elif number == _OUTPUT:
            outputs.append(model[place:end])
        elif number == _TYPE:
            kind = model[place:end]
            if kind not in _KNOWN:
                return repr(kind[:_LONGEST_NAME].decode())
        elif number == _ATTRIBUTE:
            attribute = reader.attribute(place, end)
            if attribute.inner is not None:
                return f"{attribute.inner} inside of a node {kind.decode()!r}"
            attributes.append(attribute)
        elif number == _DOMAIN and model[place:end] not in _DOMAINS:
            return repr(model[place : min(end, place + _LONGEST_NAME)].decode())
    if not kind:
        return "a node without a type"
    grown.add_node(kind.decode(), inputs, outputs, attributes)
    return None
