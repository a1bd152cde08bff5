# SPDX-License-Identifier: Apache-2.0
"""Has ONNX Runtime's CUDA provider a kernel for each node of a graph? Answered from a table, without ONNX Runtime.

The rules are those by which ONNX Runtime places nodes:

- Functions of the model are written out first, and so are operators that ONNX itself defines as functions, but these only
  where neither provider has a kernel: int32 Clip has a body of CUDA operators and yet goes to the CPU's kernel.
- A kernel of versions a to b takes operators whose schema is of a version in that range. One from a on, without an end,
  takes those of version a alone: a newer schema needs a newer kernel.
- A kernel's type constraint bears the name of one of the schema's constraints, or of one of its inputs and outputs.
- Constants become initialisers and go nowhere. Arithmetic on the results of Shape, which a free batch leaves in the graph,
  ONNX Runtime keeps on the host even where CUDA has a kernel. It is not exempt here: with the batch fixed it is folded
  away, and what is left of it needs the kernel.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import onnx
from onnx import ModelProto, NodeProto, TensorProto, TypeProto, defs, inliner, numpy_helper, shape_inference
from onnx.defs import OpSchema

from tests.cuda.attributes import attribute_traps

ONNX_DOMAINS = ("", "ai.onnx")
TABLE = Path(__file__).with_name("ort_cuda_kernels.json")

Types = Mapping[str, TypeProto]
"""Of each value of a graph, by name."""


@dataclass(frozen=True)
class Kernel:
    """One CUDA kernel: schema versions ``since`` to ``until`` (None: ``since`` alone), element types by constraint."""

    since: int
    until: int | None
    types: Mapping[str, frozenset[str]]

    def takes_version(self, version: int) -> bool:
        return self.since <= version <= (self.since if self.until is None else self.until)

    def takes_types(self, bound: Mapping[str, set[str]]) -> bool:
        """``bound``: the element types in use, by name of a constraint, an input or an output; empty where left out."""
        return all(name in bound and bound[name] <= allowed for name, allowed in self.types.items())


@dataclass(frozen=True)
class KernelTable:
    """The kernels of one release of ONNX Runtime: CUDA's in full, and which operators the CPU has any kernel of."""

    version: str
    cuda: Mapping[str, tuple[Kernel, ...]]
    cpu_operators: frozenset[str]

    @classmethod
    def read(cls, path: Path = TABLE) -> "KernelTable":
        table = json.loads(path.read_text())
        cuda = {
            operator: tuple(
                Kernel(since, until, {name: frozenset(kinds) for name, kinds in types.items()})
                for since, until, types in kernels
            )
            for operator, kernels in table["cuda"].items()
        }
        return cls(table["version"], cuda, frozenset(table["cpu_operators"]))


def off_cuda(model: ModelProto, table: KernelTable) -> list[str]:
    """One line for each node that CUDA would not run, with the reason; empty where it runs them all.

    Raises:
        ValueError: the type of a value cannot be inferred: it comes from an operator that ONNX does not know.
        onnx.shape_inference.InferenceError: the graph's types contradict each other.
    """
    written_out = _write_out_functions(model, table)
    inferred = shape_inference.infer_shapes(written_out, check_type=True, strict_mode=True, data_prop=True)
    types = _types(inferred)
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in inferred.graph.initializer}
    opset = next(opset.version for opset in inferred.opset_import if opset.domain in ONNX_DOMAINS)
    lines = []
    for node in inferred.graph.node:
        if node.domain not in ONNX_DOMAINS:
            reasons = [f"the table has no operators of domain {node.domain}"]
        elif node.op_type == "Constant":
            reasons = []
        else:
            reasons = [*_kernel_faults(node, opset, types, table), *attribute_traps(node, types, constants)]
        lines += [f"{node.op_type} {node.name or node.output[0]}: {reason}" for reason in reasons]
    return lines


def _write_out_functions(model: ModelProto, table: KernelTable) -> ModelProto:
    model = inliner.inline_local_functions(model)
    unknown = {node.op_type for node in model.graph.node} - table.cuda.keys() - table.cpu_operators - {"Constant"}
    return inliner.inline_selected_functions(
        model, [("", operator) for operator in sorted(unknown)], inline_schema_functions=True
    )


def _types(model: ModelProto) -> dict[str, TypeProto]:
    graph = model.graph
    types = {value.name: value.type for value in [*graph.input, *graph.value_info, *graph.output]}
    for tensor in graph.initializer:
        types[tensor.name] = onnx.helper.make_tensor_type_proto(tensor.data_type, tensor.dims)
    for node in graph.node:
        for name in filter(None, [*node.input, *node.output]):
            if name not in types:
                raise ValueError(
                    f"expected an inferred type for {name}, an end of {node.op_type} {node.name}, got none"
                )
    return types


def _kernel_faults(node: NodeProto, opset: int, types: Types, table: KernelTable) -> Iterator[str]:
    kernels = table.cuda.get(node.op_type, ())
    schema = defs.get_schema(node.op_type, opset)
    of_version = [kernel for kernel in kernels if kernel.takes_version(schema.since_version)]
    bound = _bound_types(node, schema, types)
    if not kernels:
        yield "no CUDA kernel"
    elif not of_version:
        yield f"no CUDA kernel of version {schema.since_version}"
    elif not any(kernel.takes_types(bound) for kernel in of_version):
        in_use = [f"{name} {kind}" for name, kinds in sorted(bound.items()) for kind in sorted(kinds)]
        yield f"no CUDA kernel for {', '.join(in_use)}"


def _bound_types(node: NodeProto, schema: OpSchema, types: Types) -> dict[str, set[str]]:
    """Element types in use, under the names by which a kernel can constrain them."""
    bound: dict[str, set[str]] = {}
    for formals, names in ((schema.inputs, node.input), (schema.outputs, node.output)):
        for i, formal in enumerate(formals):
            variadic = formal.option == OpSchema.FormalParameterOption.Variadic
            actual = names[i:] if variadic else names[i : i + 1]
            kinds = {_element(types[name]) for name in actual if name}
            for key in {formal.type_str, formal.name}:
                bound.setdefault(key, set()).update(kinds)
    return bound


def _element(kind: TypeProto) -> str:
    if not kind.HasField("tensor_type"):
        return f"{kind.WhichOneof('value')}"  # sequences, optionals and maps: no kernel is found for them
    name: str = TensorProto.DataType.Name(kind.tensor_type.elem_type)
    return name.lower()
