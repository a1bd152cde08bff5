# SPDX-License-Identifier: Apache-2.0
"""Check that an ONNX graph has the operators alone that an export can write, before ONNX Runtime sees it.

Loops, branches, functions and sparse tensors are not among them: their cost does not show in the size of a file. Nor does
that of nodes that make a tensor of a size that a constant states (:mod:`lsood_runtime._bundle.grown_tensors`).
"""

from collections.abc import Generator, Iterator

from lsood_runtime._bundle.grown_tensors import READ_KINDS, GrownTensors
from lsood_runtime._bundle.protobuf_fields import Budget, walk
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

_DOMAINS = {"", "ai.onnx"}
_GRAPH, _TRAINING, _FUNCTIONS = 7, 20, 25  # fields of ModelProto
_NODE, _INITIALIZER, _SPARSE_INITIALIZER = 1, 5, 15  # of GraphProto
_TYPE, _ATTRIBUTE, _DOMAIN = 4, 5, 7  # of NodeProto
_INNER_GRAPH, _INNER_GRAPHS, _SPARSE, _SPARSES = 6, 11, 22, 23  # of AttributeProto


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
        fault = next(_faults(memoryview(contents), iter(range(MOST_FIELDS))), None)
    except ValueError as error:
        raise BundleError(
            f"cannot load {name}: expected an ONNX model, got damaged bytes ({error}); copy the bundle again"
        ) from error
    if fault is not None:
        raise BundleError(
            f"cannot load {name}: expected operators alone that export writes, got {fault}; export it again"
        )


def _faults(model: memoryview, budget: Budget) -> Iterator[str]:
    graphs, grown = 0, GrownTensors()
    for field in walk(model, budget):
        if field.number == _FUNCTIONS:
            yield "functions of its own"
        if field.number == _TRAINING:
            yield "a training graph"
        if field.number == _GRAPH:
            graphs += 1
            yield from _faults_of_graph(field.contents, budget, grown)
    if graphs == 0:
        raise ValueError("it has no graph")
    yield from grown.faults()


def _faults_of_graph(graph: memoryview | None, budget: Budget, grown: GrownTensors) -> Iterator[str]:
    if graph is None:
        raise ValueError("a message is a number")
    for field in walk(graph, budget):
        if field.number not in (_NODE, _INITIALIZER, _SPARSE_INITIALIZER):
            continue
        if field.contents is None:
            raise ValueError("a message is a number")
        if field.number == _SPARSE_INITIALIZER:
            yield "a sparse tensor"
        elif field.number == _INITIALIZER:
            grown.add_initializer(field.contents, budget)
        else:
            kinds = yield from _faults_of_node(field.contents, budget)
            if not READ_KINDS.isdisjoint(kinds):
                grown.add_node(field.contents, budget)


def _faults_of_node(node: memoryview, budget: Budget) -> Generator[str, None, list[str]]:
    """Yield the faults of a node, and return its types, of which it has one."""
    types, domains = list[str](), list[str]()
    for number, contents, _ in walk(node, budget):
        if number in (_TYPE, _DOMAIN):
            if contents is None:
                raise ValueError("the type or domain of a node is no text")
            (types if number == _TYPE else domains).append(bytes(contents[:200]).decode())
        elif number == _ATTRIBUTE:
            for inner in _fields(contents, budget, _INNER_GRAPH, _INNER_GRAPHS, _SPARSE, _SPARSES):
                what = "a sparse tensor" if inner in (_SPARSE, _SPARSES) else "a graph"
                yield f"{what} inside of a node {types[:1]}"
    unknown = [kind for kind in types if kind not in OPERATORS] + [
        domain for domain in domains if domain not in _DOMAINS
    ]
    if unknown or not types:
        yield repr(unknown[0]) if unknown else "a node without a type"
    return types


def _fields(contents: memoryview | None, budget: Budget, *numbers: int) -> Iterator[int]:
    """Which of these fields a message has."""
    if contents is None:
        raise ValueError("a message is a number")
    for field in walk(contents, budget):
        if field.number in numbers:
            if field.contents is None:
                raise ValueError("a message is a number")
            yield field.number
