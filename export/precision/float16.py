# SPDX-License-Identifier: Apache-2.0
"""Convert the network to float16, for CUDA; preprocessing, tap and detector stay in float32.

ONNX Runtime's own converter rounds every value of the graph to float16, also between the nodes that it leaves in float32.
Here values are rounded at the network's input and inside it, nowhere else.
"""

import onnx
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper, shape_inference

from export.errors import UsageError
from export.precision.network_body import CONVOLUTIONS, network_body

_CONVERTED = frozenset(
    (
        *CONVOLUTIONS,
        *("Relu", "LeakyRelu", "PRelu", "Clip", "Sigmoid", "Tanh", "HardSwish", "HardSigmoid", "Softmax"),
        *("Add", "Sub", "Mul", "Div", "BatchNormalization", "ReduceMean"),
        *("MaxPool", "AveragePool", "GlobalAveragePool", "Resize"),
        *(
            "Concat",
            "Split",
            "Reshape",
            "Transpose",
            "Expand",
            "Squeeze",
            "Unsqueeze",
            "Flatten",
            "Gather",
            "Slice",
            "Pad",
        ),
    )
)
_SCALES = 2  # of Resize: an input that is always float32


def to_float16(model: ModelProto) -> ModelProto:
    """Copy a graph with its convolutions, and the nodes between them, in float16; inputs and outputs keep their types.

    The tap's masked mean sums hundreds of cells and its entropies are logarithms of small differences: both stay in float32.

    Args:
        model: the graph; not changed.

    Raises:
        UsageError: the network has no convolution.
    """
    body = network_body(model).nodes
    if not body:
        raise UsageError("expected convolutions to convert, the network has none: drop --precision fp16")
    inferred = shape_inference.infer_shapes(model)
    single = _single_precision(inferred)
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    inside = {node.name for node in model.graph.node if node.name in body and node.op_type in _CONVERTED}
    made = {value for node in model.graph.node if node.name in inside for value in node.output} & single
    nodes: list[NodeProto] = []
    halves: dict[str, TensorProto] = {}
    casts = set[str]()

    def cast(value: str, to: int) -> str:
        name = f"{value}_{'half' if to == TensorProto.FLOAT16 else 'single'}"
        if name not in casts:
            casts.add(name)
            nodes.append(helper.make_node("Cast", [value], [name], name=f"cast_{name}", to=to))
        return name

    for node in model.graph.node:
        copy = NodeProto()
        copy.CopyFrom(node)
        for i, value in enumerate(node.input):
            if node.name not in inside:
                if value in made and node.op_type != "Shape":
                    copy.input[i] = cast(value, TensorProto.FLOAT)
            elif value in constants and value in single and not (node.op_type == "Resize" and i == _SCALES):
                copy.input[i] = f"{value}_half"
                halves.setdefault(value, _half(constants[value]))
            elif value in single - made and value not in constants:
                copy.input[i] = cast(value, TensorProto.FLOAT16)
        nodes.append(copy)
    for output in model.graph.output:
        if output.name in made:  # under its own name it must be float32
            _rename(nodes, output.name, f"{output.name}_half")
            nodes.append(helper.make_node("Cast", [f"{output.name}_half"], [output.name], to=TensorProto.FLOAT))
            nodes[-1].name = f"cast_{output.name}"

    read = {value for node in nodes for value in node.input}
    kept = [tensor for name, tensor in constants.items() if name in read]
    graph = helper.make_graph(
        nodes,
        model.graph.name,
        list(model.graph.input),
        list(model.graph.output),
        [*kept, *halves.values()],
        value_info=[_retyped(value) if value.name in made else value for value in model.graph.value_info],
    )
    converted = helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)
    converted.functions.extend(model.functions)
    onnx.checker.check_model(converted)
    return shape_inference.infer_shapes(converted, check_type=True, strict_mode=True)


def _single_precision(model: ModelProto) -> set[str]:
    """Names of the float32 values of a graph whose shapes were inferred."""
    values = [*model.graph.value_info, *model.graph.input, *model.graph.output]
    names = {value.name for value in values if value.type.tensor_type.elem_type == TensorProto.FLOAT}
    return names | {tensor.name for tensor in model.graph.initializer if tensor.data_type == TensorProto.FLOAT}


def _half(tensor: TensorProto) -> TensorProto:
    return numpy_helper.from_array(numpy_helper.to_array(tensor).astype("float16"), f"{tensor.name}_half")


def _retyped(value: ValueInfoProto) -> ValueInfoProto:
    half = ValueInfoProto()
    half.CopyFrom(value)
    half.type.tensor_type.elem_type = TensorProto.FLOAT16
    return half


def _rename(nodes: list[NodeProto], value: str, name: str) -> None:
    for node in nodes:
        for side in (node.input, node.output):
            for i, old in enumerate(side):
                if old == value:
                    side[i] = name
